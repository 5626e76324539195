"""Decide: from a question and a snapshot to one outcome. Pure, but for asking the PDP."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from authorizer.config.settings import Enforcement
from authorizer.errors import (
    ExpressionError,
    MalformedRequest,
    PdpDeadline,
    PdpError,
    PdpRejected,
    PdpUnavailable,
)
from authorizer.model import (
    Allow,
    CheckRecord,
    DecisionRecord,
    Deny,
    Effect,
    Indeterminate,
    Reason,
    Refused,
)
from authorizer.routing.answer_headers import answer_headers
from authorizer.routing.reading import Ambiguous, locate
from authorizer.routing.redaction import REDACTED, shown_path
from authorizer.routing.render import render
from authorizer.routing.route import Require
from authorizer.routing.table import Matched, Unmatched

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authorizer.model import AccessRequest, Check, Outcome, PdpAnswer, Principal
    from authorizer.pdp.interface import Deadline, Pdp
    from authorizer.routing.route import Route
    from authorizer.snapshot import Snapshot

_PDP_REASONS: Final[dict[type[PdpError], Reason]] = {
    PdpUnavailable: Reason.PDP_UNAVAILABLE,
    PdpDeadline: Reason.PDP_DEADLINE,
    PdpRejected: Reason.PDP_REJECTED,
}


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from: `now` is Unix time, `monotonic` measures, both in seconds."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.perf_counter


SYSTEM_CLOCK: Final = Clock()


async def decide(
    request: AccessRequest,
    snapshot: Snapshot,
    pdp: Pdp,
    *,
    decision_id: str,
    deadline: Deadline,
    clock: Clock = SYSTEM_CLOCK,
) -> DecisionRecord:
    """Return the decision on a request; `total_seconds` is the caller's to fill in."""
    question = translate(request, snapshot, decision_id=decision_id, now=clock.now())
    if isinstance(question, DecisionRecord):
        return question
    return await ask(question, snapshot, pdp, deadline=deadline, clock=clock)


def translate(
    request: AccessRequest, snapshot: Snapshot, *, decision_id: str, now: float
) -> Question | DecisionRecord:
    """Return the question for the PDP, or the decision where none is needed.

    `now` is Unix time in seconds.
    """
    blank = DecisionRecord(
        decision_id=decision_id,
        outcome=Indeterminate(Reason.INTERNAL_ERROR),
        request_id=request.request_id,
        subject=request.subject,
        profile=" ".join(request.profiles) or snapshot.profiles.default,
        method=request.method,
    )
    found = _translate(request, snapshot, blank, now)
    return observed(found, snapshot) if isinstance(found, DecisionRecord) else found


async def ask(
    question: Question,
    snapshot: Snapshot,
    pdp: Pdp,
    *,
    deadline: Deadline,
    clock: Clock = SYSTEM_CLOCK,
) -> DecisionRecord:
    """Return the decision that the PDP's answer to a question makes."""
    started = clock.monotonic()
    try:
        answer = await pdp.check(
            question.principal,
            question.checks,
            deadline=deadline,
            request_id=question.record.decision_id,
        )
        record = _fold(question, answer)
    except PdpError as error:
        reason = _PDP_REASONS.get(type(error), Reason.INTERNAL_ERROR)
        record = replace(question.record, outcome=Indeterminate(reason, str(error)))
    return observed(replace(record, pdp_seconds=clock.monotonic() - started), snapshot)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of the PDP, and what is known of the decision so far."""

    matched: Matched
    request: AccessRequest
    principal: Principal
    checks: tuple[Check, ...]
    record: DecisionRecord

    @property
    def route(self) -> Route:
        """The route that asks."""
        return self.matched.route


def _translate(
    request: AccessRequest, snapshot: Snapshot, record: DecisionRecord, now: float
) -> Question | DecisionRecord:
    try:
        address = locate(request.url, request.raw_path, request.forwarded_uri)
    except MalformedRequest as error:
        return replace(record, outcome=Refused(Reason.MALFORMED_REQUEST, str(error)))
    if isinstance(address, Ambiguous):
        return replace(record, outcome=Deny(Reason.AMBIGUOUS_URL, address.detail))
    matched = snapshot.routes.match(address, request.method, request.headers)
    record = replace(record, host=address.host, path=shown_path(matched, address, snapshot.routes))
    if isinstance(matched, Unmatched):
        return replace(record, outcome=Deny(matched.reason, matched.detail))
    route = matched.route
    # Until there is something to say in them, so that observing has them too.
    record = replace(record, route=route.id, response_headers=answer_headers(matched, request))
    if matched.preflight:
        return replace(record, outcome=Allow(Reason.ROUTE_ALLOW, "a preflight request"))
    if route.effect is not None and not route.profiles:
        return replace(record, outcome=_static(route.effect))
    principal = _principal(route, request, snapshot, now)
    if isinstance(principal, Deny):
        return replace(record, outcome=principal)
    headers = answer_headers(matched, request, principal)
    record = replace(record, profile=principal.profile, response_headers=headers)
    if route.effect is not None:
        return replace(record, outcome=_static(route.effect))
    try:
        checks = render(matched, address, request, principal)
    except ExpressionError as error:
        detail = f"route {route.id}: {error}"
        return replace(record, outcome=Deny(Reason.MAPPING_FAILED, detail))
    record = replace(record, checks=_recorded(route, checks))
    return Question(matched, request, principal, checks, record)


def _principal(
    route: Route, request: AccessRequest, snapshot: Snapshot, now: float
) -> Principal | Deny:
    principal = snapshot.profiles.identify(request, now)
    if isinstance(principal, Deny) or not route.profiles or principal.profile in route.profiles:
        return principal
    wanted = " or ".join(sorted(route.profiles))
    return Deny(Reason.PRINCIPAL_REJECTED, f"route {route.id} is only for the profile {wanted}")


def _static(effect: Effect) -> Outcome:
    match effect:
        case Effect.ALLOW:
            return Allow(Reason.ROUTE_ALLOW)
        case Effect.DENY:
            return Deny(Reason.ROUTE_DENY)


def _recorded(
    route: Route, checks: Sequence[Check], effects: Sequence[str] = ()
) -> tuple[CheckRecord, ...]:
    """Return checks as they may be logged: without what a redacted capture is in."""
    effects = effects or [""] * len(checks)
    return tuple(
        CheckRecord(
            REDACTED if "kind" in template.hidden else check.resource.kind,
            REDACTED if "id" in template.hidden else check.resource.id,
            REDACTED if "action" in template.hidden else check.action,
            effect,
        )
        for template, check, effect in zip(route.checks, checks, effects, strict=True)
    )


def _fold(question: Question, answer: PdpAnswer) -> DecisionRecord:
    """Make one outcome of the effects."""
    results = answer.results
    record = replace(question.record, cerbos_call_id=answer.call_id)
    if not results or len(results) != len(question.checks):
        detail = "the PDP did not answer each check"
        return replace(record, outcome=Indeterminate(Reason.PDP_REJECTED, detail))
    allowed = [result.effect is Effect.ALLOW for result in results]
    passes = all(allowed) if question.route.require is Require.ALL else any(allowed)
    outcome: Outcome
    if passes:
        outcome = Allow(Reason.POLICY_ALLOW)
    else:
        errors = sorted({error for result in results for error in result.validation_errors})
        detail = "the PDP's schemas refuse: " + "; ".join(errors) if errors else ""
        outcome = Deny(Reason.POLICY_DENY, detail)
    effects = [result.effect.value for result in results]
    return replace(
        record,
        outcome=outcome,
        checks=_recorded(question.route, question.checks, effects),
        response_headers=answer_headers(
            question.matched, question.request, question.principal, results
        ),
    )


def observed(record: DecisionRecord, snapshot: Snapshot) -> DecisionRecord:
    """Let a request pass that would not, where its route or the whole service only observes.

    A refused one stays refused: there, nothing is known that could be observed.
    """
    if not isinstance(record.outcome, Deny | Indeterminate):
        return record
    route = snapshot.routes.by_id.get(record.route)
    everything = snapshot.settings.enforcement is Enforcement.OBSERVE
    if not everything and (route is None or not route.observe):
        return record
    return replace(record, outcome=Allow(Reason.OBSERVED), would_be=record.outcome)
