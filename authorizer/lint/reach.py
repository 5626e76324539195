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
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from authorizer.errors import MalformedRequest
from authorizer.lint.expansion import expand, samples
from authorizer.model import Reason
from authorizer.routing.pattern import Rank
from authorizer.routing.reading import Ambiguous, locate
from authorizer.routing.table import Matched

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from authorizer.lint.access_rules import AccessRule
    from authorizer.lint.urlpattern import Prefix
    from authorizer.routing.pattern import HostPattern, PathPattern, Segment
    from authorizer.routing.route import Route
    from authorizer.routing.table import RouteTable, Unmatched

_UUID: Final = "123e4567-e89b-42d3-a456-426614174000"
_SAMPLES: Final = {
    Rank.INT: ("42",),
    Rank.UUID: (_UUID,),
    Rank.SLUG: ("a-b", "acme"),
    Rank.ANY: ("a", "42", _UUID),
    Rank.TAIL: ("a", "a/b"),
    Rank.MIXED: ("a", "42"),
}
# Paths of access rules that are laid over each route's, and paths that are tried for one route.
_MAX_WRITTEN: Final = 256
_MAX_PATHS: Final = 64
_MAX_ORIGINS: Final = 16
_OWNED: Final = frozenset((Reason.METHOD_NOT_MAPPED, Reason.CONDITION_NOT_MAPPED))
# What callers write as it stands (RFC 3986, pchar). Encoded, it would be another spelling:
# `42%3Apay` is refused where both `{id}` and `{id}:pay` are routes.
_PLAIN: Final = "/:@!$&'()*+,;="


@dataclass(frozen=True, slots=True)
class Reach:
    """What was seen. `rules` and `methods` by route id; `uncovered` by access rule.

    `passing` are rules that match a route's URLs and do not ask us, `lacking` those that do ask and
    have none of its methods.
    """

    rules: Mapping[str, tuple[AccessRule, ...]]
    methods: Mapping[str, frozenset[str]]
    passing: Mapping[str, tuple[AccessRule, ...]]
    lacking: Mapping[str, tuple[AccessRule, ...]]
    uncovered: Mapping[AccessRule, tuple[Prefix, ...]]


def explore(table: RouteTable, rules: Sequence[AccessRule]) -> Reach:
    """Return which of the access rules reach which routes of the table."""
    readable = [rule for rule in rules if rule.pattern is not None]
    written = _Written(readable)
    origins = _origins(readable)
    seen: dict[str, _Seen] = {}
    covered: dict[AccessRule, set[str]] = defaultdict(set)
    for route in table.routes:
        one = seen[route.id] = _Seen()
        urls = _urls(route, written, origins)
        for rule, path, methods in _meetings(route, table, readable, urls):
            one.note(rule, path, methods)
        for rule, paths in one.reaching.items():
            covered[rule] |= paths
    return Reach(
        rules={name: tuple(one.reaching) for name, one in seen.items()},
        methods={name: frozenset(one.methods) for name, one in seen.items()},
        passing={name: tuple(one.passing) for name, one in seen.items()},
        lacking={name: tuple(one.lacking) for name, one in seen.items()},
        uncovered={
            rule: tuple(_uncovered(rule, table, covered[rule])) for rule in readable if rule.asks
        },
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of one route, as in `Reach`; `reaching` has the paths on which a rule does."""

    reaching: dict[AccessRule, set[str]] = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)
    passing: dict[AccessRule, None] = field(default_factory=dict)
    lacking: dict[AccessRule, None] = field(default_factory=dict)

    def note(self, rule: AccessRule, path: str, methods: Collection[str]) -> None:
        """Note a rule that matches a path of the route, for these of its methods."""
        if methods and rule.asks:
            self.reaching.setdefault(rule, set()).add(path)
            self.methods.update(methods)
        elif methods:
            self.passing[rule] = None
        elif rule.asks:
            self.lacking[rule] = None


def _meetings(
    route: Route,
    table: RouteTable,
    rules: Iterable[AccessRule],
    urls: Iterable[tuple[str, str]],
) -> Iterator[tuple[AccessRule, str, Collection[str]]]:
    """Yield rules that match URLs of a route: the path, and the route's methods that a rule has."""
    for origin, path in urls:
        for rule in rules:
            if not _matches(rule, origin + path):
                continue
            common = _common(rule, route)
            asked = common or route.methods
            if owned := {one for one in asked if _owns(route, table, origin, path, one)}:
                yield rule, path, owned if common else ()


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


def _owns(route: Route, table: RouteTable, origin: str, path: str, method: str) -> bool:
    """Say whether a URL is the route's, should its conditions hold too."""
    found = _match(table, origin, path, method)
    if isinstance(found, Matched):
        return found.route is route or _place(found.route) == _place(route)
    return found is not None and found.reason is Reason.CONDITION_NOT_MAPPED


def _place(route: Route) -> tuple[object, ...]:
    """Return what routes with one path have in common."""
    path = route.path
    return (path.trailing_slash, *((segment.rank, segment.key) for segment in path.segments))


def _covers(table: RouteTable, origin: str, path: str) -> bool:
    """Say whether a route owns the path, whatever methods it maps."""
    found = _match(table, origin, path, "GET")
    return isinstance(found, Matched) or (found is not None and found.reason in _OWNED)


def _match(table: RouteTable, origin: str, path: str, method: str) -> Matched | Unmatched | None:
    """Return what the table says of a request for a decoded path; None for no plain host."""
    try:
        address = locate(origin + quote(path, safe=_PLAIN))
    except MalformedRequest:
        return None
    return None if isinstance(address, Ambiguous) else table.match(address, method)


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


def _origins(rules: Iterable[AccessRule]) -> tuple[str, ...]:
    found = {
        origin: None
        for rule in rules
        if rule.pattern is not None
        for origin in rule.pattern.origins
    }
    return tuple(found)[:_MAX_ORIGINS]


def _urls(route: Route, written: _Written, origins: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield URLs that may be the route's: (origin, decoded path)."""
    paths = _paths(route.path, written)
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


def _paths(pattern: PathPattern, written: _Written) -> Sequence[str]:
    """Return paths that fit a pattern: its captures by samples, and by what access rules say."""
    choices = [_choices(segment) for segment in pattern.segments]
    found = {
        tuple(values[min(number, len(values) - 1)] for values in choices): None
        for number in range(max(map(len, choices), default=1))
    }
    captures = tuple(
        number
        for number, segment in enumerate(pattern.segments)
        if segment.rank is not Rank.LITERAL
    )
    plain = [values[0] for values in choices]
    for words in written.at(captures, len(choices)):
        path = list(plain)
        for number, word in zip(captures, words, strict=True):
            path[number] = _overlaid(pattern.segments[number], plain[number], word)
        found[tuple(path)] = None
    slash = "/" if pattern.trailing_slash else ""
    return ["/" + "/".join(path) + slash for path in itertools.islice(found, _MAX_PATHS)]


class _Written:
    """The paths that access rules have, cut into words."""

    def __init__(self, rules: Iterable[AccessRule]) -> None:
        found = {
            tuple(path.split("/")[1:]): None
            for rule in rules
            if rule.pattern is not None
            for path in rule.pattern.paths
        }
        self._paths = tuple(found)[:_MAX_WRITTEN]
        self._known: dict[tuple[tuple[int, ...], int], tuple[tuple[str, ...], ...]] = {}

    def at(self, places: tuple[int, ...], length: int) -> tuple[tuple[str, ...], ...]:
        """Return the words in these places of paths of this length, each combination once.

        Kept, as the routes of one API have few shapes.
        """
        known = self._known.get((places, length))
        if known is None:
            found = {
                tuple(padded[place] for place in places): None
                for path in self._paths
                for padded in (_padded(path, length),)
            }
            known = self._known[places, length] = tuple(found)
        return known


def _padded(words: Sequence[str], length: int) -> list[str]:
    """Return as many words as a path has segments; a tail takes those that are left."""
    kept = [*words[:length], *[""] * (length - len(words))]
    if length and len(words) > length:
        kept[-1] = "/".join(words[length - 1 :])
    return kept


def _overlaid(segment: Segment, sample: str, word: str) -> str:
    if segment.rank is Rank.TAIL:
        return word or sample
    word = word.partition("/")[0]
    return word if word and segment.fits(word) else sample


def _choices(segment: Segment) -> tuple[str, ...]:
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
    is_tail = segment.rank is Rank.TAIL
    return tuple(text for text in made if is_tail or segment.fits(text)) or (*made[:1], "a")


def _mixed(segment: Segment, sample: str) -> str:
    first, *rest = segment.texts
    return first + "".join(sample + text for text in rest)
