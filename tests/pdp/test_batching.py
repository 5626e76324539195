"""Questions that meet go as one call, and nobody can tell by the answer."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import weakref
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from pdpquestions import document, person
from polling import PATIENCE
from virtualtime import run

from authorizer.errors import PdpDeadline, PdpError, PdpRejected, PdpUnavailable
from authorizer.model import AuxData, Check, CheckResult, Effect, PdpAnswer, Principal, Resource
from authorizer.pdp.batching import BatchingPdp, Limits
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.pdp.interface import Deadline, PdpState
from authorizer.pdp.scripted import ScriptedPdp, always

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from cerbosserver import CerbosServer

    from authorizer.pdp.scripted import Script

ANN: Final = person()
BOB: Final = person(name="bob")
POISON: Final = "poison"
# A call takes so many seconds, unless a test says otherwise.
TAKES: Final = 1.0


@dataclass
class Call:
    """One call, as the PDP saw it. `end` is None while it is under way."""

    principal: Principal
    checks: tuple[Check, ...]
    request_id: str
    start: float
    end: float | None = None
    cancelled: bool = False
    call_id: str = ""


@dataclass
class SlowPdp(ScriptedPdp):
    """Takes its time, by the event loop's clock, and then answers as its script says.

    `takes` and `fails` say for each call, by its number, how long it takes and whether it fails.
    """

    script: Script = field(default_factory=lambda: _by_its_name)
    takes: Callable[[int], float] = lambda _: TAKES
    fails: Callable[[int], PdpError | None] = lambda _: None
    seen: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(self.script)

    async def check(
        self,
        principal: Principal,
        checks: Sequence[Check],
        *,
        deadline: Deadline,
        request_id: str,
        explain: bool = False,
    ) -> PdpAnswer:
        loop = asyncio.get_running_loop()
        call = Call(principal, tuple(checks), request_id, loop.time())
        self.seen.append(call)
        number = len(self.seen) - 1
        takes, remaining = self.takes(number), deadline.remaining()
        try:
            await asyncio.sleep(min(takes, remaining))
            if takes >= remaining:
                raise PdpDeadline("slow", "no answer in time")
            if (error := self.fails(number)) is not None:
                raise error
            answer = await super().check(
                principal, checks, deadline=deadline, request_id=request_id, explain=explain
            )
        except asyncio.CancelledError:
            call.cancelled = True
            raise
        finally:
            call.end = loop.time()
        call.call_id = f"call-{number + 1}"
        return replace(answer, call_id=call.call_id)


def _by_its_name(principal: Principal, check: Check) -> CheckResult | PdpError:
    """Say what was asked, so that an answer to another question shows; refuse poison."""
    if check.resource.kind == POISON:
        return PdpRejected("slow", "poison")
    return CheckResult(Effect.ALLOW, {"asked": told(principal, check)})


def told(principal: Principal, check: Check) -> str:
    return repr((principal.attr, check, principal.aux_data and principal.aux_data.jwt))


def asked(name: str = "1", *, kind: str = "document", **attr: Any) -> Check:  # noqa: ANN401 - JSON
    return Check(Resource(kind, name, attr), "view")


def batching(
    inner: ScriptedPdp, *, patience: float = 3600.0, resources: int = 50, size: int = 1024 * 1024
) -> BatchingPdp:
    numbers = itertools.count(1)
    limits = Limits(resources=resources, size=size, patience=patience)
    return BatchingPdp(inner, new_id=lambda: f"batch-{next(numbers)}", limits=limits)


async def ask(
    pdp: BatchingPdp, *checks: Check, who: Principal = ANN, seconds: float = 60.0, named: str = ""
) -> PdpAnswer:
    clock = asyncio.get_running_loop().time
    deadline = Deadline.after(seconds, clock)
    return await pdp.check(who, checks, deadline=deadline, request_id=named or "request")


def asks(pdp: BatchingPdp, *names: str, **how: Any) -> list[asyncio.Task[PdpAnswer]]:  # noqa: ANN401 - of `ask`
    return [
        asyncio.create_task(ask(pdp, asked(name), named=f"request-{name}", **how)) for name in names
    ]


def names(call: Call) -> list[str]:
    return [check.resource.id for check in call.checks]


async def is_empty(pdp: BatchingPdp) -> bool:
    await asyncio.sleep(0)  # a task that has ended is forgotten in the next turn
    return not pdp._lanes and not pdp._tasks and not pdp.in_flight


def test_the_first_is_asked_at_once_and_alone_and_the_others_together_when_it_is_answered() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        answers = await asyncio.gather(*asks(pdp, "1", "2", "3"))

        assert [(call.start, names(call)) for call in inner.seen] == [
            (0.0, ["1"]),
            (TAKES, ["2", "3"]),
        ]
        assert [call.request_id for call in inner.seen] == ["request-1", "batch-1"]
        assert [answer.request_id for answer in answers] == ["request-1", "batch-1", "batch-1"]
        assert [answer.call_id for answer in answers] == ["call-1", "call-2", "call-2"]
        for name, answer in zip("123", answers, strict=True):
            assert [one.outputs for one in answer.results] == [{"asked": told(ANN, asked(name))}]
        assert await is_empty(pdp)

    run(story())


def test_while_the_pdp_is_busy_with_others_those_that_come_together_are_asked_together() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        first = asks(pdp, "1", who=BOB)
        await asyncio.sleep(0)
        await asyncio.gather(*first, *asks(pdp, "2", "3"))

        assert [(call.start, names(call)) for call in inner.seen] == [
            (0.0, ["1"]),
            (0.0, ["2", "3"]),
        ]
        assert await is_empty(pdp)

    run(story())


def test_each_gets_all_of_its_own_results_in_its_own_order() -> None:
    async def story() -> None:
        pdp = batching(SlowPdp())
        several = [asked("a"), asked("b", x=1), asked("a", x=1)]
        _, answer, other = await asyncio.gather(
            ask(pdp, asked("1")), ask(pdp, *several), ask(pdp, *several[::-1])
        )

        expected = [told(ANN, check) for check in several]
        assert [result.outputs["asked"] for result in answer.results] == expected
        assert [result.outputs["asked"] for result in other.results] == expected[::-1]

    run(story())


def test_nothing_waits_longer_for_a_call_that_hangs_than_its_patience() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp(takes=lambda n: 1000.0 if n == 0 else TAKES), patience=0.5)
        hanging, *others = asks(pdp, "1", "2", "3")
        await asyncio.sleep(0.1)
        others += asks(pdp, "4")

        for answer in await asyncio.gather(*others):
            assert answer.call_id == "call-2"
        assert [(call.start, names(call)) for call in inner.seen] == [
            (0.0, ["1"]),
            (0.5, ["2", "3", "4"]),
        ]
        hanging.cancel()
        await asyncio.wait([hanging])
        assert await is_empty(pdp)

    run(story())


def test_what_left_before_its_time_to_be_asked_is_not_asked_then() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp(takes=lambda _: 10.0), patience=0.5)
        hanging, gone = asks(pdp, "1", "2")
        await asyncio.sleep(0.1)
        gone.cancel()
        await asyncio.wait([gone, hanging])

        assert [names(call) for call in inner.seen] == [["1"]]
        assert await is_empty(pdp)

    run(story())


def test_no_call_holds_more_than_the_limits_and_what_is_full_does_not_wait() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp(), resources=3)
        await asyncio.gather(*asks(pdp, *"12345678"))
        assert [(call.start, len(call.checks)) for call in inner.seen] == [
            (0.0, 1), (0.0, 3), (0.0, 3), (1.0, 1),
        ]  # fmt: skip

    run(story())


def test_no_call_is_larger_than_the_limit_and_what_is_larger_by_itself_goes_alone() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp(), size=400)
        await asyncio.gather(*asks(pdp, "1", "2" * 200, "3" * 200, "4" * 400, "5"))
        assert [(call.start, names(call)) for call in inner.seen] == [
            (0.0, ["1"]),
            (0.0, ["4" * 400]),
            (0.0, ["2" * 200]),
            (TAKES, ["3" * 200, "5"]),
        ]

    run(story())


def test_a_question_that_spoils_a_call_fails_alone() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        first, good, bad, fine = await asyncio.gather(
            ask(pdp, asked("1")),
            ask(pdp, asked("2"), named="mine"),
            ask(pdp, asked("3", kind=POISON)),
            ask(pdp, asked("4")),
            return_exceptions=True,
        )

        assert isinstance(bad, PdpRejected)
        assert isinstance(first, PdpAnswer)
        assert isinstance(good, PdpAnswer)
        assert isinstance(fine, PdpAnswer)
        assert good.request_id == "mine"
        assert [names(call) for call in inner.seen] == [["1"], ["2", "3", "4"], ["2"], ["3"], ["4"]]
        assert await is_empty(pdp)

    run(story())


def test_an_answer_that_does_not_fit_a_call_is_nobodys() -> None:
    class Short(SlowPdp):
        async def check(self, *args: Any, **options: Any) -> PdpAnswer:  # noqa: ANN401 - the port's
            answer = await super().check(*args, **options)
            return PdpAnswer(answer.call_id, answer.results[:1])

    async def story() -> None:
        pdp = batching(inner := Short())
        for name, task in zip("123", asks(pdp, "1", "2", "3"), strict=True):
            (result,) = (await task).results
            assert result.outputs == {"asked": told(ANN, asked(name))}
        assert len(inner.seen) == 4

    run(story())


def test_an_outage_is_everybodys_and_is_not_multiplied() -> None:
    async def story() -> None:
        down = PdpUnavailable("slow", "nobody there")
        pdp = batching(inner := SlowPdp(always(down)))
        outcomes = await asyncio.gather(*asks(pdp, *"1234"), return_exceptions=True)

        assert outcomes == [down] * 4
        assert len(inner.seen) == 2
        assert await is_empty(pdp)

    run(story())


def test_a_fault_is_everybodys_too_and_leaves_nobody_waiting() -> None:
    async def story() -> None:
        def broken(*_: object) -> Effect:
            raise ZeroDivisionError

        pdp = batching(SlowPdp(broken))
        outcomes = await asyncio.gather(*asks(pdp, *"123"), return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [ZeroDivisionError] * 3
        assert await is_empty(pdp)

    run(story())


def test_identical_questions_are_asked_once_and_each_is_answered() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        answers = await asyncio.gather(*asks(pdp, *"112233"))

        assert [names(call) for call in inner.seen] == [["1"], ["2", "3"]]
        for name, answer in zip("112233", answers, strict=True):
            assert [one.outputs for one in answer.results] == [{"asked": told(ANN, asked(name))}]
        assert answers[1].request_id == "request-1"

    run(story())


@contextmanager
def uncollected() -> Iterator[None]:
    """Have the garbage collector look at nothing by itself meanwhile."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def test_an_answered_question_leaves_nothing_to_the_garbage_collector() -> None:
    """Else it runs for each hundred decisions, while all requests wait."""

    class Watched(dict[str, Any]):
        """Attributes that can be referred to weakly."""

    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        attributes = [Watched() for _ in range(4)]
        alive = [weakref.ref(one) for one in attributes]
        await asyncio.gather(
            *(ask(pdp, Check(Resource("document", "1", one), "view")) for one in attributes[:1]),
            *(ask(pdp, Check(Resource("document", "2", one), "view")) for one in attributes[1:]),
        )
        attributes.clear()
        inner.seen.clear()
        inner.calls.clear()
        assert await is_empty(pdp)
        assert [one() for one in alive] == [None] * 4

    with uncollected():
        run(story())


def test_failures_leave_nothing_to_the_garbage_collector() -> None:
    """In an outage each question is one, and what a reload freezes is hardly ever collected."""

    async def story() -> None:
        pdp = batching(SlowPdp(fails=lambda _: PdpUnavailable("slow", "down")))
        await asyncio.gather(*asks(pdp, "0", "0", "1"), return_exceptions=True)
        gc.collect()
        for _ in range(5):
            for who in (ANN, BOB):
                failed = await asyncio.gather(
                    *asks(pdp, "1", "1", "2", "3", who=who), return_exceptions=True
                )
                assert {type(one) for one in failed} == {PdpUnavailable}
                del failed
        assert gc.collect() < 10

    with uncollected():
        run(story())


def test_calls_that_were_given_up_leave_nothing_to_the_garbage_collector() -> None:
    """While a PDP hangs that is most of them; what a reload freezes is hardly ever collected."""

    async def give_up(pdp: BatchingPdp, inner: SlowPdp) -> None:
        asking = asks(pdp, "1", "2", "3")
        await asyncio.sleep(TAKES / 2)  # so that the last two are asked too, in a task of its own
        assert [call.end for call in inner.seen] == [None, None]
        for task in asking:
            task.cancel()
        await asyncio.wait(asking)
        assert await is_empty(pdp)
        assert all(call.cancelled for call in inner.seen)
        inner.seen.clear()

    async def story() -> None:
        pdp = batching(inner := SlowPdp(), patience=TAKES / 4)
        await give_up(pdp, inner)
        gc.collect()
        for _ in range(5):
            await give_up(pdp, inner)
        assert gc.collect() < 10

    with uncollected():
        run(story())


def test_what_only_python_takes_for_equal_is_not_identical() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        values = (1, True, 1.0, "1", None, [1], [[1]], {"a": 1})
        await asyncio.gather(*(ask(pdp, asked(x=value)) for value in values))
        assert sum(len(call.checks) for call in inner.seen) == len(values)

    run(story())


def test_principals_never_share_a_call_nor_do_tokens() -> None:
    """Two principals that say the same were made by two snapshots, or from other bytes."""

    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        token, other = AuxData("keys", "a.b.c"), AuxData("keys", "d.e.f")
        twin = person()
        people = [
            ANN, twin, ANN.with_aux_data(token), ANN.with_aux_data(other),
            ANN.with_aux_data(AuxData("others", "a.b.c")),
        ]  # fmt: skip
        asked_by = [who for who in people for _ in range(3)]
        await asyncio.gather(*(ask(pdp, asked(str(n)), who=who) for n, who in enumerate(asked_by)))

        for call in inner.seen:
            for check in call.checks:
                who = asked_by[int(check.resource.id)]
                assert (who.bare, who.aux_data) == (call.principal.bare, call.principal.aux_data)

    run(story())


def test_the_same_token_read_again_is_the_same_one() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        with_token = [ANN.with_aux_data(AuxData("keys", "a.b.c")) for _ in range(3)]
        await asyncio.gather(*(ask(pdp, asked(str(n)), who=w) for n, w in enumerate(with_token)))
        assert [names(call) for call in inner.seen] == [["0"], ["1", "2"]]

    run(story())


def test_who_leaves_takes_nobody_along() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        first, leaving, staying = asks(pdp, "1", "2", "3")
        await asyncio.sleep(TAKES * 1.5)
        leaving.cancel()

        assert (await staying).results[0].outputs == {"asked": told(ANN, asked("3"))}
        assert leaving.cancelled()
        assert first.done()
        assert not inner.seen[1].cancelled
        assert await is_empty(pdp)

    run(story())


def test_a_call_that_nobody_waits_for_any_more_is_cancelled() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        _, *tasks = asks(pdp, "1", "2", "3")
        await asyncio.sleep(TAKES * 1.5)
        for task in tasks:
            task.cancel()
        later = await ask(pdp, asked("4"))

        assert inner.seen[1].cancelled
        assert inner.seen[1].end == TAKES * 1.5
        # And who comes then does not wait for it.
        assert inner.seen[2].start == TAKES * 1.5
        assert later.request_id == "request"
        assert await is_empty(pdp)

    run(story())


def test_what_is_not_asked_yet_when_its_asker_leaves_is_never_asked() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        _, leaving, staying = asks(pdp, "1", "2", "3")
        await asyncio.sleep(TAKES / 2)
        leaving.cancel()
        await staying
        assert [names(call) for call in inner.seen] == [["1"], ["3"]]

    run(story())


def test_when_the_first_leaves_who_asked_the_same_is_asked_for_again() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        first, same, other = asks(pdp, "1", "1", "2")
        await asyncio.sleep(TAKES / 2)
        first.cancel()
        answers = await asyncio.gather(same, other)

        assert inner.seen[0].cancelled
        assert [answer.results[0].outputs["asked"] for answer in answers] == [
            told(ANN, asked(name)) for name in "12"
        ]
        assert await is_empty(pdp)

    run(story())


def test_who_leaves_before_the_loop_came_to_it_leaves_the_others_to_be_asked() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        busy = asks(pdp, "0", who=BOB)
        await asyncio.sleep(0)
        first, second = asks(pdp, "1", "2")
        alone = asks(pdp, "3", who=person(name="cid"))
        asyncio.get_running_loop().call_soon(first.cancel)
        asyncio.get_running_loop().call_soon(alone[0].cancel)
        await asyncio.gather(*busy, second)

        assert first.cancelled()
        assert [names(call) for call in inner.seen] == [["0"], ["2"]]
        assert await is_empty(pdp)

    run(story())


@pytest.mark.parametrize("takes", [10.0, 0.25])
def test_each_leaves_at_its_own_deadline(takes: float) -> None:
    """Of one call or still gathering, and never later for being asked with the others."""

    async def story() -> None:
        loop = asyncio.get_running_loop()
        pdp = batching(SlowPdp(takes=lambda n: takes if n else 0.5))
        left: dict[str, float] = {}

        async def one(name: str, seconds: float) -> None:
            with pytest.raises(PdpDeadline):
                await ask(pdp, asked(name), seconds=seconds)
            left[name] = loop.time()

        first = asks(pdp, "1")
        await asyncio.sleep(0)
        expected = {"2": 0.3, "3": 0.6, "4": 0.7} if takes > 1 else {"2": 0.3, "3": 0.6}
        await asyncio.gather(*first, *(one(name, at) for name, at in expected.items()))

        assert left == pytest.approx(expected)
        assert await is_empty(pdp)

    run(story())


def test_a_call_has_the_time_of_the_most_patient_and_the_last_one_hears_the_pdps_own_words() -> (
    None
):
    async def story() -> None:
        pdp = batching(inner := SlowPdp(takes=lambda n: 10.0 if n else 0.5))
        first = asks(pdp, "1")
        await asyncio.sleep(0)
        outcomes = await asyncio.gather(
            *first,
            ask(pdp, asked("2"), seconds=5.0),
            ask(pdp, asked("3"), seconds=3.0),
            return_exceptions=True,
        )

        assert [call.end for call in inner.seen] == [0.5, 5.0]
        last, before = outcomes[1:]
        assert isinstance(last, PdpDeadline)
        assert isinstance(before, PdpDeadline)
        assert (last.endpoint, before.endpoint) == ("slow", "pdp")

    run(story())


def test_who_has_more_time_than_its_call_had_is_asked_for_again() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp(takes=lambda n: 0.5 if n else 10.0))
        hasty = asyncio.create_task(ask(pdp, asked(), seconds=1.0))
        await asyncio.sleep(0)
        patient = asyncio.create_task(ask(pdp, asked(), seconds=5.0))

        with pytest.raises(PdpDeadline):
            await hasty
        assert (await patient).results[0].effect is Effect.ALLOW
        assert [call.start for call in inner.seen] == [0.0, 1.0]

    run(story())


async def test_without_time_left_nobody_is_asked() -> None:
    pdp = batching(inner := SlowPdp())
    with pytest.raises(PdpDeadline):
        await ask(pdp, asked(), seconds=0.0)
    assert inner.seen == []
    assert await is_empty(pdp)


def test_what_the_pdp_cannot_be_asked_and_what_is_to_be_explained_goes_by_itself() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp(always(Effect.ALLOW)))
        deadline = Deadline.after(60.0, asyncio.get_running_loop().time)
        await asyncio.gather(
            ask(pdp, asked("1")),
            ask(pdp, asked("\ud800")),
            ask(pdp, asked(x=2**70)),
            ask(pdp, *[asked()] * 51),
            pdp.check(ANN, [asked()], deadline=deadline, request_id="r", explain=True),
        )
        assert {call.start for call in inner.seen} == {0.0}
        assert sorted(one.explain for one in inner.calls) == [False] * 4 + [True]

    run(story())


def test_closing_closes_the_pdp_and_waits_for_what_is_under_way() -> None:
    async def story() -> None:
        pdp = batching(inner := SlowPdp())
        tasks = asks(pdp, "1", "2")
        await asyncio.sleep(TAKES * 1.5)
        await pdp.close()
        assert inner.closed
        assert await is_empty(pdp)
        await asyncio.gather(*tasks)

    run(story())


async def test_health_is_that_of_the_pdp() -> None:
    pdp = batching(inner := SlowPdp())
    inner.state = PdpState.NOT_SERVING
    assert [one.state for one in await pdp.health(timeout=1.0)] == [PdpState.NOT_SERVING]


def _any_documents(chance: random.Random) -> list[Check]:
    """Return a few checks; now and then one that the PDP refuses with all that it comes with."""
    return [
        document(
            chance.choice("123"),
            of=chance.choice(["acme", "globex", "acme "]),
            action=chance.choice(["view", "edit"] * 20 + [""]),
        )
        for _ in range(chance.randint(1, 4))
    ]


@pytest.mark.integration
async def test_a_real_pdp_gives_the_same_answers_to_questions_that_meet(
    start_cerbos: Callable[..., CerbosServer],
) -> None:
    """Any questions: effects, outputs and errors are those of asking one after the other."""
    server = start_cerbos()
    async with CerbosPdp(server.target) as alone:
        together = BatchingPdp(alone, new_id=lambda: "batch")
        for number in range(40):
            chance = random.Random(number)  # noqa: S311 - it must be repeatable
            questions = [_any_documents(chance) for _ in range(chance.randint(1, 30))]
            who = person(chance.choice(["acme", "globex"]))
            met = await asyncio.gather(
                *(ask(together, *checks, who=who) for checks in questions), return_exceptions=True
            )
            for checks, found in zip(questions, met, strict=True):
                expected = await _outcome(ask_alone(alone, who, checks))
                if isinstance(expected, PdpAnswer):
                    assert isinstance(found, PdpAnswer), found
                    assert found.results == expected.results
                else:
                    assert (type(found), str(found)) == (type(expected), str(expected))
        assert await is_empty(together)


async def _outcome(answer: Awaitable[PdpAnswer]) -> PdpAnswer | BaseException:
    (outcome,) = await asyncio.gather(answer, return_exceptions=True)
    return outcome


async def ask_alone(pdp: CerbosPdp, who: Principal, checks: Sequence[Check]) -> PdpAnswer:
    return await pdp.check(who, checks, deadline=Deadline.after(PATIENCE), request_id="alone")


@dataclass(frozen=True)
class Plan:
    """What one asker does. Times are in seconds."""

    at: float
    who: int
    questions: tuple[int, ...]
    seconds: float
    leaves: float | None


TIMES: Final = st.integers(0, 40).map(lambda tick: tick / 8)
PLANS: Final = st.lists(
    st.builds(
        Plan,
        at=TIMES,
        who=st.integers(0, 2),
        questions=st.lists(st.integers(0, 5), min_size=1, max_size=3).map(tuple),
        # Never at one moment with anything else, so that what comes first is no matter.
        seconds=st.integers(1, 60).map(lambda tick: tick / 8 + 0.01),
        leaves=st.none() | st.integers(0, 20).map(lambda tick: tick / 8 + 0.02),
    ),
    min_size=1,
    max_size=14,
)
MOODS: Final = st.lists(
    st.tuples(
        st.integers(0, 24).map(lambda tick: tick / 8 + 0.03), st.sampled_from([True] * 6 + [False])
    ),
    min_size=1,
    max_size=10,
)


@given(
    plans=PLANS,
    moods=MOODS,
    resources=st.integers(3, 6),
    patience=st.integers(0, 24).map(lambda tick: tick / 8 + 0.04),
)
def test_whatever_meets_each_gets_what_it_would_have_got_alone_or_leaves_in_time(
    plans: list[Plan], moods: list[tuple[float, bool]], resources: int, patience: float
) -> None:
    """Any schedule, any mood of the PDP: answers, errors, times, and what is left behind."""
    run(_any_schedule(plans, moods, resources, patience))


async def _any_schedule(
    plans: list[Plan], moods: list[tuple[float, bool]], resources: int, patience: float
) -> None:
    loop = asyncio.get_running_loop()
    people = (ANN, BOB, ANN.with_aux_data(AuxData("keys", "a.b.c")))
    down = PdpUnavailable("slow", "down")
    inner = SlowPdp(
        takes=lambda n: moods[n % len(moods)][0],
        fails=lambda n: None if moods[n % len(moods)][1] else down,
    )
    pdp = batching(inner, resources=resources, patience=patience)

    async def one(number: int, plan: Plan) -> None:
        await asyncio.sleep(plan.at)
        who = people[plan.who]
        checks = [_numbered(question) for question in plan.questions]
        busy = any(_is_same(call.principal, who) and call.end is None for call in inner.seen)
        before = len(inner.seen)
        task = asyncio.create_task(
            ask(pdp, *checks, who=who, seconds=plan.seconds, named=f"request-{number}")
        )
        if plan.leaves is not None:
            loop.call_later(plan.leaves, task.cancel)
        if not busy and plan.leaves != 0:
            for _ in range(3):
                await asyncio.sleep(0)
            assert any(_is_same(call.principal, who) for call in inner.seen[before:])
        await asyncio.wait([task])
        ended = loop.time() - plan.at
        ends_by = plan.seconds if plan.leaves is None else min(plan.seconds, plan.leaves)
        assert ended <= ends_by + 1e-6
        if task.cancelled():
            assert plan.leaves is not None
            assert ended == pytest.approx(plan.leaves)
            return
        match task.exception():
            case None:
                answer = task.result()
                assert [result.outputs for result in answer.results] == [
                    {"asked": told(who, check)} for check in checks
                ]
                (call,) = (one for one in inner.seen if one.call_id == answer.call_id)
                assert call.request_id == answer.request_id
                assert _is_same(call.principal, who)
            case PdpDeadline():
                assert ended == pytest.approx(plan.seconds)
            case PdpRejected():
                assert any(check.resource.kind == POISON for check in checks)
            case error:
                assert error is down

    await asyncio.gather(*(one(number, plan) for number, plan in enumerate(plans)))
    assert await is_empty(pdp)
    assert all(len(call.checks) <= resources for call in inner.seen)
    assert all(call.end is not None for call in inner.seen)


def _numbered(number: int) -> Check:
    return asked(str(number), kind=POISON if number == 0 else "document")


def _is_same(one: Principal, other: Principal) -> bool:
    return (one.bare, one.aux_data) == (other.bare, other.aux_data)


# --- races -----------------------------------------------------------------------------------


async def test_who_leaves_in_the_turn_in_which_the_answer_comes_has_left_and_no_more() -> None:
    answered: asyncio.Future[PdpAnswer] = asyncio.get_running_loop().create_future()

    class Held(ScriptedPdp):
        async def check(self, *_: object, **__: object) -> PdpAnswer:
            return await answered

    pdp = batching(Held(always(Effect.DENY)))
    first, second = asks(pdp, "1", "1")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    answered.set_result(PdpAnswer("call", (CheckResult(Effect.DENY),)))
    second.cancel()
    stayed, left = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(stayed, PdpAnswer)
    assert isinstance(left, asyncio.CancelledError)


@pytest.mark.parametrize("seed", range(3))
async def test_in_any_crowd_everybody_gets_their_own_answer_and_nothing_is_left(seed: int) -> None:
    """Real time, so that answers, deadlines and hang-ups fall into the same turn now and then."""
    chance = random.Random(seed)  # noqa: S311 - no secret

    class Hasty(ScriptedPdp):
        async def check(self, *asked: Any, **how: Any) -> PdpAnswer:  # noqa: ANN401 - as its base
            await asyncio.sleep(chance.choice([0, 0, 0.001, 0.004]))
            if chance.random() < 0.15:
                raise chance.choice([PdpRejected, PdpUnavailable])("hasty", "by chance")
            return await super().check(*asked, **how)

    numbers = itertools.count()
    pdp = BatchingPdp(Hasty(_by_its_name), new_id=lambda: f"batch-{next(numbers)}")
    people = [person(name=f"person-{number}") for number in range(4)]

    async def one() -> None:
        who, check = chance.choice(people), asked(str(chance.randrange(6)))
        deadline = Deadline.after(chance.choice([0.001, 0.01, 1.0]))
        answer = await pdp.check(who, [check], deadline=deadline, request_id="request")
        assert answer.results[0].outputs["asked"] == told(who, check)

    crowd = []
    for number in range(3000):
        crowd.append(asyncio.create_task(one()))
        if chance.random() < 0.1:
            asyncio.get_running_loop().call_later(chance.random() * 0.01, crowd[-1].cancel)
        if number % 10 == 0:
            await asyncio.sleep(0)
    ends = await asyncio.gather(*crowd, return_exceptions=True)
    expected = (PdpError, asyncio.CancelledError, type(None))
    assert [end for end in ends if not isinstance(end, expected)] == []
    assert None in ends
    await pdp.close()
    assert (pdp.in_flight, len(pdp._lanes)) == (0, 0)
