"""The circuit breaker: a table, and a machine that a naive model agrees with."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from authorizer.backoff import Backoff
from authorizer.pdp.breaker import TRANSITIONS, Breaker, Event, State, Terms

TERMS = Terms(threshold=3, backoff=Backoff(first=0.1, cap=0.5))


def after(*events: Event, breaker: Breaker | None = None, now: float = 0.0) -> Breaker:
    """Return the breaker after calls that ended so, one after the other."""
    breaker = breaker or Breaker(TERMS)
    for event in events:
        breaker = breaker.began(now)
        breaker = breaker.ended(event, epoch=breaker.epoch, now=now)
    return breaker


F, S, A, R = Event.FAILED, Event.SUCCEEDED, Event.ABANDONED, Event.REJECTED


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([F, F], State.CLOSED),
        ([F, F, F], State.OPEN),
        ([F, F, S, F, F], State.CLOSED),
        ([F, F, A, F], State.OPEN),
        ([A, A, A, A], State.CLOSED),
        ([R, F, R], State.OPEN),
        ([R, R, S, R], State.CLOSED),
    ],
)
def test_the_third_failure_in_a_row_opens_it(events: list[Event], state: State) -> None:
    assert after(*events).state is state


@pytest.mark.parametrize(
    ("event", "state"), [(S, State.CLOSED), (F, State.OPEN), (R, State.OPEN), (A, State.OPEN)]
)
def test_a_probe_decides(event: Event, state: State) -> None:
    opened = after(F, F, F)
    assert not opened.due(0.09)
    assert opened.due(0.1)
    assert after(event, breaker=opened, now=0.1).state is state


def test_while_a_probe_is_on_its_way_nobody_else_is_let_through() -> None:
    probing = after(F, F, F).began(5.0)
    assert probing.state is State.HALF_OPEN
    assert not probing.due(1e9)


def test_waits_grow_to_the_cap_and_begin_anew_after_a_success() -> None:
    breaker, now, waits = after(F, F, F), 0.0, []
    for _ in range(6):
        waits.append(round(breaker.probe_at - now, 6))
        now = breaker.probe_at
        breaker = after(F, breaker=breaker, now=now)
    assert waits == [0.1, 0.2, 0.4, 0.5, 0.5, 0.5]
    healed = after(S, breaker=breaker, now=breaker.probe_at)
    assert after(F, F, F, breaker=healed, now=50.0).probe_at == 50.1


def test_a_probe_that_showed_nothing_may_be_repeated_at_once() -> None:
    opened = after(F, F, F)
    assert after(A, breaker=opened, now=0.1).due(0.1)


def test_one_that_rejects_is_known_to_answer_until_it_fails() -> None:
    opened = after(F, F, R)
    assert opened.answers
    assert not after(F, F, F).answers
    assert after(R, breaker=opened, now=0.05).answers
    assert not after(F, breaker=opened, now=0.05).answers
    assert after(R, breaker=after(F, F, F), now=0.1).answers
    assert not after(S, breaker=opened, now=0.1).answers


def test_what_began_before_it_opened_says_nothing_afterwards() -> None:
    epoch = Breaker(TERMS).epoch
    opened = after(F, F, F)
    assert opened.ended(S, epoch=epoch, now=0.0) == opened
    probing = opened.began(0.1)
    for event in (S, F, A):
        assert probing.ended(event, epoch=epoch, now=0.1) == probing


def test_every_change_of_state_is_in_the_table() -> None:
    """Only DUE leads into half open, and only half open leads back to closed."""
    assert {pair for pair, target in TRANSITIONS.items() if target is State.HALF_OPEN} == {
        (State.OPEN, Event.DUE)
    }
    assert [pair for pair in TRANSITIONS if pair[0] is State.OPEN] == [(State.OPEN, Event.DUE)]


@dataclass
class Call:
    """A call on its way, as the model knows it."""

    epoch: int
    era: int
    probe: bool


class Machine(RuleBasedStateMachine):
    """Calls begin, overlap and end in any order, while a naive model keeps score in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(TERMS)
        self.now = 0.0
        self.calls: list[Call] = []
        # The model: a streak, and who may ask when. An era ends whenever that changes.
        self.streak = 0
        self.era = 0
        self.closed_until_told = True
        self.may_probe_at = 0.0
        self.probing = False
        self.waits = 0

    @rule(seconds=st.floats(0.0, 2.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def a_call_begins_if_it_may(self) -> None:
        may = self.closed_until_told or (not self.probing and self.now >= self.may_probe_at)
        assert may == (self.breaker.state is State.CLOSED or self.breaker.due(self.now))
        if not may:
            return
        self.breaker = self.breaker.began(self.now)
        if not self.closed_until_told:
            self.probing = True
            self.era += 1
        self.calls.append(Call(self.breaker.epoch, self.era, self.probing))

    @precondition(lambda self: self.calls)
    @rule(which=st.integers(0), event=st.sampled_from([S, F, A, R]))
    def a_call_ends(self, which: int, event: Event) -> None:
        call = self.calls.pop(which % len(self.calls))
        self.breaker = self.breaker.ended(event, epoch=call.epoch, now=self.now)
        if call.era != self.era or (not self.closed_until_told and not self.probing):
            return
        if call.probe:
            self.era += 1
            self.probing = False
            if event is S:
                self.closed_until_told, self.streak, self.waits = True, 0, 0
            elif event in (F, R):
                self.wait()
        elif event is S:
            self.streak = 0
        elif event in (F, R):
            self.streak += 1
            if self.streak == 3:
                self.era += 1
                self.closed_until_told, self.streak = False, 0
                self.wait()

    def wait(self) -> None:
        self.may_probe_at = self.now + min(0.1 * 2**self.waits, 0.5)
        self.waits += 1

    @invariant()
    def they_agree(self) -> None:
        assert (self.breaker.state is State.CLOSED) == self.closed_until_told
        assert (self.breaker.state is State.HALF_OPEN) == self.probing
        assert self.breaker.failures == self.streak

    @invariant()
    def one_probe_at_a_time(self) -> None:
        probes = [call for call in self.calls if call.probe and call.era == self.era]
        assert len(probes) == self.probing


TestMachine = Machine.TestCase
