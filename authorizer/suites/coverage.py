"""Which routes and methods no case touches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from authorizer.routing.route import Route
    from authorizer.routing.table import RouteTable
    from authorizer.suites.case import Result

_PREFLIGHT: Final = "OPTIONS"


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is tested. `missed` has the routes with untouched methods, in the order of the files.

    `methods` and `touched` count pairs of a route and a method that it maps. HEAD counts as GET
    where it follows it; a preflight request counts for the route that answers it.
    """

    routes: int
    methods: int
    touched: int
    missed: tuple[tuple[Route, tuple[str, ...]], ...]

    @property
    def percent(self) -> float:
        """The share of the methods that cases touch; 100.0 means all of them."""
        return 100.0 * self.touched / self.methods if self.methods else 100.0


def measure(table: RouteTable, results: Iterable[Result]) -> Coverage:
    """Return the coverage of a table by the cases that were run, whatever became of them."""
    items = {(route.id, method) for route in table.routes for method in route.methods}
    items |= {
        (owner.preflight.id, _PREFLIGHT)
        for owner in table.owners()
        if owner.preflight is not None and _PREFLIGHT not in owner.by_method
    }
    touched = items & {result.touched for result in results if result.touched is not None}
    missed: dict[str, list[str]] = {}
    for route, method in sorted(items - touched):
        missed.setdefault(route, []).append(method)
    routes = sorted(
        (table.by_id[route] for route in missed),
        key=lambda route: (route.place.source, route.place.line),
    )
    return Coverage(
        routes=len(table.routes),
        methods=len(items),
        touched=len(touched),
        missed=tuple((route, tuple(missed[route.id])) for route in routes),
    )
