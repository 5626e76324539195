"""Take connections that the event loop does not take, or not in time."""

from __future__ import annotations

import asyncio
import contextlib
import select
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Callable, Sequence

# How often it is looked at the sockets of others, in seconds. One that lives has long taken what
# has come.
_EVERY: Final = 0.02
# How many are taken from each socket at one look, so that others who look have some, too; and that
# who has a connection already does not wait for long.
_SOME: Final = 16
# How many may be about to be let in. Without TLS that takes one turn of the event loop.
_GREETINGS: Final = 64


class Taking:
    """Takes connections from listening sockets, for `protocol`.

    With a `context` there is TLS, within `handshake_timeout` seconds.
    """

    def __init__(
        self,
        protocol: Callable[[], asyncio.Protocol],
        context: ssl.SSLContext | None,
        handshake_timeout: float | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self.protocol = protocol
        self._context = context
        self._handshake_timeout = handshake_timeout
        self._greetings: set[asyncio.Task[object]] = set()

    def some(self, listening: socket.socket) -> None:
        """Take what waits at a socket, but not more than a few.

        Who does not go on with his handshake keeps a file open, and is no connection that is
        counted: while many do so, none are taken here.
        """
        # Somebody else was faster, or there are no more, or no file can be opened now: as libuv
        # does, which hangs up then, or the next look finds it.
        with contextlib.suppress(OSError):
            for _ in range(min(_SOME, _GREETINGS - len(self._greetings))):
                self._accept(listening)

    def _accept(self, listening: socket.socket) -> None:
        connection, _ = listening.accept()
        connection.setblocking(False)  # noqa: FBT003 - the signature is socket's
        greeting = self._loop.create_task(
            self._loop.connect_accepted_socket(
                self.protocol,
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


class Crowd:
    """Takes the connections that have come with one that the event loop has taken.

    uvloop takes one in each of its turns, as libuv does (libuv/libuv#3696). While many questions
    are decided a turn takes milliseconds: callers would come faster than they are let in, until
    the kernel drops their connections, and they try again after a second or three.

    It is the protocol factory of that server: with each connection that is made, it looks for more.
    """

    def __init__(self, sockets: Sequence[socket.socket], taking: Taking) -> None:
        self._loop = asyncio.get_running_loop()
        self._sockets = sockets
        self._taking = taking
        self._look: asyncio.Handle | None = None

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a connection that was made, and look for more soon."""
        if self._look is None:
            self._look = self._loop.call_soon(self._take)
        return self._taking.protocol()

    def close(self) -> None:
        """Take no more. The sockets are not closed."""
        if self._look is not None:
            self._look.cancel()

    def _take(self) -> None:
        self._look = None
        for one in self._sockets:
            self._taking.some(one)


class Rescue:
    """Takes what waits at sockets whose own processes are dead, stopped or busy.

    Each of several processes has a socket of its own at one address, as the kernel then deals
    connections out evenly. But what it has dealt to one that died would wait for the next one.
    """

    def __init__(self, sockets: Sequence[socket.socket], taking: Taking) -> None:
        self._loop = asyncio.get_running_loop()
        self._taking = taking
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
            self._taking.some(self._sockets[descriptor])
