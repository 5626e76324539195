"""An explanation as text, for a terminal."""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, Final

from authorizer.instrumentation.safe_text import printable
from authorizer.model import Allow, Deny
from authorizer.routing.candidates import Verdict
from authorizer.routing.reading import Ambiguous
from authorizer.source.names import short_place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from authorizer.explain.trace import Explanation
    from authorizer.model import Check, CheckResult, DecisionRecord, Principal
    from authorizer.principals.aux_data import JwtSource
    from authorizer.routing.candidates import Candidate
    from authorizer.routing.reading import Address, Reading

# The one reserved attribute, under which all is that is no trait.
_AUTH: Final = "auth"
# What Cerbos says where it has no policy for a resource.
_NO_MATCH: Final = "NO_MATCH"
_UNASKED: Final = "the policies decide; no PDP was asked (see --pdp, --embedded-pdp)"


def as_text(explanation: Explanation) -> str:
    """Return the explanation in sections, each line printable, the last one ended."""
    return "".join(f"{printable(line)}\n" for line in _lines(explanation))


def _lines(explanation: Explanation) -> Iterator[str]:
    request = explanation.request
    yield f"{request.method} {request.url}"
    yield from _section("Reading", _reading(explanation))
    yield from _section("Candidates, the most specific first", _candidates(explanation))
    yield from _section("Principal", _principal(explanation))
    yield from _section(_title_of_checks(explanation), _checks(explanation))
    yield from _section("Decision", _decision(explanation.record))


def _section(title: str, lines: Iterator[str]) -> Iterator[str]:
    shown = list(lines)
    if shown:
        yield ""
        yield title
        yield from (f"  {line}" for line in shown)


def _pairs(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    shown = list(pairs)
    width = max((len(name) for name, _ in shown), default=0)
    yield from (f"{name:{width}}  {value}" for name, value in shown)


def _reading(explanation: Explanation) -> Iterator[str]:
    match explanation.address:
        case None:
            yield "this is not an absolute URL: http(s)://host[:port]/path"
        case Ambiguous(detail):
            yield f"refused: {detail}"
        case address:
            yield from _pairs(_read(address, explanation.readings))


def _read(address: Address, readings: tuple[Reading, ...] | Ambiguous) -> Iterator[tuple[str, str]]:
    yield "host", address.host
    yield "path", address.path
    if address.query:
        yield "query", address.query
    if isinstance(readings, Ambiguous):
        yield "refused", readings.detail
        return
    for reading in readings:
        yield "segments", _segments(reading)


def _segments(reading: Reading) -> str:
    # As JSON, so that an encoded slash is not taken for one that separates.
    segments = " / ".join(_json(segment) for segment in reading.segments) or "none: the root"
    slash = " and a trailing slash" if reading.trailing_slash else ""
    needs = " and ".join(sorted(f"`{need.value}`" for need in reading.needs))
    condition = f" (only for a route with {needs})" if needs else ""
    return segments + slash + condition


def _candidates(explanation: Explanation) -> Iterator[str]:
    found = explanation.candidates
    if not found and explanation.readings and not isinstance(explanation.readings, Ambiguous):
        yield "no route has a path like this"
    ids = max((len(candidate.route.id) for candidate in found), default=0)
    paths = max((len(candidate.route.path.text) for candidate in found), default=0)
    for candidate in found:
        route = candidate.route
        mark = ">" if candidate.verdict is Verdict.OWNS else "-"
        place = short_place(route.place)
        yield f"{mark} {route.id:{ids}}  {route.path.text:{paths}}  {place}"
        yield f"    {_verdict(candidate, explanation)}"


def _verdict(candidate: Candidate, explanation: Explanation) -> str:
    if candidate.verdict is Verdict.OWNS and explanation.matched is not None:
        captures = " ".join(f"{name}={_json(value)}" for name, value in _captured(explanation))
        words = ["owns the request", captures, candidate.detail]
        return ", ".join(filter(None, words))
    return f"{candidate.verdict.value}: {candidate.detail}"


def _captured(explanation: Explanation) -> Iterator[tuple[str, str]]:
    if explanation.matched is not None:
        yield from explanation.matched.path.items()


def _principal(explanation: Explanation) -> Iterator[str]:
    principal = explanation.principal
    if principal is None:
        return
    if isinstance(principal, Deny):
        yield f"refused, {principal.reason.value}: {principal.detail}"
        return
    yield from _pairs(
        [
            ("id", principal.id),
            ("roles", ", ".join(principal.roles)),
            ("profile", principal.profile),
            *_attributes(principal),
            *_jwt(principal, explanation.jwt),
        ]
    )


def _jwt(principal: Principal, source: JwtSource | None) -> Iterator[tuple[str, str]]:
    """Yield what is said of the token that goes beside the principal, and nothing of the token."""
    if source is None:
        return
    there = "passed on" if principal.aux_data is not None else "none here"
    place = f"from the header {source.header}, for the key set {source.key_set}"
    yield "aux_data.jwt", f"{there}; a request's goes {place}"


def _attributes(principal: Principal) -> Iterator[tuple[str, str]]:
    """Yield each attribute as a policy reads it; what is under `auth` has a line each."""
    for name, value in principal.attr.items():
        if name == _AUTH and isinstance(value, dict):
            yield from ((f"attr.{name}.{key}", _json(inner)) for key, inner in value.items())
        else:
            yield f"attr.{name}", _json(value)


def _title_of_checks(explanation: Explanation) -> str:
    if explanation.matched is not None and len(explanation.checks) > 1:
        return f"Checks, of which {explanation.matched.route.require.value} must be allowed"
    return "Check"


def _checks(explanation: Explanation) -> Iterator[str]:
    for check, result in zip_longest(explanation.checks, explanation.results):
        yield from _check(check, result)
    max_age = explanation.matched.route.cache if explanation.matched is not None else None
    if explanation.checks and max_age is not None:
        yield f"cached: `serve` may use an answer again until it is {max_age:g} s old"


def _check(check: Check, result: CheckResult | None) -> Iterator[str]:
    resource = check.resource
    yield f"{_json(check.action)} on {resource.kind} {_json(resource.id)}"
    if resource.policy_version:
        yield f"    policy version {resource.policy_version}"
    if resource.scope:
        yield f"    scope {resource.scope}"
    for name, value in resource.attr.items():
        yield f"    attr.{name} = {_json(value)}"
    if result is not None:
        yield f"    {result.effect.value} by {_policy(result)}"
        if result.derived_roles:
            # Cerbos gives them in another order each time.
            yield f"    derived roles: {', '.join(sorted(result.derived_roles))}"
        for source, value in result.outputs.items():
            yield f"    output {source} = {_json(value)}"
        for error in result.validation_errors:
            yield f"    refused by a schema: {error}"


def _policy(result: CheckResult) -> str:
    if result.policy in ("", _NO_MATCH):
        return "default: no policy is about this"
    return result.policy + (f" in scope {result.matched_scope}" if result.matched_scope else "")


def _decision(record: DecisionRecord | None) -> Iterator[str]:
    if record is None:
        yield _UNASKED
        return
    outcome = record.outcome
    yield _sentence(type(outcome).__name__.lower(), outcome.reason.value, outcome.detail)
    if record.would_be is not None:
        kind = type(record.would_be).__name__.lower()
        told = _sentence(kind, record.would_be.reason.value, record.would_be.detail)
        yield f"without observing it would be {told}"
    if isinstance(outcome, Allow):
        yield from (f"{name}: {value}" for name, value in record.response_headers.items())


def _sentence(kind: str, reason: str, detail: str) -> str:
    return f"{kind}, {reason}" + (f": {detail}" if detail else "")


def _json(value: Any) -> str:  # noqa: ANN401 - whatever JSON can say
    return json.dumps(value, ensure_ascii=False)
