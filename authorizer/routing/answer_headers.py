"""The headers that a route adds to a 200, for Oathkeeper to pass on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authorizer.errors import ExpressionError
from authorizer.expressions.cel import Bindings
from authorizer.model import Effect
from authorizer.routing.vocabulary import principal_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from authorizer.model import AccessRequest, CheckResult, JsonValue, Principal
    from authorizer.routing.table import Matched


def answer_headers(
    matched: Matched,
    request: AccessRequest,
    principal: Principal | None = None,
    results: Iterable[CheckResult] = (),
) -> Mapping[str, str]:
    """Return a route's own headers. Each is there: one that has nothing to say is empty.

    Oathkeeper overwrites a header that it is told to forward with what we say, also with nothing,
    so that a caller's own never gets through.
    """
    templates = matched.route.response_headers
    if not templates:
        return {}
    names: dict[str, Any] = {
        "outputs": _outputs(results),
        "path": matched.path,
        "subject": request.subject,
        "principal": {} if principal is None else principal_names(principal),
    }
    bindings = Bindings(names)
    headers = {}
    for name, template in templates.items():
        try:
            headers[name] = _text(template.evaluate(bindings))
        except ExpressionError:
            headers[name] = ""
    return headers


def _outputs(results: Iterable[CheckResult]) -> dict[str, JsonValue]:
    """Return outputs by the name of their rule: `resource.document.vdefault#fields` is `fields`.

    What an allowed check says comes before what a denied one says: with `require: any` the request
    passes for the one, and not for the other.
    """
    outputs: dict[str, JsonValue] = {}
    for result in sorted(results, key=lambda result: result.effect is not Effect.ALLOW):
        for source, value in result.outputs.items():
            outputs.setdefault(source.rpartition("#")[2], value)
    return outputs


def _text(value: JsonValue) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() else repr(value)
        case list() if all(isinstance(item, str) for item in value):
            return ", ".join(map(str, value))
        case _:
            return ""
