"""An explanation as plain data: what `--format json` prints."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from authorizer.model import Allow, Principal
from authorizer.routing.reading import Address, Ambiguous
from authorizer.routing.written import written
from authorizer.source.names import short_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.explain.trace import Explanation
    from authorizer.model import AccessRequest, CheckResult, DecisionRecord, Deny
    from authorizer.routing.candidates import Candidate
    from authorizer.routing.reading import Reading


def as_data(explanation: Explanation) -> dict[str, Any]:
    """Return the explanation as JSON can say it; every key is always there."""
    matched = explanation.matched
    return {
        "request": _request(explanation.request),
        "address": _address(explanation.address),
        "readings": _readings(explanation.readings),
        "candidates": [_candidate(candidate) for candidate in explanation.candidates],
        "route": matched.route.id if matched is not None else None,
        "captures": dict(matched.path) if matched is not None else {},
        "principal": _principal(explanation.principal),
        "require": matched.route.require.value if matched is not None else None,
        "checks": list(_checks(explanation)),
        "decision": _decision(explanation.record),
    }


def _request(request: AccessRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "raw_path": request.raw_path,
        "headers": {name: list(values) for name, values in request.headers.items()},
        "forwarded_uri": list(request.forwarded_uri or ()),
        "profiles": list(request.profiles),
        "subject": request.subject,
    }


def _address(address: Address | Ambiguous | None) -> dict[str, Any] | None:
    match address:
        case Address():
            return {
                "scheme": address.scheme,
                "host": address.host,
                "path": address.path,
                "query": address.query,
            }
        case Ambiguous():
            return {"ambiguous": address.detail}
        case None:
            return None


def _readings(readings: tuple[Reading, ...] | Ambiguous) -> list[dict[str, Any]]:
    if isinstance(readings, Ambiguous):
        return [{"ambiguous": readings.detail}]
    return [
        {
            "segments": list(reading.segments),
            "trailing_slash": reading.trailing_slash,
            "needs": sorted(need.value for need in reading.needs),
        }
        for reading in readings
    ]


def _candidate(candidate: Candidate) -> dict[str, Any]:
    route = candidate.route
    return {
        "route": route.id,
        "file": short_name(route.place.source),
        "line": route.place.line,
        "hosts": [str(host) for host in route.hosts],
        "path": route.path.text,
        "methods": sorted(route.methods),
        "verdict": candidate.verdict.value,
        "detail": candidate.detail,
    }


def _principal(principal: Principal | Deny | None) -> dict[str, Any] | None:
    match principal:
        case None:
            return None
        case Principal():
            return {
                "id": principal.id,
                "roles": list(principal.roles),
                "profile": principal.profile,
                "attr": principal.attr,
            }
        case refused:
            return {"reason": refused.reason.value, "detail": refused.detail}


def _checks(explanation: Explanation) -> Iterator[dict[str, Any]]:
    for check, result in zip_longest(explanation.checks, explanation.results):
        yield {**written(check), "result": _result(result)}


def _result(result: CheckResult | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        "effect": result.effect.value,
        "policy": result.policy,
        "matched_scope": result.matched_scope,
        "derived_roles": sorted(result.derived_roles),
        "outputs": dict(result.outputs),
        "validation_errors": list(result.validation_errors),
    }


def _decision(record: DecisionRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    would_be = record.would_be
    return {
        "outcome": type(record.outcome).__name__.lower(),
        "reason": record.outcome.reason.value,
        "detail": record.outcome.detail,
        "would_be": would_be.reason.value if would_be is not None else None,
        "would_be_detail": would_be.detail if would_be is not None else None,
        # They are sent with a 200 alone.
        "response_headers": (
            dict(record.response_headers) if isinstance(record.outcome, Allow) else {}
        ),
        "cerbos_call_id": record.cerbos_call_id,
    }
