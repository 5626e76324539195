"""What a fuzzer found interesting is read as promised, every time."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz import targets

from authorizer.routing.reading import Ambiguous

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("target", targets.TARGETS)
def test_the_corpus_breaks_no_promise(target: str) -> None:
    found = sorted((CORPUS / target).iterdir())
    assert len(found) >= 50
    for path in found:
        try:
            targets.TARGETS[target](path.read_bytes())
        except Exception as error:
            error.add_note(f"on {path}")
            raise


@pytest.mark.parametrize(
    ("target", "name", "wrong", "data"),
    [
        ("urls", "read", lambda _: (), b"http://a/b"),
        ("urls", "locate", lambda *_: Ambiguous("no"), b"http://a/b"),
        ("rules", "is_well_formed", lambda _: True, b"{}"),
        ("tables", "answer", lambda *_: "no_route", b"\n\x00\n\x01"),
        ("bodies", "decode_carefully", lambda _: None,
         b'{"subject":"","method":"GET","url":"http://a"}'),
        ("peers", "_ended", lambda _: b"an answer that nobody gave", b"\x00"),
    ],
)  # fmt: skip
def test_a_broken_promise_is_seen(
    monkeypatch: pytest.MonkeyPatch, target: str, name: str, wrong: object, data: bytes
) -> None:
    targets.TARGETS[target](data)
    monkeypatch.setattr(targets, name, wrong)
    with pytest.raises(AssertionError):
        targets.TARGETS[target](data)
