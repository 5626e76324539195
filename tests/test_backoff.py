"""How long to wait before trying again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from authorizer.backoff import Backoff


def test_delays_double_up_to_the_cap() -> None:
    backoff, delay, delays = Backoff(first=0.1, cap=1.0), None, []
    for _ in range(6):
        delay = backoff.next(delay, worked_for=0)
        delays.append(delay)
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


@given(st.none() | st.floats(0.1, 5.0), st.floats(0, 1e6))
def test_a_delay_is_never_outside_its_bounds(previous: float | None, worked_for: float) -> None:
    backoff = Backoff()
    assert backoff.first <= backoff.next(previous, worked_for=worked_for) <= backoff.cap


def test_what_worked_for_long_begins_anew() -> None:
    assert Backoff().next(5.0, worked_for=10.0) == Backoff().first
    assert Backoff().next(5.0, worked_for=9.9) == Backoff().cap
