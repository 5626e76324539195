"""Several PDPs behind the port: whoever has least to do is asked, and passed over when it fails.

gRPC's own balancing, health checks and retries were measured first: while one of two PDPs is
stopped, so that it accepts and never answers, they fail half of all calls for as long as it lasts.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

import msgspec
import structlog

from authorizer.errors import ConfigError, PdpDeadline, PdpRejected, PdpUnavailable
from authorizer.pdp.breaker import Breaker, Event, State
from authorizer.pdp.budget import RetryBudget
from authorizer.pdp.interface import Deadline, PdpHealth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from authorizer.model import Check, PdpAnswer, Principal
    from authorizer.pdp.interface import Pdp

    Open: TypeAlias = Callable[[], Pdp]

# Where each call looks: Python 3.11 takes 0.2 us to find a member of an enum.
_ABANDONED: Final = Event.ABANDONED
_SUCCEEDED: Final = Event.SUCCEEDED
# How long a connection that is given up may still bring answers.
_GRACE: Final = 5.0

_log = structlog.get_logger(component="pdp")


class Observer(Protocol):
    """Takes note of what becomes of calls. Called on the event loop: it must not block."""

    def attempted(self, endpoint: str, result: str) -> None:
        """Note a call that ended: `answered`, `unavailable`, `late`, `rejected` or `abandoned`."""

    def retried(self, endpoint: str) -> None:
        """Note a second call for one question, at another endpoint than the first."""

    def breaker_changed(self, endpoint: str, state: str) -> None:
        """Note the state of an endpoint's breaker: `closed`, `open` or `half_open`."""

    def forgotten(self, endpoint: str) -> None:
        """Note that an endpoint is there no more."""


class Unobserved:
    """Takes no note."""

    def attempted(self, endpoint: str, result: str) -> None:
        """Do nothing."""

    def retried(self, endpoint: str) -> None:
        """Do nothing."""

    def breaker_changed(self, endpoint: str, state: str) -> None:
        """Do nothing."""

    def forgotten(self, endpoint: str) -> None:
        """Do nothing."""


@dataclass(slots=True, eq=False)
class _Endpoint:
    name: str
    open: Open
    pdp: Pdp
    breaker: Breaker = field(default_factory=Breaker)
    # How many calls are on their way. Who hangs soon has the most, long before it has failed.
    calls: int = 0


class _Question(msgspec.Struct, frozen=True, gc=False):
    """What is asked of whichever endpoint."""

    principal: Principal
    checks: Sequence[Check]
    request_id: str
    explain: bool


def choose(
    breakers: Sequence[Breaker], calls: Sequence[int], turn: int, now: float, *, may_probe: bool
) -> int | None:
    """Return which endpoint is asked first, by its position; None: nobody may be asked.

    Whoever is due for a probe comes first, or nobody would find out that it is back, but only
    with `may_probe`: when another may be asked after it, or nobody else is left. Then, of those
    with a closed breaker, whoever has the fewest calls open, in turn where several have; then
    those that rejected, but answered.
    """
    count = len(breakers)
    order = [(turn + step) % count for step in range(count)]
    closed = [index for index in order if breakers[index].state is State.CLOSED]
    due = [index for index in order if breakers[index].due(now)]
    if due and (may_probe or not closed):
        return due[0]
    return min(closed or _answering(breakers, order), key=calls.__getitem__, default=None)


def fallback(breakers: Sequence[Breaker], calls: Sequence[int], first: int) -> int | None:
    """Return which endpoint may be asked after `first` failed: the one that fails least.

    Of several, it is the one with the fewest calls open.
    """
    count = len(breakers)
    others = [(first + step) % count for step in range(1, count)]
    closed = [index for index in others if breakers[index].state is State.CLOSED]
    usable = closed or _answering(breakers, others)
    return min(usable, key=lambda index: (breakers[index].failures, calls[index]), default=None)


def _answering(breakers: Sequence[Breaker], order: Sequence[int]) -> list[int]:
    return [index for index in order if breakers[index].answers]


def _seen(endpoints: Sequence[_Endpoint]) -> tuple[list[Breaker], list[int]]:
    return [one.breaker for one in endpoints], [one.calls for one in endpoints]


class FailoverPdp:
    """Asks one of several PDPs, and a second one where the first gave no answer.

    A question is repeated once at most, elsewhere, within the same deadline, and only after
    PdpUnavailable or PdpDeadline: asking changes nothing at a PDP, so that it is safe to repeat;
    a question that one PDP rejects, its peers most often would.

    While there is somebody else to ask, the first has `attempt_timeout` seconds; who is asked
    last has all that is left. Repeating is paid for from a budget, so that calls grow by a fifth
    when everybody is slow. Who failed three times in a row is passed over and probed, by one
    question at a time; when that is everybody, questions fail at once.
    """

    def __init__(
        self,
        members: Mapping[str, Open],
        *,
        attempt_timeout: float = 0.15,
        observer: Observer | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Stand before `members`: by the name of an endpoint, what opens a connection to it.

        It is called again, where the event loop runs, for a connection that is to be replaced.
        Raises what it raises.
        """
        self._attempt_timeout = attempt_timeout
        self._observer = observer or Unobserved()
        self._clock = clock
        self._budget = RetryBudget(clock=clock)
        self._turn = 0
        self._closed = False
        self._endpoints: tuple[_Endpoint, ...] = ()
        self._all_well = False
        self._retiring: set[asyncio.Task[None]] = set()
        self.replace(members)

    def replace(self, members: Mapping[str, Open]) -> None:
        """Stand before `members` from now on; who stays keeps its connection and its breaker."""
        if self._closed:
            return
        before = {endpoint.name: endpoint for endpoint in self._endpoints}
        self._endpoints = tuple(
            before[name] if name in before else self._joined(name, open_)
            for name, open_ in members.items()
        )
        self._review()
        for name in before.keys() - members.keys():
            self._retire(before[name].pdp)
            self._observer.forgotten(name)

    async def check(
        self,
        principal: Principal,
        checks: Sequence[Check],
        *,
        deadline: Deadline,
        request_id: str,
        explain: bool = False,
    ) -> PdpAnswer:
        """Ask as the port says; raises what the last PDP that was asked raised."""
        question = _Question(principal, checks, request_id, explain)
        budget = self._budget
        # With one alone there is nobody to repeat it at, and nothing to pay for.
        reserved = len(self._endpoints) > 1 and budget.reserve()
        try:
            # Whether there are others, the time and the means for two attempts.
            two = reserved and deadline.remaining() > self._attempt_timeout
            first, second = self._plan(may_probe=two)
            hurried = two and second is not None
            limit = Deadline.after(self._attempt_timeout, deadline.clock) if hurried else deadline
            try:
                return await self._attempt(question, first, limit, hurried=hurried)
            except (PdpUnavailable, PdpDeadline):
                # Chosen anew: others may have found out meanwhile who fails.
                second = self._after(first)
                if second is None or deadline.remaining() <= 0:
                    raise
                if not reserved and not budget.take():
                    raise
                reserved = False  # it is spent
        finally:
            if reserved:
                budget.give_back()
        self._observer.retried(second.name)
        return await self._attempt(question, second, deadline, hurried=False)

    async def health(self, *, timeout: float) -> Sequence[PdpHealth]:  # noqa: ASYNC109 - as the port says
        """Return the state of each, asked at the same time."""

        async def look(endpoint: _Endpoint) -> PdpHealth:
            (seen,) = await endpoint.pdp.health(timeout=timeout)
            state = endpoint.breaker.state
            circuit = "" if state is State.CLOSED else f"passed over: its circuit is {state.value}"
            detail = "; ".join(filter(None, (circuit, seen.detail)))
            return PdpHealth(endpoint.name, seen.state, detail)

        return await asyncio.gather(*map(look, self._endpoints))

    async def close(self) -> None:
        """Close all."""
        self._closed = True
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await asyncio.gather(*(endpoint.pdp.close() for endpoint in self._endpoints))

    def _joined(self, name: str, open_: Open) -> _Endpoint:
        endpoint = _Endpoint(name, open_, open_())
        self._observer.breaker_changed(name, endpoint.breaker.state.value)
        return endpoint

    def _plan(self, *, may_probe: bool) -> tuple[_Endpoint, _Endpoint | None]:
        """Return who is asked first, and who could be asked then."""
        endpoints = self._endpoints
        if not endpoints:
            raise PdpUnavailable("pdp.endpoints", "no name among them has an address")
        count = len(endpoints)
        turn = self._turn % count
        if self._all_well:  # as they nearly always are, and 4 us cheaper than to choose
            if count == 1:
                return endpoints[0], None
            fewest = endpoints[turn].calls
            if fewest:
                for other in range(turn + 1 - count, turn):  # below zero: counted from the end
                    if endpoints[other].calls < fewest:
                        fewest, turn = endpoints[other].calls, other % count
            self._turn = turn + 1
            return endpoints[turn], endpoints[(turn + 1) % count]
        breakers, calls = _seen(endpoints)
        chosen = choose(breakers, calls, turn, self._clock(), may_probe=may_probe)
        if chosen is None:
            names = ", ".join(endpoint.name for endpoint in endpoints)
            raise PdpUnavailable(names, "failed again and again, and is not asked at present")
        self._turn = chosen + 1
        return endpoints[chosen], self._after(endpoints[chosen])

    def _after(self, first: _Endpoint) -> _Endpoint | None:
        endpoints = self._endpoints
        if first not in endpoints:  # it left while it was asked
            endpoints = (first, *endpoints)
        breakers, calls = _seen(endpoints)
        second = fallback(breakers, calls, endpoints.index(first))
        return None if second is None else endpoints[second]

    async def _attempt(
        self, question: _Question, endpoint: _Endpoint, limit: Deadline, *, hurried: bool
    ) -> PdpAnswer:
        """Ask an endpoint, and learn from what becomes of it.

        `hurried` says whether `limit` is less time than there is.
        """
        pdp, began = endpoint.pdp, limit.clock()
        if not endpoint.breaker.well:  # one that is well stays as it is, here and when it answers
            self._move(endpoint, endpoint.breaker.began(self._clock()))
        epoch = endpoint.breaker.epoch
        endpoint.calls += 1
        event, result = _ABANDONED, "abandoned"
        try:
            answer = await pdp.check(
                question.principal,
                question.checks,
                deadline=limit,
                request_id=question.request_id,
                explain=question.explain,
            )
        except PdpUnavailable:
            event, result = Event.FAILED, "unavailable"
            raise
        except PdpDeadline:
            result = "late"
            # One that was hurried shows that another may be quicker, which is no reason to ask
            # nobody. And one that had less time than that had it from a caller who was slow.
            others = self._after(endpoint) is not None
            if others if hurried else limit.at - began >= self._attempt_timeout:
                event = Event.FAILED
            raise
        except PdpRejected:
            event, result = Event.REJECTED, "rejected"
            raise
        else:
            event, result = _SUCCEEDED, "answered"
            return answer
        finally:
            endpoint.calls -= 1
            self._observer.attempted(endpoint.name, result)
            if event is not _SUCCEEDED or not endpoint.breaker.well:
                self._move(endpoint, endpoint.breaker.ended(event, epoch=epoch, now=self._clock()))
            if result == "late" and endpoint.breaker.state is State.OPEN:
                self._reconnect(endpoint, pdp)

    def _move(self, endpoint: _Endpoint, breaker: Breaker) -> None:
        before, endpoint.breaker = endpoint.breaker, breaker
        if before is breaker:
            return
        self._review()
        if before.state is breaker.state:
            return
        self._observer.breaker_changed(endpoint.name, breaker.state.value)
        if before.state is State.CLOSED:
            _log.warning("pdp.circuit_opened", endpoint=endpoint.name)
        elif breaker.state is State.CLOSED:
            _log.info("pdp.circuit_closed", endpoint=endpoint.name)

    def _review(self) -> None:
        """See whether each endpoint's last call went well."""
        self._all_well = all(endpoint.breaker.well for endpoint in self._endpoints)

    def _reconnect(self, endpoint: _Endpoint, failed: Pdp) -> None:
        """Replace a connection on which nothing comes back.

        The other machine may have gone without a word. The kernel tries to send again for a
        quarter of an hour before it says so; a new connection finds out at once.
        """
        if endpoint.pdp is not failed or self._closed:
            return
        try:
            endpoint.pdp = endpoint.open()
        except ConfigError as error:
            # A certificate that is being replaced at this moment, for example.
            _log.warning("pdp.not_reconnected", endpoint=endpoint.name, error=str(error))
        else:
            self._retire(failed)

    def _retire(self, pdp: Pdp) -> None:
        async def retire() -> None:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(_GRACE)
            await pdp.close()

        task = asyncio.create_task(retire(), name="retire a PDP's connection")
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)
