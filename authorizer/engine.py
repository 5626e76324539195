"""Decide: from a question and a snapshot to one outcome. Pure, but for asking the PDP."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

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
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from authorizer.model import (
        AccessRequest,
        Check,
        CheckResult,
        Outcome,
        PdpAnswer,
        Principal,
    )
    from authorizer.pdp.answers import KeptAnswers
    from authorizer.pdp.interface import Deadline, Pdp
    from authorizer.routing.route import Route
    from authorizer.snapshot import Snapshot

_PDP_REASONS: Final[dict[type[PdpError], Reason]] = {
    PdpUnavailable: Reason.PDP_UNAVAILABLE,
    PdpDeadline: Reason.PDP_DEADLINE,
    PdpRejected: Reason.PDP_REJECTED,
}

# Where each decision looks: Python 3.11 takes 0.1 to 0.2 us to find a member of an enum.
_ALLOWED: Final = Effect.ALLOW
_ALL: Final = Require.ALL
_PASSES: Final = Allow(Reason.POLICY_ALLOW)
# What observing lets pass. Asked by `in`: `isinstance` takes five times as long to say no.
_STOPPING: Final = (Deny, Indeterminate)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where time comes from: `now` is Unix time, `monotonic` measures, both in seconds."""

    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.perf_counter


SYSTEM_CLOCK: Final = Clock()


async def decide(  # noqa: PLR0913 - the service gives the last, tests the clock
    request: AccessRequest,
    snapshot: Snapshot,
    pdp: Pdp,
    *,
    decision_id: str,
    deadline: Deadline,
    clock: Clock = SYSTEM_CLOCK,
    answers: KeptAnswers | None = None,
) -> DecisionRecord:
    """Return the decision on a request; `total_seconds` is the caller's to fill in.

    `answers` are those from before, for routes that may use one again.
    """
    found = begin(
        request,
        snapshot,
        pdp,
        decision_id=decision_id,
        deadline=deadline,
        clock=clock,
        answers=answers,
    )
    return found if isinstance(found, DecisionRecord) else await found


def begin(  # noqa: PLR0913 - as `decide`
    request: AccessRequest,
    snapshot: Snapshot,
    pdp: Pdp,
    *,
    decision_id: str,
    deadline: Deadline,
    clock: Clock = SYSTEM_CLOCK,
    answers: KeptAnswers | None = None,
) -> DecisionRecord | Coroutine[Any, Any, DecisionRecord]:
    """Return the decision where nobody need be waited for, else what waits for the PDP's.

    So who has asked gets at once what is known at once: no task is made for it.
    """
    now = clock.now()
    question = _again(request, snapshot, decision_id, now)
    if question is None:
        found = translate(request, snapshot, decision_id=decision_id, now=now)
        if isinstance(found, DecisionRecord):
            return found
        question = found
        if question.route.cache is not None:
            snapshot.repeats.keep(request, question)
    keep = None
    if answers is not None and (max_age := question.route.cache) is not None:
        asked = answers.ask(question.principal, question.checks)
        if asked is not None:
            if (kept := answers.find(asked, max_age)) is not None:
                return observed(question.decided_before(*kept), snapshot)
            keep = partial(answers.keep, asked, request_id=decision_id)
    return ask(question, snapshot, pdp, deadline=deadline, clock=clock, keep=keep)


def translate(
    request: AccessRequest, snapshot: Snapshot, *, decision_id: str, now: float
) -> Question | DecisionRecord:
    """Return the question for the PDP, or the decision where none is needed.

    `now` is Unix time in seconds.
    """
    # Which of several profiles it is shows only when the principal is made; a deny may come before.
    profile = " or ".join(request.profiles) or snapshot.profiles.default
    draft = _Draft(decision_id, request, profile)
    found = _translate(draft, snapshot, now)
    if isinstance(found, Question):
        return found
    return observed(draft.record(found), snapshot)


def _again(
    request: AccessRequest, snapshot: Snapshot, decision_id: str, now: float
) -> Question | None:
    """Return the question that the same bytes were before, for a decision of this name.

    None where there was none, or its principal is not what it was: the session has expired since,
    or was forgotten.
    """
    before: Question | None = snapshot.repeats.question(request)
    if before is None or before.principal is not _principal(before.route, request, snapshot, now):
        return None
    return before.named(decision_id)


async def ask(
    question: Question,
    snapshot: Snapshot,
    pdp: Pdp,
    *,
    deadline: Deadline,
    clock: Clock = SYSTEM_CLOCK,
    keep: Callable[[PdpAnswer], None] | None = None,
) -> DecisionRecord:
    """Return the decision that the PDP's answer to a question makes; `keep` gets that answer."""
    started = clock.monotonic()
    outcome: Outcome
    answer = None
    try:
        answer = await pdp.check(
            question.principal,
            question.checks,
            deadline=deadline,
            request_id=question.decision_id,
        )
        outcome = _fold(question, answer)
        if keep is not None and isinstance(outcome, Allow | Deny):
            keep(answer)
    except PdpError as error:
        outcome = Indeterminate(_PDP_REASONS.get(type(error), Reason.INTERNAL_ERROR), str(error))
    seconds = clock.monotonic() - started
    return observed(question.decided(outcome, answer, seconds), snapshot)


class _Draft(msgspec.Struct, gc=False):
    """What is known of a decision, as it becomes known. A record is made of it once, at the end."""

    decision_id: str
    request: AccessRequest
    profile: str
    host: str = ""
    path: str = ""
    matched: Matched | None = None
    principal: Principal | None = None
    checks: tuple[Check, ...] = ()

    def record(
        self,
        outcome: Outcome,
        *,
        answer: PdpAnswer | None = None,
        seconds: float | None = None,
        age: float | None = None,
    ) -> DecisionRecord:
        """Return the decision. `seconds` is how long the PDP took, None where it was not asked.

        `age` is that of an answer from before, in seconds.
        """
        request, matched = self.request, self.matched
        checks: tuple[CheckRecord, ...] = ()
        headers: Mapping[str, str] = {}
        results = answer.results if answer is not None else ()
        if len(results) != len(self.checks):
            results = ()  # an answer that does not fit says nothing
        if matched is not None:
            checks = _recorded(matched.route, self.checks, results)
            # Also where it does not pass, so that observing has them.
            headers = answer_headers(matched, request, self.principal, results)
        asked_as = answer.request_id if answer is not None else ""
        return DecisionRecord(
            decision_id=self.decision_id,
            outcome=outcome,
            request_id=request.request_id,
            route="" if matched is None else matched.route.id,
            subject=request.subject,
            profile=self.profile,
            method=request.method,
            host=self.host,
            path=self.path,
            checks=checks,
            cerbos_call_id=answer.call_id if answer is not None else "",
            cerbos_request_id="" if asked_as == self.decision_id else asked_as,
            response_headers=headers,
            pdp_seconds=seconds,
            cached_seconds=age,
        )


class Question(msgspec.Struct, frozen=True, gc=False):
    """What is asked of the PDP."""

    matched: Matched
    principal: Principal
    checks: tuple[Check, ...]
    draft: _Draft

    @property
    def route(self) -> Route:
        """The route that asks."""
        return self.matched.route

    @property
    def decision_id(self) -> str:
        """The name of the decision that it is for."""
        return self.draft.decision_id

    def named(self, decision_id: str) -> Question:
        """Return the same question, for another decision."""
        draft = replace(self.draft, decision_id=decision_id)
        return replace(self, draft=draft)

    def decided(self, outcome: Outcome, answer: PdpAnswer | None, seconds: float) -> DecisionRecord:
        """Return the decision by the PDP's answer, which took so many seconds."""
        return self.draft.record(outcome, answer=answer, seconds=seconds)

    def decided_before(self, answer: PdpAnswer, age: float) -> DecisionRecord:
        """Return the decision by an answer of the PDP that is so many seconds old."""
        return self.draft.record(_fold(self, answer), answer=answer, age=age)

    @property
    def record(self) -> DecisionRecord:
        """What is known of the decision before the PDP is asked; no outcome that means anything."""
        return self.draft.record(Indeterminate(Reason.INTERNAL_ERROR))


def _translate(draft: _Draft, snapshot: Snapshot, now: float) -> Question | Outcome:
    """Return what to ask, or what is known without; fills in the draft on the way."""
    request = draft.request
    try:
        address = locate(request.url, request.raw_path, request.forwarded_uri)
    except MalformedRequest as error:
        return Refused(Reason.MALFORMED_REQUEST, str(error))
    if isinstance(address, Ambiguous):
        return Deny(Reason.AMBIGUOUS_URL, address.detail)
    matched = snapshot.routes.match(address, request.method, request.headers)
    draft.host, draft.path = address.host, shown_path(matched, address, snapshot.routes)
    if isinstance(matched, Unmatched):
        return Deny(matched.reason, matched.detail)
    route = matched.route
    draft.matched = matched
    if matched.preflight:
        return Allow(Reason.ROUTE_ALLOW, "a preflight request")
    if route.effect is not None and not route.profiles:
        return _static(route.effect)
    principal = _principal(route, request, snapshot, now)
    if isinstance(principal, Deny):
        return principal
    draft.principal, draft.profile = principal, principal.profile
    if route.effect is not None:
        return _static(route.effect)
    try:
        checks = draft.checks = render(matched, address, request, principal)
    except ExpressionError as error:
        return Deny(Reason.MAPPING_FAILED, f"route {route.id}: {error}")
    return Question(matched, principal, checks, draft)


def _principal(
    route: Route, request: AccessRequest, snapshot: Snapshot, now: float
) -> Principal | Deny:
    principal = snapshot.kept.identify(request, snapshot.profiles, now)
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
    route: Route, checks: Sequence[Check], results: Sequence[CheckResult]
) -> tuple[CheckRecord, ...]:
    """Return checks as they may be logged: without what a redacted capture is in."""
    if not checks:
        return ()
    # Not `value`, which Python 3.11 takes 0.2 us to find.
    effects = [str(result.effect) for result in results] or [""] * len(checks)
    return tuple(
        [
            CheckRecord(
                REDACTED if "kind" in template.hidden else check.resource.kind,
                REDACTED if "id" in template.hidden else check.resource.id,
                REDACTED if "action" in template.hidden else check.action,
                effect,
            )
            for template, check, effect in zip(route.checks, checks, effects, strict=True)
        ]
    )


def _fold(question: Question, answer: PdpAnswer) -> Outcome:
    """Make one outcome of the effects."""
    results = answer.results
    if not results or len(results) != len(question.checks):
        return Indeterminate(Reason.PDP_REJECTED, "the PDP did not answer each check")
    allowed = [result.effect is _ALLOWED for result in results]
    passes = all(allowed) if question.route.require is _ALL else any(allowed)
    if passes:
        return _PASSES
    errors = sorted({error for result in results for error in result.validation_errors})
    detail = "the PDP's schemas refuse: " + "; ".join(errors) if errors else ""
    return Deny(Reason.POLICY_DENY, detail)


def observed(record: DecisionRecord, snapshot: Snapshot) -> DecisionRecord:
    """Let a request pass that would not, where its route or the whole service only observes.

    A refused one stays refused: there, nothing is known that could be observed.
    """
    if type(record.outcome) not in _STOPPING:
        return record
    route = snapshot.routes.by_id.get(record.route)
    everything = snapshot.settings.enforcement is Enforcement.OBSERVE
    if not everything and (route is None or not route.observe):
        return record
    return replace(record, outcome=Allow(Reason.OBSERVED), would_be=record.outcome)
