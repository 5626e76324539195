"""From routes to a table: one place for each path, and nothing in it that could tie."""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, combinations, islice
from typing import TYPE_CHECKING, Final

from authorizer.routing.conditions import tie, weight
from authorizer.routing.pattern import ANY_HOST, HostPattern, Rank
from authorizer.routing.table import PathOwner, RouteTable
from authorizer.routing.trie import Trie

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.errors import Problem
    from authorizer.routing.route import Route
    from authorizer.routing.trie import Node

# A thousand segments in one place that all tie are half a million pairs; these say enough.
_MAX_TIES: Final = 100


def tabulate(routes: Sequence[Route], problems: list[Problem]) -> RouteTable:
    """Return the table of compiled routes; repeated ids and ties are added to `problems`."""
    _refuse_repeated_ids(routes, problems)
    tries: dict[HostPattern, Trie[PathOwner]] = defaultdict(Trie)
    tries[ANY_HOST] = Trie()
    for route in routes:
        for host in route.hosts:
            _insert(tries[host], host, route, problems)
    for trie in tries.values():
        _refuse_ties(trie.root, problems)
    suffixes = sorted(
        (host for host in tries if not host.exact and host != ANY_HOST),
        key=lambda host: host.specificity,
    )
    return RouteTable(
        routes=tuple(routes),
        exact_hosts={host.text: trie for host, trie in tries.items() if host.exact},
        suffix_hosts=tuple((host.text, tries[host]) for host in suffixes),
        any_host=tries[ANY_HOST],
        by_id={route.id: route for route in routes},
        redacting=tuple(route for route in routes if route.redact),
    )


def _refuse_repeated_ids(routes: Sequence[Route], problems: list[Problem]) -> None:
    seen: dict[str, Route] = {}
    for route in routes:
        first = seen.setdefault(route.id, route)
        if first is not route:
            message = f"the id `{route.id}` is taken by the route at {first.place}"
            problems.append(route.place.problem(message, "ids are unique over all files"))


def _insert(
    trie: Trie[PathOwner], host: HostPattern, route: Route, problems: list[Problem]
) -> None:
    node = trie.place(route.path)
    tail = route.path.segments[-1:] and route.path.segments[-1].rank is Rank.TAIL
    slot = "tail" if tail else "slash_end" if route.path.trailing_slash else "end"
    owner: PathOwner | None = getattr(node, slot)
    if owner is None:
        owner = PathOwner(route.path, host, route.permits, route.reads)
        setattr(node, slot, owner)
    elif (owner.permits, owner.reads) != (route.permits, route.reads):
        first = owner.routes[0]
        message = (
            f"this route and `{first.id}` at {first.place} have one path but read it in two ways"
        )
        problems.append(route.place.problem(message, "give both the same keys under `match`"))
    alone = (route,)  # one object for the path and all of its methods, where it has one route
    owner.routes = (*owner.routes, route) if owner.routes else alone
    owner.only = None if owner.routes[1:] or route.conditions else route
    for method in sorted(route.methods):
        mapping = owner.by_method.get(method, ())
        for other in mapping:
            if tie(route.conditions, other.conditions):
                why = f"both map {method} on {route.path.text}"
                if route.conditions != other.conditions:
                    why += ", and a request can fulfil the conditions of both"
                problems.append(_tie(route, other, why))
        owner.by_method[method] = (
            alone
            if not mapping
            else tuple(
                sorted(
                    (*mapping, route),
                    key=lambda one: (weight(one.conditions), one.id),
                    reverse=True,
                )
            )
        )
    if route.preflight and owner.preflight is None:
        owner.preflight = route


def _refuse_ties(node: Node[PathOwner], problems: list[Problem]) -> None:
    """Refuse segments in one place of which nobody could say which is more specific."""
    regexes = [entry for entry in node.others if entry[0].rank is Rank.REGEX]
    ties = chain(combinations(regexes, 2), node.mixed.overlaps() if node.mixed else ())
    for (first, first_child), (segment, child) in islice(ties, _MAX_TIES):
        why = f"a segment may fit both `{segment.key}` and `{first.key}`"
        problems.append(_tie(_any_route(child), _any_route(first_child), why))
    for child in node.children():
        _refuse_ties(child, problems)


def _any_route(node: Node[PathOwner]) -> Route:
    while True:
        for owner in (node.end, node.slash_end, node.tail):
            if owner is not None:
                return owner.routes[0]
        node = next(node.children())


def _tie(route: Route, first: Route, why: str) -> Problem:
    message = f"routes `{route.id}` and `{first.id}` ({first.place}) tie: {why}"
    return route.place.problem(message, "nothing depends on order here: make one more specific")
