"""Run cases through the engine, and compare."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from authorizer.engine import ask, translate
from authorizer.errors import PdpUnavailable
from authorizer.model import Allow, DecisionRecord, Reason
from authorizer.pdp.explaining import ExplainingPdp
from authorizer.pdp.interface import Deadline
from authorizer.routing.methods import mapping
from authorizer.routing.written import written
from authorizer.suites.case import Difference, Result, Status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator

    from authorizer.engine import Question
    from authorizer.model import Check, Outcome
    from authorizer.pdp.interface import Pdp
    from authorizer.snapshot import Snapshot
    from authorizer.suites.case import Case

# A suite waits for a PDP that is slow today; a service's own deadline says nothing about rules.
_PATIENCE: Final = 10.0
_DECISION_ID: Final = "test"
# What only the decision says.
_DECIDED: Final = ("decision", "reason", "would_be", "response_headers")
# What a check has where the rule says nothing.
_EMPTY: Final = {"attr": {}, "policy_version": "", "scope": ""}


async def run_cases(
    cases: Iterable[Case], snapshot: Snapshot, pdp: Pdp | None, *, now: float
) -> AsyncIterator[Result]:
    """Run the cases one after the other; `now` is Unix time in seconds.

    Without a PDP, what a policy decides stays undecided. Raises PdpUnavailable where nobody
    answers.
    """
    for case in cases:
        started = time.perf_counter()
        question = translate(case.request, snapshot, decision_id=_DECISION_ID, now=now)
        differences = list(_compare_question(case, question))
        asks = any(key in case.expected for key in _DECIDED)
        record = await _decision(question, snapshot, pdp) if asks else None
        status, detail = Status.PASSED, ""
        if record is not None:
            differences += _compare_decision(case, record)
            detail = _enforced(record).detail
        elif asks:
            status = Status.UNDECIDED
        yield Result(
            case,
            Status.FAILED if differences else status,
            tuple(differences),
            detail,
            _touched(case, question, snapshot),
            time.perf_counter() - started,
        )


async def _decision(
    question: Question | DecisionRecord, snapshot: Snapshot, pdp: Pdp | None
) -> DecisionRecord | None:
    if isinstance(question, DecisionRecord):
        return question
    if pdp is None:
        return None
    # With what its schemas have against an attribute, which quotes it: it is the suite's own.
    asked = ExplainingPdp(pdp)
    record = await ask(question, snapshot, asked, deadline=Deadline.after(_PATIENCE))
    outcome = _enforced(record)
    if outcome.reason in (Reason.PDP_UNAVAILABLE, Reason.PDP_DEADLINE):
        endpoint, _, message = outcome.detail.partition(": ")  # as PdpError words it
        raise PdpUnavailable(endpoint, message)
    return record


def _enforced(record: DecisionRecord) -> Outcome:
    """Return the outcome as it would be without observing."""
    return record.outcome if record.would_be is None else record.would_be


def _route(question: Question | DecisionRecord) -> str | None:
    record = question if isinstance(question, DecisionRecord) else question.record
    return record.route or None


def _touched(
    case: Case, question: Question | DecisionRecord, snapshot: Snapshot
) -> tuple[str, str] | None:
    route = snapshot.routes.by_id.get(_route(question) or "")
    entry = mapping(route, case.request.method) if route is not None else None
    return (route.id, entry) if route is not None and entry is not None else None


def _compare_question(case: Case, question: Question | DecisionRecord) -> Iterator[Difference]:
    expected = case.expected
    route = _route(question)
    if "route" in expected and expected["route"] != route:
        yield Difference("route", expected["route"], route)
    if "checks" in expected:
        checks = () if isinstance(question, DecisionRecord) else question.checks
        yield from _compare_checks(expected["checks"], checks)


def _compare_checks(expected: list[Any], checks: tuple[Check, ...]) -> Iterator[Difference]:
    got: list[Any] = [written(check) for check in checks]
    if len(expected) == len(got):
        # Only what is expected: the rest may be anything, and would hide the difference.
        got = [_part(check, wanted) for check, wanted in zip(got, expected, strict=True)]
    if not _is_same(expected, got):
        yield Difference("checks", expected, got)


def _part(got: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return those keys of a check that are expected."""
    part = {key: got[key] for key in wanted}
    if "resource" in wanted:
        resource = {**_EMPTY, **got["resource"]}
        part["resource"] = {key: resource[key] for key in wanted["resource"]}
    return part


def _is_same(one: Any, other: Any) -> bool:  # noqa: ANN401 - whatever JSON can say
    """Say whether two values are one to a policy: 1 is 1.0, and neither is true."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(_is_same(one[key], other[key]) for key in one)
        case list(), list():
            return len(one) == len(other) and all(map(_is_same, one, other))
        case _:
            return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _compare_decision(case: Case, record: DecisionRecord) -> Iterator[Difference]:
    expected = case.expected
    # They are sent with a 200 alone.
    headers = record.response_headers if isinstance(record.outcome, Allow) else {}
    sent = {name.lower(): value for name, value in headers.items()}
    got = {
        "decision": type(record.outcome).__name__.lower(),
        "reason": record.outcome.reason.value,
        "would_be": record.would_be.reason.value if record.would_be is not None else None,
        "response_headers": {
            name: sent.get(name.lower()) for name in expected.get("response_headers", ())
        },
    }
    for key in _DECIDED:
        if key in expected and expected[key] != got[key]:
            yield Difference(key, expected[key], got[key])
