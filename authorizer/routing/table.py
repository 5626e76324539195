"""The route table: which route owns a URL and a method."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import TYPE_CHECKING, Final

import msgspec

from authorizer.model import Reason
from authorizer.routing.asked import Asked, UnreadableQuery
from authorizer.routing.conditions import repeated
from authorizer.routing.methods import stand_ins
from authorizer.routing.pattern import ANY, Rank, Split, may_be_lax
from authorizer.routing.reading import Ambiguous, Loosening, Reading, read
from authorizer.routing.route import Reads
from authorizer.routing.trie import Shape, Trie

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from authorizer.routing.pattern import HostPattern, PathPattern
    from authorizer.routing.reading import Address
    from authorizer.routing.route import Route

# How applications read a path beyond what the segments say; each is tried on its own and with the
# others. A URL is refused where one of them would make it another route's.
_UNDECODED: Final = "with its literals compared undecoded"
_RAW: Final = "compared undecoded"
_FOLDED: Final = "with letters of the other case"
_SUFFIX: Final = "without its suffix"
_MATRIX: Final = "without its matrix parameters"
_COLLAPSED: Final = "without its empty segments"
_EMPTY_TAIL: Final = "with nothing behind its slash"
_LAX: Final = "with a number or a UUID that is written otherwise"
_NEEDED: Final = {
    Loosening.MATRIX_PARAMETERS: _MATRIX,
    Loosening.EMPTY_SEGMENTS: _COLLAPSED,
}
_EXEMPT: Final = {_FOLDED: Reads.CASE_STRICT, _SUFFIX: Reads.SUFFIX_STRICT}


@dataclass(slots=True, eq=False)
class PathOwner:
    """All routes of one path on one host. They agree on how their application reads a URL.

    `permits` are the readings that they declare, `reads` those that they rule out.
    `by_method` has the routes that map a method, those whose conditions say most first. `only` is
    the path's one route, where it has one without conditions: most have, and in a large table each
    object on the way to a route is a wait for memory.
    """

    pattern: PathPattern
    host: HostPattern
    permits: frozenset[Loosening]
    reads: frozenset[Reads]
    routes: tuple[Route, ...] = ()
    by_method: dict[str, tuple[Route, ...]] = field(default_factory=dict)
    preflight: Route | None = None
    only: Route | None = None

    def mapping(self, method: str) -> Sequence[Route]:
        """Return the routes that map a method, by itself or by an entry that stands in for it."""
        routes = self.by_method
        found = routes.get(method)
        if found is not None:
            return found
        if method == "OPTIONS" and self.preflight is not None:
            return (self.preflight,)
        return next((routes[entry] for entry in stand_ins(method) if entry in routes), ())


class Matched(msgspec.Struct, frozen=True, gc=False):
    """The route that owns a request. `path` are its captures, `asked` what it was chosen by."""

    route: Route
    path: Mapping[str, str]
    reading: Reading
    asked: Asked
    preflight: bool = False


class Unmatched(msgspec.Struct, frozen=True, gc=False):
    """No route owns the request; `detail` names those that come near, `near` is those routes.

    For `ambiguous_url` the first of them owns the URL as it is written, the next by another
    reading. For `method_not_mapped` and `condition_not_mapped` they are all routes of the path that
    owns the request.
    """

    reason: Reason
    detail: str
    near: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Compiled routes. Hosts are in the order in which they are asked: most specific first.

    `redacting` are the routes that keep something out of the logs.
    """

    routes: tuple[Route, ...]
    exact_hosts: Mapping[str, Trie[PathOwner]]
    suffix_hosts: tuple[tuple[str, Trie[PathOwner]], ...]
    any_host: Trie[PathOwner]
    by_id: Mapping[str, Route]
    redacting: tuple[Route, ...] = ()

    def match(
        self, address: Address, method: str, headers: Mapping[str, Sequence[str]] | None = None
    ) -> Matched | Unmatched:
        """Return the route for a request, or why there is none; header names in lower case."""
        readings = read(address.path)
        if isinstance(readings, Ambiguous):
            return Unmatched(Reason.AMBIGUOUS_URL, readings.detail)
        tries = self._tries(address.host)
        found = _decide(tries, readings)
        if isinstance(found, Unmatched):
            return found
        owner, reading = found
        asked = Asked(method, address.query, headers or {})
        route = _choose(owner, asked)
        if isinstance(route, Unmatched):
            return route
        keep_slash = reading.trailing_slash and Reads.SLASH_STRICT in owner.reads
        captures = capture(route.path, reading, keep_slash=keep_slash)
        if captures is None:
            detail = f"route {route.id}: a segment can be cut into its captures in two ways"
            return Unmatched(Reason.AMBIGUOUS_URL, detail, (route,))
        preflight = method == "OPTIONS" and method not in owner.by_method
        return Matched(route, captures, reading, asked, preflight and route is owner.preflight)

    def owners(self) -> Iterator[PathOwner]:
        """Yield every path of every host, in the order in which they are asked."""
        for _, trie in sorted(self.exact_hosts.items()):
            yield from trie.owners()
        for _, trie in self.suffix_hosts:
            yield from trie.owners()
        yield from self.any_host.owners()

    def _tries(self, host: str) -> tuple[Trie[PathOwner], ...]:
        if not self.exact_hosts and not self.suffix_hosts:
            return (self.any_host,)
        exact = self.exact_hosts.get(host)
        suffixed = [trie for suffix, trie in self.suffix_hosts if host.endswith(suffix)]
        return (*([] if exact is None else [exact]), *suffixed, self.any_host)


def _choose(owner: PathOwner, asked: Asked) -> Route | Unmatched:
    """Return the route of a path for a request: its method, and the conditions that say most."""
    if owner.only is not None and asked.method in owner.only.methods:
        return owner.only
    routes = owner.mapping(asked.method)
    if len(routes) == 1 and not routes[0].conditions:
        return routes[0]
    near = owner.routes
    path = owner.pattern.text
    if not routes:
        detail = f"no route of {path} maps this method"
        return Unmatched(Reason.METHOD_NOT_MAPPED, detail, near)
    try:
        for route in routes:
            twice = repeated(route.conditions, asked)
            if twice is not None:
                detail = f"route {route.id}: the caller sent {twice.part}.{twice.name} twice"
                return Unmatched(Reason.MAPPING_FAILED, detail, (route,))
        for route in routes:
            if all(condition.holds(asked) for condition in route.conditions):
                return route
    except UnreadableQuery as error:
        return Unmatched(Reason.MAPPING_FAILED, f"{path}: query: {error.reason}", near)
    detail = f"no route of {path} that maps this method has its conditions fulfilled"
    return Unmatched(Reason.CONDITION_NOT_MAPPED, detail, near)


def _decide(
    tries: tuple[Trie[PathOwner], ...], readings: tuple[Reading, ...]
) -> tuple[PathOwner, Reading] | Unmatched:
    """Find the one owner over all permitted readings."""
    found: tuple[PathOwner, Reading] | None = None
    loosening: Unmatched | None = None
    for reading in readings:
        owners = _owners(tries, reading)
        if not owners and not reading.needs:
            continue
        if reading.needs and not any(reading.needs <= owner.permits for owner in owners):
            loosening = loosening or _undeclared(reading.needs, owners)
            continue
        owner, *others = owners
        if others:
            return _contested(owner, others[0], "without its trailing slash")
        rival = _rival(tries, reading, owner)
        if rival is not None:
            return _contested(owner, *rival)
        if found is not None and found[0] is not owner:
            return _contested(found[0], owner, "read in another permitted way")
        found = found or (owner, reading)
    if found is not None:
        return found
    return loosening or Unmatched(Reason.NO_ROUTE, "no route has this host and path")


_WHAT: Final = {
    Loosening.KEEP_SLASH: "an encoded slash",
    Loosening.SPLIT_SLASH: "an encoded slash",
    Loosening.EMPTY_SEGMENTS: "an empty segment",
    Loosening.MATRIX_PARAMETERS: "a semicolon",
}


def _undeclared(needs: frozenset[Loosening], owners: Sequence[PathOwner]) -> Unmatched:
    missing = needs - owners[0].permits if owners else needs
    what = f"the path has {_WHAT[min(missing, key=lambda item: item.value)]}"
    if not owners:
        return Unmatched(Reason.AMBIGUOUS_URL, what)
    keys = " and ".join(sorted(f"`{item.value}`" for item in missing))
    first = owners[0].routes[0]
    detail = f"{what}; route {first.id} would own it if it declared {keys}"
    return Unmatched(Reason.AMBIGUOUS_URL, detail, (first,))


def _contested(owner: PathOwner, other: PathOwner, how: str) -> Unmatched:
    mine, others = owner.routes[0], other.routes[0]
    detail = f"the URL is route {mine.id}'s, but {how} it would be route {others.id}'s"
    return Unmatched(Reason.AMBIGUOUS_URL, detail, (mine, others))


def _find(tries: tuple[Trie[PathOwner], ...], shape: Shape) -> PathOwner | None:
    for trie in tries:
        owner = trie.find(shape)
        if owner is not None:
            return owner
    return None


def _find_all(
    tries: tuple[Trie[PathOwner], ...], shape: Shape, *, fold: bool
) -> Iterable[PathOwner]:
    if not fold:
        owner = _find(tries, shape)
        return () if owner is None else (owner,)
    return next((owners for trie in tries if (owners := trie.find_folded(shape))), ())


def _owners(tries: tuple[Trie[PathOwner], ...], reading: Reading) -> tuple[PathOwner, ...]:
    """Return whose a reading is; two where it has a trailing slash, and either could be meant.

    Most applications ignore the slash (or redirect), so a path that is nobody's as it stands is
    its owner's without; see docs/decisions/0001-trailing-slash.md.
    """
    segments = reading.segments
    strict = _find(tries, Shape(segments, segments, reading.trailing_slash))
    dropped = _find(tries, Shape(segments, segments)) if reading.trailing_slash else None
    if dropped is not None and Reads.SLASH_STRICT in dropped.reads:
        dropped = None
    if strict is None or dropped is None or strict is dropped:
        owner = strict or dropped
        return () if owner is None else (owner,)
    is_ignored = Reads.SLASH_IGNORED in dropped.reads
    is_told_apart = Reads.SLASH_STRICT in strict.reads
    if is_ignored is is_told_apart:
        return (strict, dropped)
    return (dropped,) if is_ignored else (strict,)


def _rival(
    tries: tuple[Trie[PathOwner], ...], reading: Reading, owner: PathOwner
) -> tuple[PathOwner, str] | None:
    """Return who else would own the URL, and by which plausible reading; None if nobody would."""
    for names in _plausible(tries, reading):
        if not owner.reads.isdisjoint(_EXEMPT[name] for name in names if name in _EXEMPT):
            continue
        for trailing_slash in _slashes(reading, owner):
            variant = _variant(reading, names, trailing_slash=trailing_slash)
            is_dropped = reading.trailing_slash and not trailing_slash
            for other in _find_all(tries, variant, fold=_FOLDED in names):
                if other is owner or (is_dropped and Reads.SLASH_STRICT in other.reads):
                    continue
                return other, " and ".join(names)
    return None


def _slashes(reading: Reading, owner: PathOwner) -> tuple[bool, ...]:
    """Return whether the owner's application sees a trailing slash: it may, it may not, or both."""
    if not reading.trailing_slash or Reads.SLASH_IGNORED in owner.reads:
        return (False,)
    return (True,) if Reads.SLASH_STRICT in owner.reads else (True, False)


def _plausible(tries: tuple[Trie[PathOwner], ...], reading: Reading) -> Iterable[tuple[str, ...]]:
    """Return the other plausible readings: what they do, each on its own and with the others."""
    path = "/" + "/".join(reading.segments)
    has_lax = has_upper = False
    for trie in tries:
        has_lax |= trie.has_lax
        has_upper |= trie.has_upper
    names = [] if reading.wire == reading.segments else [_UNDECODED, _RAW]
    if reading.segments and "." in reading.segments[-1]:
        names.append(_SUFFIX)
    if reading.needs:
        names += [name for need, name in _NEEDED.items() if need in reading.needs]
    if reading.trailing_slash:
        names.append(_EMPTY_TAIL)
    if has_lax and may_be_lax(path):
        names.append(_LAX)
    if has_upper or path != path.casefold():
        names.append(_FOLDED)
    if not names:
        return ()  # nearly always; the rest takes 1 us
    sizes = range(1, len(names) + 1)
    chosen = chain.from_iterable(combinations(names, size) for size in sizes)
    # The one says all that the other does.
    return (each for each in chosen if _UNDECODED not in each or _RAW not in each)


def _variant(reading: Reading, names: tuple[str, ...], *, trailing_slash: bool) -> Shape:
    literals = values = reading.segments
    if _UNDECODED in names or _RAW in names:
        literals = reading.wire
    if _RAW in names:
        values = reading.wire
    if _MATRIX in names:
        literals = tuple(text.partition(";")[0] for text in literals)
        values = tuple(text.partition(";")[0] for text in values)
    if _COLLAPSED in names:
        kept = [number for number, text in enumerate(values) if text]
        literals = tuple(literals[number] for number in kept)
        values = tuple(values[number] for number in kept)
    if _SUFFIX in names and values:
        literals = (*literals[:-1], _without_suffix(literals[-1]))
        values = (*values[:-1], _without_suffix(values[-1]))
    return Shape(literals, values, trailing_slash, _EMPTY_TAIL in names, _LAX in names)


def _without_suffix(segment: str) -> str:
    return segment.rpartition(".")[0] or segment


def capture(pattern: PathPattern, reading: Reading, *, keep_slash: bool) -> dict[str, str] | None:
    """Return what a pattern captures of a reading that it fits; None where it could be cut twice.

    An encoded slash reads as a slash in a segment of its own. In a tail it stays encoded: there it
    must not look like one that separates, or two paths would give one resource id. For the same
    reason a tail keeps its trailing slash where the application tells it apart (`keep_slash`).
    """
    captures: dict[str, str] = {}
    for number in pattern.capturing:
        segment = pattern.segments[number]
        if segment.rank is ANY:  # first, as most are
            captures[segment.names[0]] = reading.segments[number]
            continue
        match segment.rank:
            case Rank.TAIL:
                rest = reading.segments[number:]
                tail = "/".join(text.replace("/", "%2F") for text in rest)
                slash = "/" if keep_slash and reading.trailing_slash else ""
                captures[segment.names[0]] = tail + slash
            case Rank.MIXED:
                cut = segment.split(reading.segments[number])
                if cut is None or isinstance(cut, Split):
                    return None
                captures.update(zip(segment.names, cut, strict=True))
            case Rank.UUID:
                captures[segment.names[0]] = reading.segments[number].lower()
            case _:
                captures[segment.names[0]] = reading.segments[number]
    return captures
