"""Browsers that open pages: each sends all requests of a page at once, and waits for all answers.

    python -m bench.measuring.browser HOST:PORT FILE BROWSERS SECONDS AT_ONCE

FILE holds a question in each line; so many of them in a row are a page. What is timed is a page:
wrk can send them one by one only. Each browser has its own connections, as many.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import uvloop

from bench.measuring.clients import closed_loop

if TYPE_CHECKING:
    from collections.abc import Sequence

_OK: Final = b"HTTP/1.1 200 "
_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length: "


class Connection(asyncio.Protocol):
    """Asks one question at a time, and takes note of nothing but that it was answered with 200."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[None] | None = None
        self._read = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep it."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail who waits."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(exc or ConnectionError("closed"))

    def data_received(self, data: bytes) -> None:
        """Tell who waits once the answer is whole."""
        self._read += data
        head, end, body = self._read.partition(_END)
        if not end or self._answered is None:
            return
        length = int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0] or 0)
        if len(body) < length:
            return
        self._read = b""
        if head.startswith(_OK):
            self._answered.set_result(None)
        else:
            self._answered.set_exception(AssertionError(head.decode()))

    def ask(self, request: bytes) -> asyncio.Future[None]:
        """Return what is done when the answer is there. Raises AssertionError unless it is 200."""
        self._answered = asyncio.get_running_loop().create_future()
        if self._transport is not None:  # as it is once there is a connection
            self._transport.write(request)
        return self._answered


def request(body: bytes) -> bytes:
    """Return a question as HTTP."""
    return (
        b"POST /authorize HTTP/1.1\r\nHost: api.example.test\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
    )


def read(path: Path, at_once: int) -> list[list[bytes]]:
    """Return the pages of a FILE."""
    requests = [request(line) for line in path.read_bytes().splitlines()]
    return [requests[start : start + at_once] for start in range(0, len(requests), at_once)]


async def main(target: str, pages: Sequence[Sequence[bytes]], browsers: int, seconds: float) -> str:
    """Open pages, and return the figures as JSON."""
    at_once = len(pages[0])
    host, port = target.rsplit(":", 1)
    loop = asyncio.get_running_loop()
    connections = [
        [(await loop.create_connection(Connection, host, int(port)))[1] for _ in range(at_once)]
        for _ in range(browsers)
    ]

    async def ask(number: int, page: Sequence[bytes]) -> None:
        await asyncio.gather(*map(Connection.ask, connections[number], page))

    return await closed_loop(ask, pages, in_flight=browsers, seconds=seconds, answers_each=at_once)


if __name__ == "__main__":
    target, path, browsers, seconds, at_once = sys.argv[1:]
    pages = read(Path(path), int(at_once))
    print(uvloop.run(main(target, pages, int(browsers), float(seconds))))
