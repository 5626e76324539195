"""What a log may have of a path."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.model import Reason
from authorizer.routing.pattern import Rank
from authorizer.routing.table import Matched, Unmatched

if TYPE_CHECKING:
    from authorizer.routing.pattern import Segment
    from authorizer.routing.reading import Address
    from authorizer.routing.table import RouteTable

REDACTED: Final = "[redacted]"


def shown_path(found: Matched | Unmatched, address: Address, table: RouteTable) -> str:
    """Return the path as the caller sent it, but for what the rules redact.

    Where a URL is ambiguous and any route redacts, nobody knows what of it would have been
    redacted, so nothing is shown.
    """
    if isinstance(found, Unmatched):
        near = any(route.redact for route in found.near)
        unread = table.redacts and found.reason is Reason.AMBIGUOUS_URL
        return REDACTED if near or unread else address.path
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


def _named(segment: Segment) -> str:
    return "+".join(f"{{{name}}}" for name in segment.names)
