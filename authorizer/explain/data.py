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
    from authorizer.model import AccessRequest, CheckResult, DecisionRecord
    from authorizer.principals.aux_data import JwtSource
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
        "principal": _principal(explanation),
        "require": matched.route.require.value if matched is not None else None,
        "cache_seconds": matched.route.cache if matched is not None else None,
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


def _principal(explanation: Explanation) -> dict[str, Any] | None:
    match explanation.principal:
        case None:
            return None
        case Principal() as principal:
            return {
                "id": principal.id,
                "roles": list(principal.roles),
                "profile": principal.profile,
                "attr": principal.attr,
                "aux_data": _aux_data(principal, explanation.jwt),
            }
        case refused:
            return {"reason": refused.reason.value, "detail": refused.detail}


def _aux_data(principal: Principal, jwt: JwtSource | None) -> dict[str, Any] | None:
    """Return where a request has the token that goes beside the principal, never the token."""
    if jwt is None:
        return None
    passed = principal.aux_data is not None
    return {"jwt": {"header": jwt.header, "key_set": jwt.key_set, "passed_on": passed}}


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
