"""A connection between a supervisor and one worker."""

from __future__ import annotations

import asyncio
import contextlib
import pickle
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket

_LENGTH: Final = struct.Struct("!I")


class Link:
    """Sends and receives objects.

    They are pickled: both ends are one program in one version, run by one user, on a socket that
    has no name and that nobody else can have.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, connected: socket.socket) -> Link:
        """Return a link over a connected socket, which it closes."""
        return cls(*await asyncio.open_connection(sock=connected))

    def send(self, message: object) -> None:
        """Send an object, soon; to nobody, where the other end is gone."""
        content = pickle.dumps(message)
        self._writer.write(_LENGTH.pack(len(content)) + content)

    async def receive(self) -> object | None:
        """Return the next object, or None when the other end is gone."""
        try:
            (length,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            content = await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        message: object = pickle.loads(content)  # noqa: S301 - from ourselves: see above
        return message

    async def close(self) -> None:
        """Close it, once all is sent."""
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()
        self._writer.close()
        with contextlib.suppress(ConnectionError):
            await self._writer.wait_closed()
