"""What the overload makes of its numbers."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from bench.measuring import refusals
from bench.measuring.loads import Hit
from bench.measuring.overload import Latency, became


def hit(
    second: float, code: int, reason: str = "", milliseconds: float = 1, error: str = ""
) -> Hit:
    headers = {"X-Decision-Reason": [reason]} if reason else {}
    at = datetime.fromtimestamp(1_700_000_000 + second, UTC)
    return Hit("", code, at, int(milliseconds * 1e6), error, headers)


def test_what_is_decided_refused_and_neither_is_told_apart() -> None:
    seen = became(
        [
            hit(0, 200, "policy_allow", 5),
            hit(0.5, 501, "overloaded", 1),
            hit(1, 501, "pdp_deadline", 480),
            hit(1.5, 0, error='Post "http://127.0.0.1:1/authorize": EOF'),
            hit(2, 200, "policy_allow", 7),
        ]
    )
    assert (seen.offered, seen.goodput) == (2.5, 1.0)
    assert seen.accepted == Latency(2, 6.0, 7.0)
    assert seen.refused == Latency(1, 1.0, 1.0)
    assert seen.others == {"pdp_deadline": 1, "EOF": 1}


def test_the_bare_handler_refuses_without_a_reason() -> None:
    assert became([hit(0, 503), hit(1, 503)]).refused.count == 2


@given(st.lists(st.floats(0, 10), max_size=300))
def test_no_latency_is_beyond_those_that_were(seconds: list[float]) -> None:
    found = Latency.of(seconds)
    assert found.count == len(seconds)
    if seconds:
        assert min(seconds) * 1e3 <= found.p50 <= found.p99 <= max(seconds) * 1e3 + 1e-9


def test_a_refusal_by_our_own_clock_is_one() -> None:
    assert refusals.measure() > 0
