"""Questions that came before in the very same bytes, on routes whose answers are kept.

A browser that polls asks the same thing again and again, and Oathkeeper words it the same each
time. What such bytes say, which route owns it and what is asked of the PDP is all known from the
first time; only whether the session is still good, and whether the answer is, has to be seen anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from authorizer.bounded import Bounded

if TYPE_CHECKING:
    from authorizer.model import AccessRequest

Q = TypeVar("Q")

DEFAULT_LIMIT: Final = 16 * 1024 * 1024

# All of a question, and not a hash: nobody can collide into another's. The token beside it, too.
_Key: TypeAlias = tuple[bytes, tuple[str, ...]]


class Repeats(Generic[Q]):
    """Keeps what one snapshot made of questions; what was not used for longest goes first.

    `limit` is in bytes of memory, estimated so that it errs upwards.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._entries: Bounded[_Key, _Entry] = Bounded(limit)

    def __len__(self) -> int:
        return len(self._entries)

    def request(self, text: bytes, authorization: tuple[str, ...]) -> AccessRequest | None:
        """Return the request that a body asks about where the same came before, else None."""
        if not self._entries:
            return None  # no route keeps answers: the bytes need not be looked at
        entry = self._entries.peek((text, authorization))
        return None if entry is None else entry.request

    def question(self, request: AccessRequest) -> Q | None:
        """Return what was made of this very request, as `request` returned it; else None."""
        if not request.text or not self._entries:
            return None
        key = (request.text, request.authorization)
        entry = self._entries.peek(key)
        if entry is None or entry.request is not request:
            return None
        self._entries.use(key)
        return entry.question  # type: ignore[no-any-return] # as it was kept

    def keep(self, request: AccessRequest, question: Q) -> None:
        """Keep what was made of a request; one whose bytes are not at hand is not kept."""
        if request.text:
            key = (request.text, request.authorization)
            self._entries.put(key, _Entry(request, question), _size(key))


class _Entry(msgspec.Struct, frozen=True, gc=False):
    request: AccessRequest
    question: Any


def _size(key: _Key) -> int:
    """Return about how many bytes an entry takes, at most: as for a principal, of which it is all.

    That one may have gone already, so that its `extra` is ours alone.
    """
    text, authorization = key
    containers = text.count(b"{") + text.count(b"[")
    parts = text.count(b":") + text.count(b",")
    return 6144 + 8 * len(text) + 128 * (containers + parts) + 4 * sum(map(len, authorization))
