"""Which access rules reach which routes, by example.

Two regular languages with look-arounds are not intersected exactly; they are tried. The URLs that
are tried come from both sides: each route's path with samples for its captures (among them the
words that access rules have in that place), on the origins that access rules have; and samples of
each access rule's own pattern. What was seen is certain. What was not seen is a suspicion, and
what is said of it is a warning.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from authorizer.lint.expansion import expand, samples
from authorizer.model import Reason
from authorizer.routing.pattern import Rank
from authorizer.routing.reading import Ambiguous, locate
from authorizer.routing.table import Matched

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from authorizer.lint.access_rules import AccessRule
    from authorizer.lint.urlpattern import Prefix
    from authorizer.routing.pattern import HostPattern, PathPattern, Segment
    from authorizer.routing.route import Route
    from authorizer.routing.table import RouteTable

_UUID: Final = "123e4567-e89b-42d3-a456-426614174000"
_SAMPLES: Final = {
    Rank.INT: ("42",),
    Rank.UUID: (_UUID,),
    Rank.SLUG: ("a-b", "acme"),
    Rank.ANY: ("a", "42", _UUID),
    Rank.TAIL: ("a", "a/b"),
    Rank.MIXED: ("a", "42"),
}
# Words of access rules that are tried in one place, and URLs that are tried for one route.
_MAX_WORDS: Final = 12
_MAX_PATHS: Final = 64
_MAX_ORIGINS: Final = 16
_OWNED: Final = frozenset((Reason.METHOD_NOT_MAPPED, Reason.CONDITION_NOT_MAPPED))


@dataclass(frozen=True, slots=True)
class Reach:
    """What was seen. `rules` and `methods` by route id; `uncovered` by access rule.

    `passing` are rules that match a route's URLs and do not ask us.
    """

    rules: Mapping[str, tuple[AccessRule, ...]]
    methods: Mapping[str, frozenset[str]]
    passing: Mapping[str, tuple[AccessRule, ...]]
    uncovered: Mapping[AccessRule, tuple[Prefix, ...]]


def explore(table: RouteTable, rules: Sequence[AccessRule]) -> Reach:
    """Return which of the access rules reach which routes of the table."""
    readable = [rule for rule in rules if rule.pattern is not None]
    words = _words(readable)
    origins = _origins(readable)
    by_route: dict[str, tuple[AccessRule, ...]] = {}
    methods: dict[str, frozenset[str]] = {}
    passing: dict[str, tuple[AccessRule, ...]] = {}
    covered: dict[AccessRule, set[str]] = defaultdict(set)
    for route in table.routes:
        reaching: dict[AccessRule, None] = {}
        seen: set[str] = set()
        others: dict[AccessRule, None] = {}
        for origin, path in _urls(route, words, origins):
            for rule in readable:
                if not _matches(rule, origin + path):
                    continue
                common = _common(rule, route)
                owned = any(_owner(table, origin, path, method) is route for method in common)
                if owned and rule.asks:
                    reaching[rule] = None
                    seen |= common
                    covered[rule].add(path)
                elif owned:
                    others[rule] = None
        by_route[route.id] = tuple(reaching)
        methods[route.id] = frozenset(seen)
        passing[route.id] = tuple(others)
    return Reach(
        by_route,
        methods,
        passing,
        {rule: tuple(_uncovered(rule, table, covered[rule])) for rule in readable if rule.asks},
    )


def _matches(rule: AccessRule, url: str) -> bool:
    return rule.pattern is not None and rule.pattern.matches(url)


def _common(rule: AccessRule, route: Route) -> frozenset[str]:
    """Return the methods of an access rule that a route maps."""
    mapped = set(route.methods)
    if "*" in mapped:
        return rule.methods
    if "GET" in mapped:
        mapped.add("HEAD")
    if route.preflight:
        mapped.add("OPTIONS")
    return rule.methods & mapped


def _owner(table: RouteTable, origin: str, path: str, method: str) -> Route | None:
    address = locate(origin + quote(path, safe="/"))
    if isinstance(address, Ambiguous):
        return None
    found = table.match(address, method)
    return found.route if isinstance(found, Matched) else None


def _covers(table: RouteTable, origin: str, path: str) -> bool:
    """Say whether a route owns the path, whatever methods it maps."""
    address = locate(origin + quote(path, safe="/"))
    if isinstance(address, Ambiguous):
        return False
    found = table.match(address, "GET")
    return isinstance(found, Matched) or found.reason in _OWNED


def _uncovered(rule: AccessRule, table: RouteTable, covered: Iterable[str]) -> Iterator[Prefix]:
    """Yield the beginnings of an access rule's paths below which no route was seen.

    A rule that has everything (`/<.*>`) is passed over: to ask about paths without a route, so
    that they are denied and logged, is what it is for.
    """
    pattern = rule.pattern
    if pattern is None:
        return
    seen = list(covered)
    for prefix in {one.path: one for one in pattern.prefixes}.values():
        if not prefix.whole and prefix.path in ("", "/"):
            continue
        if any(path == prefix.path or _below(path, prefix) for path in seen):
            continue
        own = [path for path in pattern.paths if path == prefix.path or _below(path, prefix)]
        if not any(_covers(table, origin, path) for origin in pattern.origins for path in own):
            yield prefix


def _below(path: str, prefix: Prefix) -> bool:
    return not prefix.whole and path.startswith(prefix.path)


def _words(rules: Iterable[AccessRule]) -> Mapping[int, Sequence[str]]:
    """Return the words that access rules have in each place of a path."""
    found: dict[int, dict[str, None]] = defaultdict(dict)
    for rule in rules:
        for path in rule.pattern.paths if rule.pattern is not None else ():
            for number, word in enumerate(path.split("/")[1:]):
                if word and len(found[number]) < _MAX_WORDS:
                    found[number][word] = None
    return {number: tuple(words) for number, words in found.items()}


def _origins(rules: Iterable[AccessRule]) -> tuple[str, ...]:
    found = {
        origin: None
        for rule in rules
        if rule.pattern is not None
        for origin in rule.pattern.origins
    }
    return tuple(found)[:_MAX_ORIGINS]


def _urls(
    route: Route, words: Mapping[int, Sequence[str]], origins: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Yield URLs that may be the route's: (origin, decoded path)."""
    paths = list(_paths(route.path, words))
    for host in route.hosts:
        for origin in _origins_of(host, origins):
            for path in paths:
                yield origin, path


def _origins_of(host: HostPattern, origins: Sequence[str]) -> tuple[str, ...]:
    """Return the origins on which a route with this host is asked for."""
    if host.text == "":
        return tuple(origins)
    name = host.text if host.exact else f"a{host.text}"
    found: dict[str, None] = {}
    for origin in origins:
        scheme, _, authority = origin.partition("://")
        own, colon, port = authority.partition(":")
        if not host.exact and own.endswith(host.text):
            found[origin] = None
        found[f"{scheme}://{name}{colon}{port}"] = None
    for scheme in ("http", "https"):
        found[f"{scheme}://{name}"] = None
    return tuple(found)


def _paths(pattern: PathPattern, words: Mapping[int, Sequence[str]]) -> Iterator[str]:
    """Yield paths that fit a pattern, first those in which every capture is another sample."""
    choices = [
        _choices(segment, words.get(number, ())) for number, segment in enumerate(pattern.segments)
    ]
    slash = "/" if pattern.trailing_slash or not pattern.segments else ""
    for combination in itertools.islice(itertools.product(*choices), _MAX_PATHS):
        yield "/" + "/".join(combination) + ("" if not combination else slash)


def _choices(segment: Segment, words: Sequence[str]) -> tuple[str, ...]:
    match segment.rank:
        case Rank.LITERAL:
            return (segment.key,)
        case Rank.MIXED:
            made = [_mixed(segment, sample) for sample in _SAMPLES[Rank.MIXED]]
        case Rank.REGEX:
            regex = segment.key.removeprefix("{:/").removesuffix("/}")
            made = [text for expansion in expand(regex) for text in samples(expansion)]
        case rank:
            made = list(_SAMPLES[rank])
    tail = segment.rank is Rank.TAIL
    fitting = [text for text in (*made, *words) if tail or segment.fits(text)]
    return tuple(dict.fromkeys(fitting)) or tuple(made[:1]) or ("a",)


def _mixed(segment: Segment, sample: str) -> str:
    first, *rest = segment.texts
    return first + "".join(sample + text for text in rest)
