"""POST /authorize: one request, one decision, one record, one answer by the deadline."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

import structlog
from msgspec.structs import replace

from authorizer.contract.decode import decode
from authorizer.contract.outcome import answer
from authorizer.engine import observed, translate
from authorizer.errors import MalformedRequest
from authorizer.model import DecisionRecord, Indeterminate, Reason, Refused
from authorizer.pdp.interface import Deadline
from authorizer.server.body import read_body
from authorizer.server.cut_off import CutOffs
from authorizer.server.decision_id import new_decision_id
from authorizer.server.replies import Reply
from authorizer.server.shedding import OVERLOADED

if TYPE_CHECKING:
    from aiohttp import web

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


class Authorizer:
    """Answers requests for a decision, whatever happens.

    With a `secret`, of those who know it.
    """

    def __init__(self, collaborators: Collaborators, secret: SharedSecret | None = None) -> None:
        self._with = collaborators
        self._secret = secret
        self._settings = collaborators.settings.server
        self._cut_offs = CutOffs()

    async def authorize(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request. Raises nothing but CancelledError, when nobody waits any more."""
        started = time.monotonic()
        decision_id = new_decision_id()
        pointer: str | None = None
        # Read once: a request is decided by one state of the rules.
        snapshot = self._with.current.snapshot
        try:
            record = await self._record(request, snapshot, decision_id, started)
        except MalformedRequest as error:
            pointer = error.pointer
            record = _without_request(decision_id, Refused(Reason.MALFORMED_REQUEST, str(error)))
        except asyncio.CancelledError:
            # gRPC cancels its calls when a channel is closed: that is no order to us.
            if _is_cancelled():
                raise
            record = self._failed(decision_id)
        except Exception:  # noqa: BLE001 - the last resort: no answer is a retry, and nobody's allow
            record = self._failed(decision_id)
        # The engine has done so; this is for what it never saw (overloaded, a fault of ours).
        return self._answer(observed(record, snapshot), started, pointer)

    def refuse_unreadable(self) -> web.StreamResponse:
        """Answer what could not be read as HTTP at all."""
        outcome = Refused(Reason.MALFORMED_REQUEST, "not a request that HTTP/1.1 allows")
        record = _without_request(new_decision_id(), outcome)
        return self._answer(record, time.monotonic(), None)

    async def _record(
        self, request: web.BaseRequest, snapshot: Snapshot, decision_id: str, started: float
    ) -> DecisionRecord:
        if self._secret is not None:
            stranger = self._secret.refusal(request)
            if stranger is not None:
                return _without_request(decision_id, stranger)
        deadline = self._settings.deadline
        body = await read_body(
            request,
            limit=self._settings.max_body,
            seconds=min(self._settings.body_timeout, deadline),
        )
        if isinstance(body, Refused):
            return _without_request(decision_id, body)
        access = None
        try:
            if not await self._with.places.take():
                return _without_request(decision_id, OVERLOADED)
            try:
                # Oathkeeper passes on the caller's own; a profile may want its token.
                authorization = tuple(request.headers.getall("Authorization", ()))
                access = decode(body, authorization, known=snapshot.kept.extra_of)
                return await self._decide(access, snapshot, decision_id, started)
            finally:
                self._with.places.give_back()
        except asyncio.CancelledError:
            # The caller has hung up, or was cut off as we stop.
            if _is_cancelled():
                self._with.on_abandoned(
                    decision_id=decision_id,
                    route="" if access is None else _route(access, snapshot, decision_id),
                    seconds=time.monotonic() - started,
                )
            raise

    async def _decide(
        self, access: AccessRequest, snapshot: Snapshot, decision_id: str, started: float
    ) -> DecisionRecord:
        seconds = self._settings.deadline
        left = started + seconds * _DECISION_SHARE - time.monotonic()
        cut_off = self._cut_offs.after(left)
        try:
            with cut_off:
                return await self._with.decide(
                    access,
                    snapshot,
                    self._with.pdp,
                    decision_id=decision_id,
                    deadline=Deadline(started + seconds * _PDP_SHARE),
                )
        except TimeoutError:
            if not cut_off.expired:
                raise
        return DecisionRecord(
            decision_id=decision_id,
            outcome=Indeterminate(Reason.PDP_DEADLINE, "no decision within server.deadline"),
            request_id=access.request_id,
            subject=access.subject,
            method=access.method,
        )

    def _failed(self, decision_id: str) -> DecisionRecord:
        _log.error("authorization.failed", decision_id=decision_id, exc_info=True)
        outcome = Indeterminate(Reason.INTERNAL_ERROR, "a fault of the authorizer; see its log")
        return _without_request(decision_id, outcome)

    def _answer(
        self, record: DecisionRecord, started: float, pointer: str | None
    ) -> web.StreamResponse:
        seconds = time.monotonic() - started
        # In the next turn of the event loop, when the answer is on its way.
        asyncio.get_running_loop().call_soon(self._tell_sinks, record, seconds)
        said = answer(record, unavailable_status=self._settings.unavailable_status, pointer=pointer)
        response = Reply(said.status, said.headers, said.body)
        if record.outcome.reason in _HALF_READ or self._with.readiness.draining:
            response.force_close()
        return response

    def _tell_sinks(self, record: DecisionRecord, seconds: float) -> None:
        self._with.tell(replace(record, total_seconds=seconds))


def _without_request(decision_id: str, outcome: Outcome) -> DecisionRecord:
    return DecisionRecord(decision_id=decision_id, outcome=outcome)


def _route(access: AccessRequest, snapshot: Snapshot, decision_id: str) -> str:
    """Return the route of a request, once more: who decides was stopped before it could say."""
    found = translate(access, snapshot, decision_id=decision_id, now=time.time())
    return found.route if isinstance(found, DecisionRecord) else found.route.id


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
