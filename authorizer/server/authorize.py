"""POST /authorize: one request, one decision, one record, one answer by the deadline."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from msgspec.structs import replace

from authorizer.contract.decode import decode
from authorizer.contract.outcome import answer
from authorizer.engine import observed, translate
from authorizer.errors import MalformedRequest
from authorizer.model import DecisionRecord, Indeterminate, Reason, Refused
from authorizer.pdp.interface import Deadline
from authorizer.server.body import read_body, refused_by_head
from authorizer.server.cut_off import CutOffs
from authorizer.server.decision_id import new_decision_id
from authorizer.server.replies import Reply, Said, header_lines
from authorizer.server.shedding import OVERLOADED

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from aiohttp import web
    from aiohttp.http import HttpVersion
    from multidict import CIMultiDictProxy

    from authorizer.model import AccessRequest, Outcome
    from authorizer.server.collaborators import Collaborators
    from authorizer.server.shared_secret import SharedSecret
    from authorizer.snapshot import Snapshot

# What is kept of the time for ourselves: the PDP's time is up first, so that the record says what
# was asked; then whoever still hangs is cut off; then there is time to answer.
_PDP_SHARE: Final = 0.95
_DECISION_SHARE: Final = 0.98

# The client that is refused for these may still be sending: what comes is no next request.
_HALF_READ: Final = frozenset(
    (Reason.REQUEST_TIMEOUT, Reason.REQUEST_TOO_LARGE, Reason.BAD_SHARED_SECRET)
)

_log = structlog.get_logger()


class _Case(msgspec.Struct):
    """One request for a decision while it is in hand.

    `snapshot` is read once: a request is decided by one state of the rules. `access` is what it
    asks, as soon as that is read.
    """

    decision_id: str
    started: float
    snapshot: Snapshot
    access: AccessRequest | None = None

    @property
    def route(self) -> str:
        """The route that owns it, found once more; "" where there is none or nobody knows yet."""
        if self.access is None:
            return ""
        found = translate(self.access, self.snapshot, decision_id=self.decision_id, now=time.time())
        return found.route if isinstance(found, DecisionRecord) else found.route.id


class Authorizer:
    """Answers requests for a decision, whatever happens.

    With a `secret`, of those who know it. Make it where the event loop runs.
    """

    def __init__(self, collaborators: Collaborators, secret: SharedSecret | None = None) -> None:
        self._with = collaborators
        self._secret = secret
        self._settings = collaborators.settings.server
        self._cut_offs = CutOffs()
        # What was answered in this turn of the event loop, and how long that took.
        self._untold: list[tuple[DecisionRecord, float]] = []
        self._loop = asyncio.get_running_loop()

    def at_once(
        self, headers: CIMultiDictProxy[str], version: HttpVersion, body: bytes
    ) -> Said | asyncio.Task[Said]:
        """Answer a request that has come as a whole, or begin to.

        Raises nothing. Whoever cancels the task says that nobody waits for the answer any more.
        """
        case = self._opened()
        refused = self._refused(headers, version)
        if refused is not None:
            return self._said(case, _without_request(case, refused))
        if self._with.places.take_free():
            return self._placed(case, headers, body)
        turn = self._with.places.line_up()
        if turn is None:
            return self._said(case, _without_request(case, OVERLOADED))
        task = self._loop.create_task(self._in_line(case, headers, body, turn), name="decision")
        # A task that is cancelled before its first step takes no step at all.
        task.add_done_callback(partial(self._left_line, case, turn))
        return task

    async def authorize(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request. Raises nothing but CancelledError, when nobody waits any more."""
        case = self._opened()
        try:
            return Reply(await self._answered(case, request))
        except Exception as error:  # noqa: BLE001 - as in `_waited`
            return Reply(self._said(case, self._failed(case, error)))

    def refuse_unreadable(self) -> web.StreamResponse:
        """Answer what could not be read as HTTP at all."""
        outcome = Refused(Reason.MALFORMED_REQUEST, "not a request that HTTP/1.1 allows")
        case = self._opened()
        return Reply(self._said(case, _without_request(case, outcome)))

    def _opened(self) -> _Case:
        return _Case(new_decision_id(), time.monotonic(), self._with.current.snapshot)

    def _refused(self, headers: CIMultiDictProxy[str], version: HttpVersion) -> Refused | None:
        """Return why a request that has come as a whole is refused by its head, or None."""
        if self._secret is not None and (stranger := self._secret.refusal(headers)) is not None:
            return stranger
        return refused_by_head(headers, version, self._settings.max_body)

    async def _answered(self, case: _Case, request: web.BaseRequest) -> Said:
        headers = request.headers
        if self._secret is not None and (stranger := self._secret.refusal(headers)) is not None:
            return self._said(case, _without_request(case, stranger))
        body = await read_body(
            request,
            limit=self._settings.max_body,
            seconds=min(self._settings.body_timeout, self._settings.deadline),
        )
        if isinstance(body, Refused):
            return self._said(case, _without_request(case, body))
        try:
            if not await self._with.places.take():
                return self._said(case, _without_request(case, OVERLOADED))
            try:
                return await self._decided(case, headers, body)
            finally:
                self._with.places.give_back()
        except asyncio.CancelledError:
            self._abandoned(case)
            raise

    def _placed(
        self, case: _Case, headers: CIMultiDictProxy[str], body: bytes
    ) -> Said | asyncio.Task[Said]:
        """Decide at once what waits for no PDP, else begin to. Its place is given back."""
        task = None
        try:
            begun = self._begun(case, headers, body)
            if isinstance(begun, Said):
                return begun
            task = self._loop.create_task(self._waited(case, begun), name="decision")
            task.add_done_callback(partial(self._left, case, begun))
            return task
        finally:
            if task is None:
                self._with.places.give_back()

    async def _in_line(
        self,
        case: _Case,
        headers: CIMultiDictProxy[str],
        body: bytes,
        turn: asyncio.Future[bool],
    ) -> Said:
        """Decide once there is a place, or say that there was none in time."""
        if not await turn:
            return self._said(case, _without_request(case, OVERLOADED))
        return await self._decided(case, headers, body)

    async def _decided(self, case: _Case, headers: CIMultiDictProxy[str], body: bytes) -> Said:
        begun = self._begun(case, headers, body)
        return begun if isinstance(begun, Said) else await self._waited(case, begun)

    def _begun(
        self, case: _Case, headers: CIMultiDictProxy[str], body: bytes
    ) -> Said | Coroutine[Any, Any, DecisionRecord]:
        """Read the question, and return its answer, or what waits for the PDP. Raises nothing."""
        snapshot = case.snapshot
        # Oathkeeper passes on the caller's own; a profile may want its token.
        authorization = tuple(headers.getall("Authorization", ()))
        try:
            case.access = snapshot.repeats.request(body, authorization) or decode(
                body, authorization, known=snapshot.kept.extra_of
            )
            found = self._with.decide(
                case.access,
                snapshot,
                self._with.pdp,
                decision_id=case.decision_id,
                deadline=Deadline(case.started + self._settings.deadline * _PDP_SHARE),
            )
        except MalformedRequest as error:
            outcome = Refused(Reason.MALFORMED_REQUEST, str(error))
            return self._said(case, _without_request(case, outcome), error.pointer)
        except Exception as error:  # noqa: BLE001 - as in `_waited`
            return self._said(case, self._failed(case, error))
        return self._said(case, found) if isinstance(found, DecisionRecord) else found

    async def _waited(self, case: _Case, deciding: Coroutine[Any, Any, DecisionRecord]) -> Said:
        """Return the answer when it is decided, or when it should have been."""
        due = case.started + self._settings.deadline * _DECISION_SHARE
        cut_off = self._cut_offs.after(due - time.monotonic())
        try:
            with cut_off:
                record = await deciding
        except asyncio.CancelledError as error:
            # Somebody has cancelled what is waited for: that is no order to us.
            if _is_cancelled():
                raise
            record = self._failed(case, error)
        except Exception as error:  # noqa: BLE001 - the last resort: no answer is a retry, and nobody's allow
            is_late = isinstance(error, TimeoutError) and cut_off.expired
            record = _late(case) if is_late else self._failed(case, error)
        return self._said(case, record)

    def _left(
        self,
        case: _Case,
        deciding: Coroutine[Any, Any, DecisionRecord],
        task: asyncio.Task[Said],
    ) -> None:
        """Have nothing left of a task that is over."""
        deciding.close()
        self._with.places.give_back()
        self._note_abandoned(case, task)

    def _left_line(self, case: _Case, turn: asyncio.Future[bool], task: asyncio.Task[Said]) -> None:
        self._with.places.leave(turn)
        self._note_abandoned(case, task)

    def _note_abandoned(self, case: _Case, task: asyncio.Task[Said]) -> None:
        if task.cancelled():
            self._abandoned(case)

    def _abandoned(self, case: _Case) -> None:
        """Take note that the caller has hung up, or was cut off as we stop."""
        self._with.on_abandoned(
            decision_id=case.decision_id,
            route=case.route,
            seconds=time.monotonic() - case.started,
        )

    def _failed(self, case: _Case, error: BaseException) -> DecisionRecord:
        _log.error("authorization.failed", decision_id=case.decision_id, exc_info=error)
        outcome = Indeterminate(Reason.INTERNAL_ERROR, "a fault of the authorizer; see its log")
        return _without_request(case, outcome)

    def _said(self, case: _Case, record: DecisionRecord, pointer: str | None = None) -> Said:
        """Return the answer, and have all sinks told of it soon. Raises nothing."""
        # The engine has done so; this is for what it never saw (overloaded, a fault of ours).
        record = observed(record, case.snapshot)
        try:
            said = self._answer(record, pointer)
        except Exception as error:  # noqa: BLE001 - as in `_waited`
            record = observed(self._failed(case, error), case.snapshot)
            said = self._answer(record)
        if not self._untold:
            self._loop.call_soon(self._let_answers_go_first)
        self._untold.append((record, time.monotonic() - case.started))
        return said

    def _answer(self, record: DecisionRecord, pointer: str | None = None) -> Said:
        said = answer(record, unavailable_status=self._settings.unavailable_status, pointer=pointer)
        is_last = record.outcome.reason in _HALF_READ or self._with.readiness.draining
        return Said(said.status, header_lines(said.headers), said.body, is_last)

    def _let_answers_go_first(self) -> None:
        # An answer that a task gives is written when the task is done, which comes after this; and
        # what is written is sent at the end of the turn. Nobody waits for sinks.
        untold, self._untold = self._untold, []
        self._loop.call_soon(self._tell_sinks, untold)

    def _tell_sinks(self, untold: list[tuple[DecisionRecord, float]]) -> None:
        for record, seconds in untold:
            self._with.tell(replace(record, total_seconds=seconds))


def _without_request(case: _Case, outcome: Outcome) -> DecisionRecord:
    return DecisionRecord(decision_id=case.decision_id, outcome=outcome)


def _late(case: _Case) -> DecisionRecord:
    asked = case.access
    return DecisionRecord(
        decision_id=case.decision_id,
        outcome=Indeterminate(Reason.PDP_DEADLINE, "no decision within server.deadline"),
        request_id="" if asked is None else asked.request_id,
        subject="" if asked is None else asked.subject,
        method="" if asked is None else asked.method,
    )


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
