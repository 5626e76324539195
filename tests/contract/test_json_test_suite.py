"""The public JSON test suite: each case is judged as RFC 8259 asks, or as our own table says.

docs/hostile-input.md has the table: what the RFC leaves to the reader, and where we are stricter.
"""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from docpages import DOCS
from fuzz.targets import bodies

from authorizer.contract import strict_json
from authorizer.contract.decode import decode
from authorizer.errors import MalformedRequest

if TYPE_CHECKING:
    from collections.abc import Callable

CASES: Final = Path(__file__).parent / "jsontestsuite"
PARSING: Final = sorted((CASES / "test_parsing").glob("*.json"))
TRANSFORM: Final = sorted((CASES / "test_transform").glob("*.json"))


def _decided() -> dict[str, str]:
    """Return the rows of the page: the name of a case, or a pattern of names, and its verdict."""
    page = (DOCS / "hostile-input.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[yi]_.*?) \| (taken|refused) \|", page, re.MULTILINE)
    return {name: verdict for names, verdict in rows for name in re.findall(r"`(.+?)`", names)}


DECIDED: Final = _decided()


def _expected(name: str) -> str:
    rows = {verdict for pattern, verdict in DECIDED.items() if fnmatchcase(name, pattern)}
    if rows:
        (verdict,) = rows
        return verdict
    return {"y": "taken", "n": "refused"}[name[0]]


def _verdict(reader: Callable[[bytes], object], text: bytes) -> str:
    try:
        reader(text)
    except MalformedRequest:
        return "refused"
    return "taken"


def _within(text: bytes) -> bytes:
    start = b'{"subject":"ann","method":"GET","url":"http://api.acme.test/a","extra":{"case":'
    return start + text + b"}}"


def test_the_suite_is_whole_and_every_row_of_the_page_is_about_a_case_of_it() -> None:
    names = [path.stem for path in PARSING]
    assert [sum(name[0] == kind for name in names) for kind in "yni"] == [95, 188, 35]
    assert len(TRANSFORM) == 22
    assert all(any(fnmatchcase(name, row) for name in names) for row in DECIDED)


@pytest.mark.parametrize("path", PARSING, ids=lambda path: path.stem)
def test_a_case_is_judged_as_the_rfc_or_the_page_says_alone_and_within_a_request(
    path: Path,
) -> None:
    text = path.read_bytes()
    assert _verdict(strict_json.parse, text) == _expected(path.stem)
    assert _verdict(decode, _within(text)) == _expected(path.stem)


@pytest.mark.parametrize("path", [*PARSING, *TRANSFORM], ids=lambda path: path.stem)
def test_no_case_is_a_request_and_none_is_read_in_two_ways(path: Path) -> None:
    text = path.read_bytes()
    assert _verdict(decode, text) == "refused"
    for body in (text, _within(text), _within(b"[" + text + b"]")):
        bodies(body)


@pytest.mark.parametrize("path", TRANSFORM, ids=lambda path: path.stem)
def test_what_is_taken_of_the_cases_that_readers_change_is_what_was_written(path: Path) -> None:
    text = path.read_bytes()
    if path.stem.startswith("object_same_key") or "invalid_codepoint" in path.stem:
        assert _verdict(strict_json.parse, text) == "refused"
    else:
        assert strict_json.parse(text) == json.loads(text)
