"""Principals that were built before, for the next request of the same session.

Oathkeeper sends the same bytes of `extra` with every request of one session (Go writes the keys of
an object in order). What was built from them is kept, and with it the message that the PDP gets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from authorizer.bounded import Bounded
from authorizer.model import Deny

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import AccessRequest, Principal
    from authorizer.principals.profiles import Built, Profiles

DEFAULT_LIMIT: Final = 16 * 1024 * 1024

# The whole of it and not a hash, so that nobody can collide into another's principal. The subject
# too: two users of one OAuth client may share all of `extra`.
_Key: TypeAlias = tuple[tuple[str, ...], str, bytes]


class KeptPrincipals:
    """Keeps what one snapshot's profiles built; what was not used for longest goes first.

    `limit` is in bytes of memory, estimated so that it errs upwards. What was refused is not kept,
    and neither is what comes without the bytes that it was read from, nor a request's token.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._entries: Bounded[_Key, _Entry] = Bounded(limit)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """The bytes that are kept, by the same estimate as the limit."""
        return self._entries.size

    def extra_of(
        self, profiles: tuple[str, ...], subject: str, text: bytes
    ) -> Mapping[str, Any] | None:
        """Return what the JSON `text` says where it was read, and checked, before; else None."""
        entry = self._entries.peek((profiles, subject, text))
        return None if entry is None else entry.extra

    def identify(self, request: AccessRequest, profiles: Profiles, now: float) -> Principal | Deny:
        """Return what `profiles.identify` does, which must be the same profiles every time.

        `now` is Unix time in seconds: whether the session or token is still good is asked anew.
        """
        if request.extra is not None and not request.extra_bytes:
            # Without bytes, nothing tells one `extra` from another.
            return profiles.identify(request, now)
        key = (request.profiles, request.subject, request.extra_bytes)
        entry = self._entries.peek(key)
        if entry is not None:
            self._entries.use(key)
            return entry.built.principal_of(request, now)
        built = profiles.build(request, now)
        if isinstance(built, Deny):
            return built
        self._entries.put(key, _Entry(request.extra, built), _size(key))
        return built.principal_of(request, now)


class _Entry(msgspec.Struct, frozen=True, gc=False):
    extra: Mapping[str, Any] | None
    built: Built


def _size(key: _Key) -> int:
    """Return about how many bytes an entry takes, at most: measured, between once and twice that.

    That is the key, the objects of `extra` and of the principal, and the message: traits are in it
    twice. Many small objects take far more than one long text.
    """
    _, subject, text = key
    containers = text.count(b"{") + text.count(b"[")
    members = text.count(b":")
    items = text.count(b",")
    # A character of a text that has an emoji anywhere in it takes four bytes.
    return 2048 + 4 * len(subject) + 7 * len(text) + 128 * containers + 128 * members + 24 * items
