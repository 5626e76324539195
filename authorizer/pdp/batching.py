"""Checks of one principal that come while the PDP is being asked about it go as one call.

A page asks many questions at once, all of one session, and a call about sixteen costs the PDP
twice what one about one costs. The first question is asked at once and waits for nobody. What
comes while it is being answered gathers, and is asked when it has been, or when that takes longer
than a PDP in good health does: it must not wait for one that hangs.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from authorizer.errors import PdpDeadline, PdpError, PdpRejected, PdpUnavailable
from authorizer.model import PdpAnswer
from authorizer.pdp.checktext import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from typing import TypeAlias

    from authorizer.model import AuxData, Check, Principal
    from authorizer.pdp.interface import Deadline, Pdp, PdpHealth

    # The bare principal is compared by identity: whoever made two of them meant two.
    Key: TypeAlias = tuple[Principal, AuxData | None, int]

# What an error names where no endpoint was asked.
_NOBODY: Final = "pdp"
# Timers of an event loop may be early by this much, in seconds.
_TICK: Final = 0.001


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may hold: a number of resources, and about so many bytes of them.

    By default the PDP's own 50, and a quarter of the 4 MiB that it takes in a message: the
    principal comes on top, with all traits of its session in it twice. What gathers waits at most
    `patience` seconds for the call before it: some ten times what a call takes.
    """

    resources: int = 50
    size: int = 1024 * 1024
    patience: float = 0.025


class BatchingPdp:
    """Asks `inner`, with one call for several questions where they meet.

    `new_id` makes the request ids of calls about several questions. Questions of one `generation`
    alone meet: whoever asks when it has changed gets no answer that is older than that. Make it
    where the event loop runs.
    """

    def __init__(
        self,
        inner: Pdp,
        *,
        new_id: Callable[[], str],
        limits: Limits | None = None,
        generation: Callable[[], int] = lambda: 0,
    ) -> None:
        self.inner: Final = inner
        self.new_id: Final = new_id
        self._generation: Final = generation
        self.limits: Final = limits or Limits()
        # Python 3.11 makes a system call to find it: up to 5 us each time.
        self.loop: Final = asyncio.get_running_loop()
        self.in_flight = 0
        self._lanes: dict[Key, _Lane] = {}
        # The event loop itself holds its tasks only weakly.
        self._tasks: set[asyncio.Task[None]] = set()

    async def check(
        self,
        principal: Principal,
        checks: Sequence[Check],
        *,
        deadline: Deadline,
        request_id: str,
        explain: bool = False,
    ) -> PdpAnswer:
        """Ask as the port says.

        A question to explain is asked alone, and so is one that no call has room for.
        """
        text = None if explain else text_of(checks)
        limits = self.limits
        if text is None or len(text) > limits.size or len(checks) > limits.resources:
            return await self.inner.check(
                principal, checks, deadline=deadline, request_id=request_id, explain=explain
            )
        if deadline.remaining() <= 0:
            raise PdpDeadline(_NOBODY, "no time was left to ask")
        key = (principal.bare, principal.aux_data, self._generation())
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane(self, principal, key)
        return await lane.ask(_Question(tuple(checks), text), request_id, deadline)

    async def health(self, *, timeout: float) -> Sequence[PdpHealth]:  # noqa: ASYNC109 - as the port says
        """Return what `inner` says."""
        return await self.inner.health(timeout=timeout)

    async def close(self) -> None:
        """Close `inner`, and wait for the calls that fail by that."""
        await self.inner.close()
        while self._tasks:
            await asyncio.wait(self._tasks)

    def forget(self, key: Key) -> None:
        """Let a lane go in which nothing is asked any more."""
        del self._lanes[key]

    def spawn(self, call: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Make a call in a task of its own, and hold that until it is done."""
        task = self.loop.create_task(call, name="pdp-call")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class _Waiter(msgspec.Struct, eq=False):
    """Somebody who asked; has its outcome once, or has left.

    `woken` is what it sleeps on until then; None for whoever makes the call itself.
    """

    question: _Question
    request_id: str
    deadline: Deadline
    outcome: PdpAnswer | Exception | None = None
    woken: asyncio.Future[None] | None = None

    def tell(self, outcome: PdpAnswer | Exception) -> None:
        """Let it have its outcome, unless it has one."""
        if self.outcome is None:
            self.outcome = outcome
            if self.woken is not None and not self.woken.done():
                self.woken.set_result(None)


class _Question(msgspec.Struct, eq=False):
    """Checks that are asked together, and everybody who waits for the answer to just these.

    `call` is what they are asked with, None when nobody waits for them any more.
    """

    checks: Sequence[Check]
    text: bytes
    waiters: list[_Waiter] = []
    call: _Call | None = None


class _Call(msgspec.Struct, eq=False):
    """The questions of one call that somebody waits for, by their texts.

    It may be joined until it has a deadline: then it is under way. `task` is what makes it,
    `timer` what sends it when the call before it takes too long. `expiry` lets those go whose time
    is up before it is over, the first of them at `expires_at`.
    """

    questions: dict[bytes, _Question] = {}
    resources: int = 0
    size: int = 0
    deadline: Deadline | None = None
    task: asyncio.Task[None] | None = None
    timer: asyncio.TimerHandle | None = None
    expiry: asyncio.TimerHandle | None = None
    expires_at: float = 0.0

    def has_room_for(self, question: _Question, limits: Limits) -> bool:
        """Say whether one more question may go with these."""
        return (
            self.resources + len(question.checks) <= limits.resources
            and self.size + len(question.text) <= limits.size
        )

    def add(self, question: _Question) -> None:
        """Ask one more question."""
        question.call = self
        self.questions[question.text] = question
        self.resources += len(question.checks)
        self.size += len(question.text)

    def remove(self, question: _Question) -> None:
        """Ask a question no more."""
        question.call = None
        del self.questions[question.text]
        self.resources -= len(question.checks)
        self.size -= len(question.text)

    @property
    def waiters(self) -> list[_Waiter]:
        """Everybody who waits for it."""
        return [waiter for question in self.questions.values() for waiter in question.waiters]


class _Lane(msgspec.Struct, eq=False):
    """What is asked, and what gathers, about one principal.

    `calls` are under way, or as soon as the event loop comes to it. `gathering` may still be
    joined: one of them that has not begun, or the next.
    """

    pdp: BatchingPdp
    principal: Principal
    key: Key
    calls: list[_Call] = []
    gathering: _Call | None = None

    async def ask(self, question: _Question, request_id: str, deadline: Deadline) -> PdpAnswer:
        """Return the answer to a question, or raise why there is none."""
        waiter = _Waiter(question, request_id, deadline)
        try:
            if self.calls:
                self._place(waiter)
            else:
                await self._lead(waiter)
            if waiter.outcome is None:
                woken = waiter.woken = self.pdp.loop.create_future()
                try:
                    await woken
                except asyncio.CancelledError:
                    if woken.cancelled():
                        self._leave(waiter)
                    raise
            return _said(waiter.outcome)
        finally:
            # What is raised knows this frame, which would know it by the waiter: garbage that only
            # the collector finds, 1.6 KB for each question that no PDP answered.
            del waiter

    async def _lead(self, waiter: _Waiter) -> None:
        """Make a call, or leave it to a task: one that is joined before it has begun."""
        question = waiter.question
        question.waiters.append(waiter)
        call = _Call()
        call.add(question)
        self.calls.append(call)
        if self.pdp.in_flight:
            # The PDP is busy: whoever else is ready now, in this turn of the event loop, may join.
            self.gathering = call
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                self._leave(waiter)
                if call.questions:
                    self._send(call)
                raise
        if call.task is None and len(call.questions) == len(question.waiters) == 1:
            await self._make(call, waiter)
            return
        self._watch(call, waiter.deadline)
        self._send(call)

    def _place(self, waiter: _Waiter) -> None:
        """Put a waiter to the same question where that is asked already, else to the next call."""
        text = waiter.question.text
        for call in self.calls:
            if same := call.questions.get(text):
                self._join(same, call, waiter)
                return
        self._gather(waiter)

    def _gather(self, waiter: _Waiter) -> None:
        question = waiter.question
        call = self.gathering
        if call is not None and not call.has_room_for(question, self.pdp.limits):
            self._send(call)
            call = None
        if call is None:
            call = self.gathering = _Call()
            call.timer = self.pdp.loop.call_later(self.pdp.limits.patience, self._send, call)
        same = call.questions.get(question.text)
        if same is None:
            call.add(question)
        self._join(same or question, call, waiter)

    def _join(self, question: _Question, call: _Call, waiter: _Waiter) -> None:
        waiter.question = question
        question.waiters.append(waiter)
        self._watch(call, waiter.deadline)

    def _send(self, call: _Call) -> None:
        """Make a call in a task, as it is nobody's alone."""
        self._close(call)
        if not call.questions:
            return  # whoever asked has left
        if call not in self.calls:
            self.calls.append(call)
        if call.task is None:
            call.task = self.pdp.spawn(self._make(call))

    def _close(self, call: _Call) -> None:
        """Let nobody join a call any more."""
        if self.gathering is call:
            self.gathering = None
        if call.timer is not None:
            call.timer.cancel()

    async def _make(self, call: _Call, leader: _Waiter | None = None) -> None:
        """Make a call, and tell everybody who waits for it. `leader` is whose own task this is."""
        self._close(call)
        # As they are now: who leaves meanwhile keeps its position, and may have spoilt the call.
        questions = list(call.questions.values())
        if leader is not None:
            deadline, request_id = leader.deadline, leader.request_id
            checks = leader.question.checks
        else:
            deadline = max((one.deadline for one in call.waiters), key=lambda one: one.at)
            single = len(questions) == 1
            request_id = questions[0].waiters[0].request_id if single else self.pdp.new_id()
            checks = [check for question in questions for check in question.checks]
        call.deadline = deadline
        self.pdp.in_flight += 1
        try:
            answer = await self.pdp.inner.check(
                self.principal, checks, deadline=deadline, request_id=request_id
            )
            _share(questions, answer, request_id)
        except PdpRejected as error:
            if len(questions) == 1:
                _tell(call.waiters, error)
            else:
                self._ask_singly(call)
        except PdpDeadline as error:
            self._late(call, deadline, error)
        except asyncio.CancelledError:
            if leader is None:
                # The event loop is ending, or nobody knows why: who waits must not wait for ever.
                _tell(call.waiters, PdpUnavailable(_NOBODY, "the call was given up"))
            else:
                self._again([one for one in call.waiters if one is not leader])
            raise
        except Exception as error:  # noqa: BLE001 - theirs to judge, each of them
            _tell(call.waiters, error)
        finally:
            self.pdp.in_flight -= 1
            self._end(call)

    def _ask_singly(self, call: _Call) -> None:
        """Ask each question by itself, as any one of them may have spoilt the call."""
        questions = list(call.questions.values())
        call.questions.clear()
        for question in questions:
            alone = _Call()
            alone.add(question)
            for waiter in question.waiters:
                self._watch(alone, waiter.deadline)
            self._send(alone)

    def _late(self, call: _Call, deadline: Deadline, error: PdpDeadline) -> None:
        """Ask again for whoever has more time than the call had."""
        waiters = call.waiters
        _tell([one for one in waiters if one.deadline.at <= deadline.at], error)
        self._again([one for one in waiters if one.deadline.at > deadline.at])

    def _again(self, waiters: Sequence[_Waiter]) -> None:
        for waiter in waiters:
            waiter.question = _Question(waiter.question.checks, waiter.question.text)
            self._gather(waiter)

    def _watch(self, call: _Call, deadline: Deadline) -> None:
        """See to it that whoever has this deadline has left by then."""
        if call.expiry is not None:
            if call.expires_at <= deadline.at:
                return
            call.expiry.cancel()
        call.expires_at = deadline.at
        call.expiry = self.pdp.loop.call_later(deadline.remaining(), self._expire, call)

    def _expire(self, call: _Call) -> None:
        """Let the waiters go whose time is up; one with the call's own deadline hears of that."""
        call.expiry = None
        for waiter in call.waiters:
            if waiter.deadline is call.deadline or waiter.outcome is not None:
                continue
            if waiter.deadline.remaining() > _TICK:
                self._watch(call, waiter.deadline)
                continue
            late = PdpDeadline(_NOBODY, "no answer in time, in a call with other questions")
            waiter.tell(late)
            self._leave(waiter)

    def _leave(self, waiter: _Waiter) -> None:
        """Take a waiter away, and what nobody waits for any more."""
        question = waiter.question
        if waiter not in question.waiters:
            return  # the call ended in the turn in which the waiter was cancelled
        question.waiters.remove(waiter)
        call = question.call
        if question.waiters or call is None:
            return
        call.remove(question)
        if call.questions:
            return
        self._close(call)
        if call.task is not None:
            call.task.cancel()
        self._end(call)

    def _end(self, call: _Call) -> None:
        """Send what gathered meanwhile. Idempotent."""
        if call.expiry is not None:
            call.expiry.cancel()
        # Nothing of it refers to itself any more, so that it needs no garbage collector.
        for question in call.questions.values():
            question.waiters.clear()
        call.questions.clear()
        # What a cancelled task raised knows its frames, and they know the call.
        call.task = None
        if call not in self.calls:
            return
        self.calls.remove(call)
        if self.gathering is not None:
            self._send(self.gathering)
        elif not self.calls:
            self.pdp.forget(self.key)


def _share(questions: Sequence[_Question], answer: PdpAnswer, request_id: str) -> None:
    """Tell everybody who waits for one of the questions of a call their part of its answer."""
    asked = 0
    for question in questions:
        asked += len(question.checks)
    if len(answer.results) != asked:
        raise PdpRejected(_NOBODY, f"{len(answer.results)} results for {asked} checks")
    start = 0
    for question in questions:
        end = start + len(question.checks)
        results = answer.results[start:end]
        _tell(question.waiters, PdpAnswer(answer.call_id, results, request_id))
        start = end


def _tell(waiters: Sequence[_Waiter], outcome: PdpAnswer | Exception) -> None:
    if isinstance(outcome, PdpError):
        # Its frames know the waiters, who are about to know it. It says all that there is to say.
        outcome.__traceback__ = None
    for waiter in waiters:
        waiter.tell(outcome)


def _said(outcome: PdpAnswer | Exception | None) -> PdpAnswer:
    if isinstance(outcome, PdpAnswer):
        return outcome
    try:
        raise outcome or AssertionError  # whoever is woken has one
    finally:
        del outcome  # as in `ask`
