"""Another door: the least that answers on this machine, whatever it is sent.

    python -m bench.measuring.door PORT

It answers 503 to each chunk that it reads, and parses nothing: that is an answer to whoever sends a
request in one piece, and waits for it before the next.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import Final, cast

import uvloop

_ANSWER: Final = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"


class Door(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to write to."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - whatever it is
        """Answer."""
        self._transport.write(_ANSWER)


async def serve(port: int) -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopping.set)
    async with await loop.create_server(Door, "127.0.0.1", port, backlog=1_024):
        await stopping.wait()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
