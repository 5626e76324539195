"""What the overload makes of its numbers."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measuring import loads, programs, refusals
from bench.measuring.loads import Hit
from bench.measuring.overload import Became, Capacity, Latency, Overload, became, chosen
from bench.overload import SHIPPED, goals

if TYPE_CHECKING:
    from pathlib import Path


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


@given(st.floats(0.01, 1), st.integers(0, 100_000), st.integers(1, 1_000))
def test_those_that_are_chosen_lie_evenly_among_all(share: float, first: int, count: int) -> None:
    of_them = sum(chosen(number, share) for number in range(first, first + count))
    assert abs(of_them - share * count) < 1 + 1e-6


def test_of_a_whole_all_are_chosen() -> None:
    assert all(chosen(number, 1.0) for number in range(1_000))


def test_what_is_decided_is_compared_with_both_that_are_called_the_most() -> None:
    none = Latency.of([])
    one = Overload(Capacity(2000, 1000, 600), Became(4000, 500, none, none, {}), {}, 0, 0)
    rows = [line.split(" | ") for line in goals([{SHIPPED: one}]).splitlines()]
    told = {row[0].lstrip("| "): (row[2], row[3].rstrip(" |")) for row in rows}
    assert told["decisions, of the most"] == ("50.0 (50.0-50.0) %", "not reached")
    beside = "decisions, of the most beside as much load elsewhere"
    assert told[beside] == ("83.3 (83.3-83.3) %", "")


@pytest.mark.integration
@pytest.mark.skipif(
    not (programs.TOOLS / "vegeta").exists(),
    reason="vegeta is there where somebody measures: `make bench` says how",
)
def test_at_the_other_door_all_are_answered_and_what_vegeta_takes_is_known(tmp_path: Path) -> None:
    with programs.door(tmp_path) as door:
        target = loads.vegeta_target(f"http://{door.address}/authorize", b"{}" * 500)
        attack = loads.Measured([target], "-rate=1000/s", "-duration=1s")
        attack.wait_for_answer()
        cores = programs.cores({"door": door.pid, "vegeta": attack.pid}, 1)
        hits = attack.hits()
    assert {hit.code for hit in hits} == {HTTPStatus.SERVICE_UNAVAILABLE}
    assert hits == sorted(hits, key=lambda hit: hit.at)
    assert 0 <= cores["door"] < cores["vegeta"]
