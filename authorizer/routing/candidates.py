"""Which routes came near a request, and why each of them lost. For people: `match` decides.

Every route is looked at, one after the other, by its own pattern: slow, obvious, and independent
of the trie, which therefore has to agree with it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final

from authorizer.model import Reason
from authorizer.routing.methods import mapping
from authorizer.routing.pattern import Rank
from authorizer.routing.reading import Ambiguous, read
from authorizer.routing.route import Reads
from authorizer.routing.table import Matched, Unmatched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.routing.asked import Asked
    from authorizer.routing.pattern import HostPattern, PathPattern, Segment
    from authorizer.routing.reading import Address, Reading
    from authorizer.routing.route import Route
    from authorizer.routing.table import RouteTable

# Of routes that come nearest when none fits, this many help.
_MAX_NEAREST: Final = 3


class Verdict(enum.StrEnum):
    """What became of a candidate. All but the first say why it does not own the request."""

    OWNS = "owns"
    CONTESTED = "contested"
    CUT_TWICE = "cut_in_two_ways"
    UNDECLARED = "reading_not_declared"
    OTHER_METHOD = "method_not_mapped"
    OTHER_CONDITION = "condition_not_mapped"
    LESS_SPECIFIC_PATH = "less_specific_path"
    LESS_SPECIFIC_HOST = "less_specific_host"
    OTHER_HOST = "other_host"
    OTHER_PATH = "other_path"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A route that the request might have been meant for. `detail` is for a person."""

    route: Route
    verdict: Verdict
    detail: str


def candidates(
    table: RouteTable, address: Address, asked: Asked, found: Matched | Unmatched
) -> tuple[Candidate, ...]:
    """Return the routes that came near, the most specific first.

    `asked` is what `match` was asked, beside the address, and `found` what it said.

    These are all whose path fits the URL in some reading. Where there is none, the nearest that
    the host has. None at all where the URL cannot be read.
    """
    readings = read(address.path)
    if isinstance(readings, Ambiguous):
        return ()
    near = found.near if isinstance(found, Unmatched) else (found.route,)
    fitting = [
        (route, fits)
        for route in table.routes
        if (fits := [reading for reading in readings if _fits(route, reading)]) or route in near
    ]
    if not fitting:
        return _nearest(table, address.host, readings[0])
    fitting.sort(key=lambda pair: _specificity(pair[0], address.host))
    judge = _Judge(address.host, asked, found, near or _first(fitting, address.host))
    return tuple(Candidate(route, *judge.verdict(route, fits)) for route, fits in fitting)


def _first(fitting: Sequence[tuple[Route, list[Reading]]], host: str) -> tuple[Route, ...]:
    """Return the most specific route that takes the URL as it reads it, if there is one."""
    takes = (
        route
        for route, readings in fitting
        if _host(route, host) is not None and _is_permitted(route, readings)
    )
    return tuple(takes)[:1]


def _is_permitted(route: Route, readings: Sequence[Reading]) -> bool:
    return any(reading.needs <= route.permits for reading in readings)


class _Judge:
    """Says why a route of which the path fits does or does not own the request.

    `near` are the routes that it is between: the owner, or those that contest.
    """

    def __init__(
        self, host: str, asked: Asked, found: Matched | Unmatched, near: tuple[Route, ...]
    ) -> None:
        self.host = host
        self.asked = asked
        self.found = found
        self.near = near
        self.contested = isinstance(found, Unmatched) and found.reason is Reason.AMBIGUOUS_URL

    def verdict(self, route: Route, fitting: Sequence[Reading]) -> tuple[Verdict, str]:
        """Return the verdict on a route, and its detail; `fitting` are the readings that it fits.

        There is none only for a route that takes the URL in a reading that nobody declared.
        """
        host = _host(route, self.host)
        if host is None:
            names = " or ".join(f"`{pattern}`" for pattern in route.hosts)
            return Verdict.OTHER_HOST, f"it is only for the host {names}"
        if isinstance(self.found, Matched) and route is self.found.route:
            return Verdict.OWNS, "a preflight request" if self.found.preflight else ""
        if fitting and not _is_permitted(route, fitting):
            missing = sorted(need.value for need in fitting[0].needs - route.permits)
            keys = " and ".join(f"`{key}`" for key in missing)
            return Verdict.UNDECLARED, f"it would take the URL if it declared {keys}"
        for number, winner in enumerate(self.near):
            if _is_same_path(route, winner) and host == _host(winner, self.host):
                return self._contest(number) if self.contested else self._same_path(route)
        return _less_specific(route, self.near[0], self.host)

    def _contest(self, number: int) -> tuple[Verdict, str]:
        if len(self.near) == 1:
            return Verdict.CUT_TWICE, "a segment can be cut into its captures in two ways"
        if number == 0:
            return Verdict.CONTESTED, "as the URL is written, it is this route's"
        return Verdict.CONTESTED, "by another reading, the URL is this route's"

    def _same_path(self, route: Route) -> tuple[Verdict, str]:
        """Say why another route of the path that owns the request was taken, or none was."""
        method = self.asked.method
        entry = mapping(route, method)
        if entry is None:
            listed = " ".join(sorted(route.methods)) or "none but a preflight's"
            return Verdict.OTHER_METHOD, f"the methods that it maps are {listed}"
        if isinstance(self.found, Matched) and entry != mapping(self.found.route, method):
            return Verdict.OTHER_METHOD, "another route of this path maps the method more closely"
        return Verdict.OTHER_CONDITION, self._conditions(route)

    def _conditions(self, route: Route) -> str:
        if isinstance(self.found, Unmatched) and self.found.reason is Reason.MAPPING_FAILED:
            return f"nobody can say whether its conditions hold: {self.found.detail}"
        failed = sorted(str(one) for one in route.conditions if not one.holds(self.asked))
        if failed:
            return "it is only for requests with " + " and ".join(f"`{one}`" for one in failed)
        return "another route of this path has more conditions that hold"


def _less_specific(route: Route, winner: Route, host: str) -> tuple[Verdict, str]:
    mine, best = _host(route, host), _host(winner, host)
    if mine is not None and best is not None and mine != best:
        detail = f"the host `{best}` of {winner.id} is more specific than `{mine}`"
        return Verdict.LESS_SPECIFIC_HOST, detail
    for number, (segment, other) in enumerate(
        zip(route.path.segments, winner.path.segments, strict=False), start=1
    ):
        if (segment.rank, segment.key) != (other.rank, other.key):
            detail = f"{_piece(other)} of {winner.id} is more specific than {_piece(segment)}"
            return Verdict.LESS_SPECIFIC_PATH, f"in segment {number}, {detail}"
    return Verdict.LESS_SPECIFIC_PATH, f"only the trailing slash tells it from {winner.id}"


def _nearest(table: RouteTable, host: str, reading: Reading) -> tuple[Candidate, ...]:
    """Return the routes of the host that part from the URL last, and say where."""
    ranked = []
    for route in table.routes:
        if _host(route, host) is None:
            continue
        depth = _common(route.path, reading)
        if depth or not reading.segments:
            likeness = _likeness(route.path, reading, depth)
            longer = abs(len(route.path.segments) - len(reading.segments))
            ranked.append(((-depth, -likeness, longer, route.id), route, depth))
    ranked.sort(key=lambda entry: entry[0])
    return tuple(
        Candidate(route, Verdict.OTHER_PATH, _parting(route.path, reading, depth))
        for _, route, depth in ranked[:_MAX_NEAREST]
    )


def _common(pattern: PathPattern, reading: Reading) -> int:
    """Return how many segments fit, from the left."""
    depth = 0
    for segment, value in zip(pattern.segments, reading.segments, strict=False):
        if not segment.fits(value):
            break
        depth += 1
    return depth


def _likeness(pattern: PathPattern, reading: Reading, depth: int) -> float:
    """Return how much the segment where they part looks like what was meant; 0.0 to 1.0."""
    if depth >= len(pattern.segments) or depth >= len(reading.segments):
        return 0.0
    return SequenceMatcher(None, pattern.segments[depth].key, reading.segments[depth]).ratio()


def _parting(pattern: PathPattern, reading: Reading, depth: int) -> str:
    if depth < len(pattern.segments) and depth < len(reading.segments):
        expected, value = _piece(pattern.segments[depth]), reading.segments[depth]
        return f"segment {depth + 1} of the URL, `{value}`, does not fit {expected}"
    if depth < len(pattern.segments):
        return f"the URL ends before segment {depth + 1}, {_piece(pattern.segments[depth])}"
    if depth < len(reading.segments):
        return f"the URL goes on behind segment {depth}, where this path ends"
    there = "has a trailing slash" if reading.trailing_slash else "has no trailing slash"
    return f"the URL {there}, and here that is another path"


def _fits(route: Route, reading: Reading) -> bool:
    """Say whether a route's path takes a reading, whatever the reading needs."""
    pattern, values = route.path, reading.segments
    expected = pattern.segments
    if expected and expected[-1].rank is Rank.TAIL:
        expected = expected[:-1]
        has_length = len(values) > len(expected)
    else:
        # A trailing slash more is dropped, unless the route tells the two apart.
        is_dropped = not pattern.trailing_slash and Reads.SLASH_STRICT not in route.reads
        has_slash = pattern.trailing_slash is reading.trailing_slash or is_dropped
        has_length = len(values) == len(expected) and has_slash
    return has_length and all(
        segment.fits(value) for segment, value in zip(expected, values, strict=False)
    )


def _host(route: Route, host: str) -> HostPattern | None:
    """Return the most specific of a route's hosts that the request's host fits, or None."""
    fitting = [pattern for pattern in route.hosts if _fits_host(pattern, host)]
    return min(fitting, key=lambda pattern: pattern.specificity, default=None)


def _fits_host(pattern: HostPattern, host: str) -> bool:
    return host == pattern.text if pattern.exact else host.endswith(pattern.text)


def _is_same_path(route: Route, other: Route) -> bool:
    return _place(route.path) == _place(other.path)


def _place(pattern: PathPattern) -> tuple[tuple[tuple[Rank, str], ...], bool]:
    """Return what makes two paths one: not the names of captures."""
    keys = tuple((segment.rank, segment.key) for segment in pattern.segments)
    return keys, pattern.trailing_slash


def _specificity(route: Route, host: str) -> tuple[object, ...]:
    """Return what routes are ordered by; smaller is more specific. Other hosts come last."""
    pattern = _host(route, host)
    hosts = (0, pattern.specificity) if pattern is not None else (1, (0, 0))
    return (hosts, _place(route.path), route.id)


def _piece(segment: Segment) -> str:
    """Return a segment of a pattern as it was written, but for a regex's name."""
    match segment.rank:
        case Rank.LITERAL:
            return f"`{segment.key}`"
        case Rank.MIXED:
            names = (*(f"{{{name}}}" for name in segment.names), "")
            return f"`{''.join(map(str.__add__, segment.texts, names))}`"
        case _:
            name = segment.names[0]
            return f"`{segment.key.replace('{', '{' + name, 1)}`"
