"""What a log may have of a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.model import Reason
from authorizer.routing.pattern import Rank
from authorizer.routing.reading import Ambiguous, read
from authorizer.routing.table import Matched, Unmatched

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.routing.pattern import Segment
    from authorizer.routing.reading import Address, Reading
    from authorizer.routing.route import Route
    from authorizer.routing.table import RouteTable

REDACTED: Final = "[redacted]"


def shown_path(found: Matched | Unmatched, address: Address, table: RouteTable) -> str:
    """Return the path as the caller sent it, but for what the rules redact.

    Where a URL is ambiguous and any route redacts, nobody knows what of it would have been
    redacted, so nothing is shown. A path that no route owns is shown up to where one that begins
    like it would redact: what somebody sent to `/reset/TOKEN/` and a typo is a token all the same.
    """
    if isinstance(found, Unmatched):
        near = any(route.redact for route in found.near)
        unread = bool(table.redacting) and found.reason is Reason.AMBIGUOUS_URL
        return REDACTED if near or unread else _unowned(address.path, table.redacting)
    redact = found.route.redact
    if not redact:
        return address.path
    wire = found.reading.wire
    shown: list[str] = []
    for number, segment in enumerate(found.route.path.segments):
        if segment.rank is Rank.TAIL:
            shown += [_named(segment)] if redact & set(segment.names) else wire[number:]
        else:
            shown.append(_named(segment) if redact & set(segment.names) else wire[number])
    return "/" + "/".join(shown) + ("/" if found.reading.trailing_slash else "")


def _unowned(path: str, redacting: Sequence[Route]) -> str:
    if not redacting:
        return path
    readings = read(path)
    if isinstance(readings, Ambiguous):
        return REDACTED
    # A path that needs a loosening and has no owner is ambiguous, so there is one reading.
    reading = readings[0]
    cuts = [hidden for route in redacting if (hidden := _cut(route, reading)) is not None]
    return "/" + "/".join((*reading.wire[: min(cuts)], REDACTED)) if cuts else path


def _cut(route: Route, reading: Reading) -> int | None:
    """Return how many segments are shown of what begins like a route; None for all of them."""
    hidden = _first_hidden(route)
    if len(reading.segments) <= hidden:
        return None
    ahead = zip(route.path.segments[:hidden], reading.segments, strict=False)
    return hidden if all(segment.fits_folded(value) for segment, value in ahead) else None


def _first_hidden(route: Route) -> int:
    """Return the number of the first segment, from 0, with a redacted capture."""
    return next(
        number
        for number, segment in enumerate(route.path.segments)
        if route.redact & set(segment.names)
    )


def _named(segment: Segment) -> str:
    return "+".join(f"{{{name}}}" for name in segment.names)
