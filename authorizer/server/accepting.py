"""Take connections that another process should have taken."""

from __future__ import annotations

import asyncio
import contextlib
import select
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Sequence

# How often it is looked, in seconds. One that lives has long taken what has come.
_EVERY: Final = 0.02
# How many are taken from each socket at one look, so that others who look have some, too.
_SOME: Final = 16


class Rescue:
    """Takes what waits at sockets whose own processes are dead, stopped or busy.

    Each of several processes has a socket of its own at one address, as the kernel then deals
    connections out evenly. But what it has dealt to one that died would wait for the next one.
    """

    def __init__(
        self,
        sockets: Sequence[socket.socket],
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        handshake_timeout: float | None,
    ) -> None:
        """Begin. With a `context` there is TLS, within `handshake_timeout` seconds."""
        self._loop = asyncio.get_running_loop()
        self._protocol = protocol
        self._context = context
        self._handshake_timeout = handshake_timeout
        self._greetings: set[asyncio.Task[object]] = set()
        self._sockets = {one.fileno(): one for one in sockets}
        self._poll = select.poll()
        for descriptor in self._sockets:
            self._poll.register(descriptor, select.POLLIN)
        self._timer = self._loop.call_later(_EVERY, self._look)

    def close(self) -> None:
        """Take no more. The sockets are not closed."""
        self._timer.cancel()

    def _look(self) -> None:
        self._timer = self._loop.call_later(_EVERY, self._look)
        for descriptor, _ in self._poll.poll(0):
            # Somebody else was faster, or it hung up, or no file can be opened now.
            with contextlib.suppress(OSError):
                for _ in range(_SOME):
                    self._accept(self._sockets[descriptor])

    def _accept(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.setblocking(False)  # noqa: FBT003 - the signature is socket's
        greeting = self._loop.create_task(
            self._loop.connect_accepted_socket(
                self._protocol,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=self._handshake_timeout,
            )
        )
        self._greetings.add(greeting)
        greeting.add_done_callback(self._greeted)

    def _greeted(self, greeting: asyncio.Task[object]) -> None:
        self._greetings.discard(greeting)
        if not greeting.cancelled():
            greeting.exception()  # a handshake that failed: asyncio's own server is silent, too
