"""Several PDPs behind the port, scripted: who is asked, how often, and for how long."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pdpquestions import ask as ask_any
from pdpquestions import document, person
from polling import eventually

from authorizer.errors import ConfigError, PdpDeadline, PdpError, PdpRejected, PdpUnavailable
from authorizer.model import Effect
from authorizer.pdp.breaker import Breaker, Event, State
from authorizer.pdp.failover import FailoverPdp, choose, fallback
from authorizer.pdp.interface import Deadline, PdpState
from authorizer.pdp.scripted import ScriptedPdp, always

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authorizer.model import PdpAnswer
    from authorizer.pdp.scripted import Answer, Script

ALLOW: Final = always(Effect.ALLOW)
DOWN: Final = always(PdpUnavailable("down", "nobody there"))
REJECTS: Final = always(PdpRejected("a", "INTERNAL"))
LATE: Final = always(PdpDeadline("late", "no answer in time"))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Notes:
    """Remembers what the observer is told."""

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter()
        self.retries: Counter[str] = Counter()
        self.states: dict[str, str] = {}

    def attempted(self, endpoint: str, result: str) -> None:
        self.attempts[endpoint, result] += 1

    def retried(self, endpoint: str) -> None:
        self.retries[endpoint] += 1

    def breaker_changed(self, endpoint: str, state: str) -> None:
        self.states[endpoint] = state

    def forgotten(self, endpoint: str) -> None:
        del self.states[endpoint]


class Rig:
    """PDPs `a`, `b`, … with these scripts, one FailoverPdp before them, and a clock to turn."""

    def __init__(self, *scripts: Any, attempt_timeout: float = 0.15) -> None:  # noqa: ANN401 - scripts
        self.clock = Clock()
        self.notes = Notes()
        self.opened: Counter[str] = Counter()
        self.pdps = {
            name: ScriptedPdp(script, endpoint=name)
            for name, script in zip("abcdef", scripts, strict=False)
        }
        self.pdp = FailoverPdp(
            self.members(*self.pdps),
            attempt_timeout=attempt_timeout,
            observer=self.notes,
            clock=self.clock,
        )

    def members(self, *names: str) -> dict[str, Callable[[], ScriptedPdp]]:
        def open_(name: str) -> ScriptedPdp:
            self.opened[name] += 1
            return self.pdps.setdefault(name, ScriptedPdp(ALLOW, endpoint=name))

        return {name: partial(open_, name) for name in names}

    @property
    def calls(self) -> list[int]:
        return [len(pdp.calls) for pdp in self.pdps.values()]

    async def ask(self, seconds: float = 0.5) -> Effect:
        deadline = Deadline.after(seconds, self.clock)
        answer = await self.pdp.check(person(), [document()], deadline=deadline, request_id="r")
        return answer.results[0].effect

    async def say(self, seconds: float = 0.5) -> Effect | type[PdpError]:
        try:
            return await self.ask(seconds)
        except PdpError as error:
            return type(error)


async def test_who_is_well_is_asked_in_turn() -> None:
    rig = Rig(ALLOW, ALLOW, ALLOW)
    for _ in range(9):
        assert await rig.ask() is Effect.ALLOW
    assert rig.calls == [3, 3, 3]
    assert not rig.notes.retries


async def test_while_a_question_waits_for_one_the_others_go_elsewhere() -> None:
    rig = Rig(ALLOW, ALLOW, ALLOW)
    rig.pdps["a"].hanging = True
    waiting = asyncio.create_task(rig.ask(30))
    await eventually(lambda: rig.calls == [1, 0, 0])
    for _ in range(40):
        assert await rig.ask() is Effect.ALLOW
    assert rig.calls == [1, 20, 20]
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    for _ in range(3):
        rig.pdps["a"].hanging = False
        await rig.ask()
    assert rig.calls == [2, 21, 21]


class HeldPdp(ScriptedPdp):
    """Answers each call when it is told to."""

    def __init__(self) -> None:
        super().__init__(ALLOW)
        self.held: list[asyncio.Future[None]] = []

    async def check(self, *args: Any, **keys: Any) -> PdpAnswer:  # noqa: ANN401 - the port's
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.held.append(future)
        try:
            await future
        finally:
            self.held.remove(future)
        return await super().check(*args, **keys)


@given(st.integers(1, 5), st.lists(st.none() | st.integers(0, 30), max_size=40))
def test_a_question_goes_to_whoever_has_the_fewest_open_and_in_turn(
    count: int, steps: list[int | None]
) -> None:
    """None asks; a number has one of the open calls answered."""

    async def follow() -> None:
        pdps = [HeldPdp() for _ in range(count)]
        opens = {str(index): partial(pdps.__getitem__, index) for index in range(count)}
        pdp = FailoverPdp(opens)
        tasks: list[asyncio.Task[PdpAnswer]] = []
        turn = 0
        for step in steps:
            before = [len(one.held) for one in pdps]
            if step is None:
                tasks.append(asyncio.create_task(ask_any(pdp)))
                await asyncio.sleep(0)
                [chosen] = [
                    index for index, one in enumerate(pdps) if len(one.held) > before[index]
                ]
                order = [(turn + ahead) % count for ahead in range(count)]
                assert chosen == min(order, key=before.__getitem__)
                turn = chosen + 1
            elif held := [future for one in pdps for future in one.held]:
                held[step % len(held)].set_result(None)
                for _ in range(5):
                    await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await pdp.close()

    asyncio.run(follow())


@pytest.mark.parametrize("script", [DOWN, LATE])
async def test_one_that_gives_no_answer_costs_no_question_and_is_soon_passed_over(
    script: Any,  # noqa: ANN401 - a script
) -> None:
    rig = Rig(script, ALLOW)
    for _ in range(20):
        assert await rig.ask() is Effect.ALLOW
    assert rig.calls == [3, 20]
    assert rig.notes.retries == {"b": 3}
    assert rig.notes.states == {"a": "open", "b": "closed"}


async def test_when_it_is_back_a_probe_finds_out_and_it_is_asked_again() -> None:
    rig = Rig(DOWN, ALLOW)
    for _ in range(6):
        await rig.ask()
    rig.pdps["a"].script = ALLOW
    rig.clock.now += 0.1
    for _ in range(10):
        assert await rig.ask() is Effect.ALLOW
    assert rig.notes.states["a"] == "closed"
    assert rig.calls[0] >= 3 + 5


async def test_a_question_is_asked_twice_at_most_and_of_two_different_ones() -> None:
    rig = Rig(DOWN, DOWN, DOWN)
    assert await rig.say() is PdpUnavailable
    assert sorted(rig.calls) == [0, 1, 1]


async def test_a_rejection_is_not_repeated_and_who_rejects_everybody_is_passed_over() -> None:
    rig = Rig(REJECTS, ALLOW)
    said = [await rig.say() for _ in range(20)]
    assert Counter(said) == {PdpRejected: 3, Effect.ALLOW: 17}
    assert rig.calls == [3, 17]


@pytest.mark.parametrize("count", [1, 3])
async def test_a_question_that_all_reject_shuts_out_no_other(count: int) -> None:
    rig = Rig(*[REJECTS] * count)
    for _ in range(30):
        assert await rig.say() is PdpRejected
    for pdp in rig.pdps.values():
        pdp.script = ALLOW
    for _ in range(30):
        assert await rig.say() is Effect.ALLOW


async def test_when_those_that_answer_well_are_gone_who_rejects_is_asked() -> None:
    rig = Rig(REJECTS, ALLOW)
    for _ in range(10):
        await rig.say()
    rig.pdps["b"].script = DOWN
    assert await rig.say() is PdpRejected


async def test_when_nobody_answers_questions_fail_at_once_and_one_at_a_time_probes() -> None:
    rig = Rig(DOWN, DOWN)
    for _ in range(10):
        assert await rig.say() is PdpUnavailable
    assert rig.calls == [3, 3]
    rig.clock.now += 0.1
    for pdp in rig.pdps.values():
        pdp.hanging = True
    # Both are due: one question probes each, and a crowd comes meanwhile.
    probes = [asyncio.create_task(rig.say(30)) for _ in range(2)]
    await eventually(lambda: rig.calls == [4, 4])
    for _ in range(50):
        assert await rig.say() is PdpUnavailable
    assert rig.calls == [4, 4]
    for probe in probes:
        probe.cancel()
    await asyncio.gather(*probes, return_exceptions=True)


async def test_when_everybody_fails_now_and_then_a_fifth_of_calls_is_repeated_and_no_more() -> None:
    """Two of three calls fail, which no breaker opens for: only the budget is in the way."""

    def flaky() -> Script:
        busy = PdpUnavailable("x", "busy")
        rounds: Iterator[Answer] = itertools.cycle([Effect.ALLOW, busy, busy])
        return lambda *_: next(rounds)

    rig = Rig(flaky(), flaky())
    asked = 2000
    for _ in range(asked):
        await rig.say()
    assert rig.notes.states == {"a": "closed", "b": "closed"}
    assert asked * 1.19 < sum(rig.calls) <= asked * 1.2 + 10


class TestTime:
    """How long each may take. The PDPs note what they were given."""

    async def given(self, rig: Rig, seconds: float) -> list[float]:
        given: list[float] = []

        async def check(*_: object, deadline: Deadline, **__: object) -> None:
            given.append(round(deadline.remaining(), 6))
            rig.clock.now = deadline.at
            raise PdpDeadline("x", "late")

        for pdp in rig.pdps.values():
            pdp.check = check  # type: ignore[method-assign, assignment] # notes and fails
        assert await rig.say(seconds) is PdpDeadline
        return given

    async def test_the_first_has_an_attempt_and_the_second_all_that_is_left(self) -> None:
        assert await self.given(Rig(ALLOW, ALLOW), 0.5) == [0.15, 0.35]

    async def test_the_only_one_has_all_of_it(self) -> None:
        assert await self.given(Rig(ALLOW), 0.5) == [0.5]

    async def test_less_than_an_attempt_is_not_divided(self) -> None:
        assert await self.given(Rig(ALLOW, ALLOW), 0.1) == [0.1]


async def test_a_caller_who_left_no_time_breaks_nothing() -> None:
    """Else sending bodies slowly would turn every PDP off for everybody."""
    rig = Rig(LATE, LATE)
    for _ in range(50):
        assert await rig.say(seconds=0.05) is PdpDeadline
    assert set(rig.notes.states.values()) == {"closed"}


class SlowPdp(ScriptedPdp):
    """Takes 60 ms for everything."""

    async def check(self, *args: Any, deadline: Deadline, **keys: Any) -> PdpAnswer:  # noqa: ANN401 - the port's
        await asyncio.sleep(min(deadline.remaining(), 0.06))
        if deadline.remaining() <= 0:
            raise PdpDeadline(self.endpoint, "no answer in time")
        return await super().check(*args, deadline=deadline, **keys)


async def test_the_last_one_is_not_given_up_for_being_slow_in_a_hurry() -> None:
    """All are slower than an attempt: one is passed over, and the other has the time it takes."""
    pdps = {name: partial(SlowPdp, ALLOW, endpoint=name) for name in "ab"}
    notes = Notes()
    pdp = FailoverPdp(pdps, attempt_timeout=0.02, observer=notes)
    crowd = await asyncio.gather(*(ask_any(pdp) for _ in range(40)), return_exceptions=True)
    assert not any(isinstance(one, PdpUnavailable) for one in crowd)
    assert sorted(notes.states.values()) == ["closed", "open"]
    for _ in range(5):
        await ask_any(pdp)
    await pdp.close()


async def test_a_question_with_little_time_left_is_not_spent_on_a_probe() -> None:
    rig = Rig(DOWN, ALLOW)
    for _ in range(6):
        await rig.ask()
    rig.clock.now += 10
    for _ in range(4):
        assert await rig.ask(seconds=0.1) is Effect.ALLOW
    assert rig.calls[0] == 3
    assert await rig.ask(seconds=0.5) is Effect.ALLOW
    assert rig.calls[0] == 4


async def test_a_caller_who_leaves_cancels_the_call_and_is_not_asked_for_again() -> None:
    rig = Rig(ALLOW, ALLOW)
    rig.pdps["a"].hanging = True
    task = asyncio.create_task(rig.ask(30))
    await eventually(lambda: rig.calls == [1, 0])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert rig.pdps["a"].cancelled == 1
    assert rig.calls == [1, 0]
    assert rig.notes.attempts == {("a", "abandoned"): 1}


async def test_without_time_left_nobody_else_is_asked() -> None:
    rig = Rig(ALLOW, ALLOW)

    def slowly_refused(*_: object) -> PdpUnavailable:
        rig.clock.now += 1.0
        return PdpUnavailable("a", "nobody there")

    rig.pdps["a"].script = slowly_refused
    assert await rig.say(1.0) is PdpUnavailable
    assert rig.calls == [1, 0]


async def test_a_connection_on_which_nothing_comes_back_is_replaced() -> None:
    rig = Rig(LATE, ALLOW)
    for _ in range(10):
        await rig.ask()
    assert rig.opened == {"a": 2, "b": 1}
    await rig.pdp.close()


async def test_a_crowd_on_a_dead_connection_replaces_it_once() -> None:
    opened: list[ScriptedPdp] = []

    def open_() -> ScriptedPdp:
        opened.append(ScriptedPdp(ALLOW, endpoint="a"))
        opened[-1].hanging = True
        return opened[-1]

    well = partial(ScriptedPdp, ALLOW, endpoint="b")
    # Long enough that "b" is never late, on a machine that does other things, too.
    pdp = FailoverPdp({"a": open_, "b": well}, attempt_timeout=0.3)
    await asyncio.gather(*(ask_any(pdp) for _ in range(10)))
    assert len(opened[0].calls) == 5
    assert len(opened) == 2
    await pdp.close()


async def test_one_that_refuses_connections_needs_no_other() -> None:
    rig = Rig(DOWN, ALLOW)
    for _ in range(10):
        await rig.ask()
    assert rig.opened == {"a": 1, "b": 1}


async def test_a_connection_that_cannot_be_replaced_is_kept() -> None:
    script = ScriptedPdp(LATE, endpoint="a")
    opened: list[ScriptedPdp] = []

    def once() -> ScriptedPdp:
        if opened:
            raise ConfigError([])
        opened.append(script)
        return script

    pdp = FailoverPdp({"a": once}, attempt_timeout=0.01)
    for _ in range(3):
        with pytest.raises(PdpDeadline):
            await ask_any(pdp)
    with pytest.raises(PdpUnavailable, match="not asked at present"):
        await ask_any(pdp)
    await pdp.close()


async def test_members_come_and_go_and_who_stays_keeps_its_breaker() -> None:
    rig = Rig(DOWN, ALLOW)
    for _ in range(6):
        await rig.ask()
    rig.pdp.replace(rig.members("a", "c"))
    assert rig.opened == {"a": 1, "b": 1, "c": 1}
    assert rig.notes.states == {"a": "open", "c": "closed"}
    for _ in range(4):
        assert await rig.ask() is Effect.ALLOW
    assert len(rig.pdps["c"].calls) == 4
    await rig.pdp.close()
    assert all(pdp.closed for pdp in rig.pdps.values())


async def test_nobody_at_all_is_unavailable() -> None:
    rig = Rig()
    assert await rig.say() is PdpUnavailable
    assert await rig.pdp.health(timeout=1) == []


async def test_health_names_each_endpoint_and_who_is_passed_over() -> None:
    rig = Rig(DOWN, ALLOW)
    rig.pdps["a"].state = PdpState.UNREACHABLE
    for _ in range(6):
        await rig.ask()
    health = await rig.pdp.health(timeout=1.0)
    assert [(one.endpoint, one.state, one.detail) for one in health] == [
        ("a", PdpState.UNREACHABLE, "passed over: its circuit is open"),
        ("b", PdpState.SERVING, ""),
    ]


def breaker(kind: int) -> Breaker:
    """Return one of six: closed with 0, 1 or 2 failures, open, half open, open but answering."""
    found = Breaker()
    event = Event.REJECTED if kind == 5 else Event.FAILED
    for _ in range(min(kind, 3)):
        found = found.ended(event, epoch=found.epoch, now=0.0)
    return found.began(1.0) if kind == 4 else found


@given(
    st.lists(st.tuples(st.integers(0, 5).map(breaker), st.integers(0, 3)), min_size=1, max_size=5),
    st.integers(0, 10),
    st.floats(0, 2),
    st.booleans(),
)
def test_the_plan(
    seen: list[tuple[Breaker, int]],
    turn: int,
    now: float,
    may_probe: bool,  # noqa: FBT001 - drawn
) -> None:
    """Who may not be asked never is; somebody is while anybody may; nobody is asked twice.

    Of those who may, it is whoever has the fewest calls open.
    """
    breakers, calls = [one for one, _ in seen], [open_ for _, open_ in seen]
    first = choose(breakers, calls, turn, now, may_probe=may_probe)
    closed = [index for index, one in enumerate(breakers) if one.state is State.CLOSED]
    due = [index for index, one in enumerate(breakers) if one.due(now)]
    if first is None:
        assert not closed
        assert not due
        assert not any(one.answers for one in breakers)
        return
    assert first in closed or first in due or breakers[first].answers
    if closed and not may_probe:
        assert first in closed
    if due and may_probe:
        assert first in due
    elif closed:
        assert calls[first] == min(calls[index] for index in closed)
    second = fallback(breakers, calls, first)
    others = [index for index in closed if index != first]
    if second is None:
        assert not others
    elif others:
        least = min((breakers[index].failures, calls[index]) for index in others)
        assert (breakers[second].failures, calls[second]) == least
    else:
        assert breakers[second].answers
    assert second != first
