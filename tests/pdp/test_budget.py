"""Retries are a fixed share of calls, whatever happens."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from authorizer.pdp.budget import RetryBudget


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def budget(clock: Clock) -> RetryBudget:
    return RetryBudget(ratio=0.1, reserve=10, memory=10, clock=clock)


def test_when_every_call_wants_a_retry_a_share_of_them_gets_one_beside_the_reserve() -> None:
    clock = Clock()
    retries = budget(clock)
    granted = 0
    for _ in range(1000):
        granted += retries.reserve() or retries.take()
    assert granted == 10 + 100


def test_a_busy_service_may_repeat_what_was_on_its_way_to_one_that_hangs() -> None:
    """400 calls a second, and 60 of them at once without an answer."""
    clock = Clock()
    retries = budget(clock)
    for _ in range(4000):
        clock.now += 1 / 400
        assert retries.reserve()
        retries.give_back()
    assert all(retries.reserve() for _ in range(60))


def test_what_nobody_spends_comes_back() -> None:
    retries = budget(Clock())
    for _ in range(100):
        assert retries.reserve()
        retries.give_back()
    assert retries.reserve()


def test_one_call_spends_one_retry() -> None:
    clock = Clock()
    retries = RetryBudget(ratio=0.0, reserve=1.5, memory=10, clock=clock)
    assert retries.reserve()
    assert not retries.reserve()
    assert not retries.take()
    clock.now = 100.0
    assert retries.reserve()


@given(st.lists(st.tuples(st.floats(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=200))
def test_no_history_buys_more_than_its_share(steps: list[tuple[float, bool, bool]]) -> None:
    """However calls overlap: their share, the reserve, and what of that time gave back."""
    clock = Clock()
    retries = budget(clock)
    granted = 0
    for passed, wants, overlaps in steps:
        clock.now += passed
        reserved = retries.reserve()
        if wants:
            granted += reserved or retries.take()
        elif reserved and not overlaps:
            retries.give_back()
    ever = len(steps) * 0.1 + 10
    assert granted <= ever * (1 + clock.now / 10) + 1
