"""Heads of requests that came before, by their bytes, as aiohttp's parser read them then.

Whoever asks again and again sends the same head each time, but for the length of the body: Go's
HTTP client does, which Oathkeeper is. The parser makes a URL, a map of headers and a stream of each
of them: a fifth of what a kept answer takes. There is still one opinion on what is HTTP: what is
found here was read by the parser, in the very same bytes and in the same state, at the beginning of
a request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage

_END: Final = b"\r\n\r\n"
# Bytes of one that is kept: those that are longer are each of somebody else's.
_LONGEST: Final = 1024


class Heads:
    """Keeps heads of requests with their bodies' lengths; all are dropped where there are `most`.

    One that has credentials of a caller's is not kept: each caller's is another.
    """

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._known: dict[bytes, tuple[RawRequestMessage, int]] = {}

    def find(self, data: bytes) -> tuple[RawRequestMessage, bytes] | None:
        """Return the head and the body of a request that is just these bytes.

        None where its head is not known, or more or less than its body follows.
        """
        begin = data.find(_END) + len(_END)
        known = self._known.get(data[:begin])
        if known is None or known[1] != len(data) - begin:
            return None
        return known[0], data[begin:]

    def keep(self, data: bytes, message: RawRequestMessage) -> None:
        """Keep the head of a request that is just these bytes, and was read as `message`."""
        begin = data.find(_END) + len(_END)
        if begin > _LONGEST or "Authorization" in message.headers or "Cookie" in message.headers:
            return
        if len(self._known) >= self._most:
            self._known.clear()
        self._known[data[:begin]] = message, len(data) - begin
