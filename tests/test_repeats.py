"""What was made of a question is found again by its very bytes, and by nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from authorizer.model import AccessRequest
from authorizer.repeats import Repeats

BYTES = st.binary(min_size=1, max_size=8)
TOKENS = st.lists(st.text(max_size=4), max_size=2).map(tuple)


def asked(text: bytes, tokens: tuple[str, ...] = ()) -> AccessRequest:
    return AccessRequest("ann", "GET", "http://a/", authorization=tokens, text=text)


@given(st.lists(st.tuples(BYTES, TOKENS), max_size=20), BYTES, TOKENS)
def test_only_the_same_bytes_and_the_same_tokens_are_the_same_question(
    before: list[tuple[bytes, tuple[str, ...]]], text: bytes, tokens: tuple[str, ...]
) -> None:
    repeats: Repeats[tuple[bytes, tuple[str, ...]]] = Repeats()
    for one in before:
        repeats.keep(asked(*one), one)
    found = repeats.request(text, tokens)
    assert (found is not None) == ((text, tokens) in before)
    if found is not None:
        assert repeats.question(found) == (text, tokens)
        # Another request, though it says the same, was not read here.
        assert repeats.question(asked(text, tokens)) is None


def test_one_whose_bytes_nobody_knows_is_not_kept() -> None:
    repeats: Repeats[str] = Repeats()
    request = asked(b"")
    repeats.keep(request, "question")
    assert len(repeats) == 0
    assert repeats.request(b"", ()) is None
    assert repeats.question(request) is None


def test_what_was_not_used_for_longest_goes_first() -> None:
    repeats: Repeats[str] = Repeats(3 * 7000)
    first, second, third, fourth = (asked(name) for name in (b"1", b"2", b"3", b"4"))
    for request in (first, second, third):
        repeats.keep(request, "question")
    assert repeats.question(first) == "question"
    repeats.keep(fourth, "question")
    assert repeats.request(b"2", ()) is None
    assert repeats.request(b"1", ()) is first
    assert repeats.request(b"4", ()) is fourth
