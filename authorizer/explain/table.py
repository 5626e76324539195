"""The table of routes as the matcher sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from authorizer.source.names import short_name, short_place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from authorizer.routing.route import CheckTemplate, Route
    from authorizer.routing.table import PathOwner, RouteTable

_HEADINGS: Final = (
    "HOST", "PATH", "METHODS", "IF", "ROUTE", "ASKS", "READS", "CACHE", "MODE", "PLACE",
)  # fmt: skip
_NOTHING: Final = "-"
_PREFLIGHT: Final = "OPTIONS (preflight)"


def table_text(table: RouteTable) -> str:
    """Return a line for each path and route, the most specific first, under a line of headings.

    A column in which no route has anything is left out.
    """
    every = [_HEADINGS, *(_row(owner, route) for owner, route in _routes(table))]
    columns = [column for column in zip(*every, strict=True) if {*column[1:]} != {_NOTHING}]
    rows = list(zip(*columns, strict=True))
    widths = [max(map(len, column)) for column in columns]
    return "".join(
        "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        + "\n"
        for row in rows
    )


def table_data(table: RouteTable) -> list[dict[str, Any]]:
    """Return an object for each path and route, the most specific first, as JSON can say it."""
    return [
        {
            "host": str(owner.host),
            "path": route.path.text,
            "methods": sorted(route.methods),
            "conditions": _conditions(route),
            "preflight": route is owner.preflight,
            "route": route.id,
            "description": route.description,
            "effect": route.effect.value if route.effect is not None else None,
            "require": route.require.value,
            "checks": [_check_data(check) for check in route.checks],
            "reading": _reading(route),
            "cache_seconds": route.cache,
            "profiles": sorted(route.profiles),
            "response_headers": {
                name: template.text for name, template in route.response_headers.items()
            },
            "redact": sorted(route.redact),
            "mode": _mode(route),
            "file": short_name(route.place.source),
            "line": route.place.line,
        }
        for owner, route in _routes(table)
    ]


def _routes(table: RouteTable) -> Iterator[tuple[PathOwner, Route]]:
    for owner in table.owners():
        for route in owner.routes:
            yield owner, route


def _row(owner: PathOwner, route: Route) -> tuple[str, ...]:
    return (
        str(owner.host),
        route.path.text,
        " ".join(_methods(owner, route)),
        ", ".join(_conditions(route)) or _NOTHING,
        route.id,
        _asks(route),
        ", ".join(_reading(route)) or _NOTHING,
        _NOTHING if route.cache is None else f"{route.cache:g}s",
        _mode(route),
        short_place(route.place),
    )


def _methods(owner: PathOwner, route: Route) -> Iterator[str]:
    yield from sorted(route.methods)
    if route is owner.preflight:
        yield _PREFLIGHT


def _asks(route: Route) -> str:
    if route.effect is not None:
        return f"nothing: {route.effect.value}"
    if not route.checks:
        return "nothing: a preflight only"
    asked = [_check(check) for check in route.checks]
    return asked[0] if len(asked) == 1 else f"{route.require.value} of " + "; ".join(asked)


def _check(check: CheckTemplate) -> str:
    actions = check.actions
    listed = ", ".join(
        f"{method} {action.text}" if method else action.text
        for method, action in sorted(actions.items())
    )
    return f"{check.resource.kind.text} {check.resource.id.text}: {listed}"


def _check_data(check: CheckTemplate) -> dict[str, Any]:
    return {
        "kind": check.resource.kind.text,
        "id": check.resource.id.text,
        "actions": {method or "*": action.text for method, action in check.actions.items()},
    }


def _reading(route: Route) -> Sequence[str]:
    return sorted(item.value for item in (*route.permits, *route.reads))


def _conditions(route: Route) -> Sequence[str]:
    return sorted(map(str, route.conditions))


def _mode(route: Route) -> str:
    return "observe" if route.observe else "enforce"
