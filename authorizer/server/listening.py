"""Open an address, serve on it, and close it so that no open request is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from typing import TYPE_CHECKING, Final

from authorizer.config.addresses import TcpAddress, parse_listener
from authorizer.errors import ConfigError
from authorizer.server.accepting import Crowd, Rescue, Taking

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from authorizer.config.origin import Origin
    from authorizer.server.endpoint import Endpoint

# At 16 questions at once, more than half of Oathkeeper's come on a connection of their own.
_BACKLOG: Final = 1024
# Seconds for what did not end in time, twice: to end by itself, and to end when it is cancelled.
_CUT_OFF: Final = 0.25
# Seconds for who was let in at the last moment to ask; a busy machine may not let him at once.
_SETTLE: Final = 0.1


def bind(
    origin: Origin, key: Sequence[str], text: str, *, may_be_reached: bool, processes: int = 1
) -> list[list[socket.socket]]:
    """Return the sockets of an address for each of several processes.

    That is one for each, or one for each address that a name such as localhost has. `text` is the
    setting `key`; an address that is not on loopback is refused unless it `may_be_reached` from
    there. Raises ConfigError that says what to do.
    """
    try:
        address = parse_listener(text)
    except ValueError as error:
        raise _refused(origin, key, str(error)) from None
    # The configuration was held to this too; a listener is never opened past it.
    if not may_be_reached and not address.local:
        message = f"{address} can be reached from other machines, and is not encrypted"
        hint = f"listen on 127.0.0.1, or say `{key[0]}.insecure_plaintext: true`"
        raise _refused(origin, key, message, hint)
    try:
        return _bound(address, processes)
    except OSError as error:
        number = error.errno or 0
        # What a name server says has numbers below zero.
        why = os.strerror(number) if number > 0 else error.strerror or str(error)
        message = f"cannot listen on {address}: {why}"
        raise _refused(origin, key, message, "free the address, or choose another") from error


def address_of(bound: socket.socket) -> TcpAddress:
    """Return where a socket is bound; the port is the real one."""
    host, port = bound.getsockname()[:2]
    return TcpAddress(host, port)


def _refused(origin: Origin, key: Sequence[str], message: str, hint: str = "") -> ConfigError:
    return ConfigError([origin.problem(key, f"`{'.'.join(key)}`: {message}", hint)])


def _bound(address: TcpAddress, processes: int) -> list[list[socket.socket]]:
    found = dict.fromkeys(
        socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    )
    with contextlib.ExitStack() as stack:
        of_each: list[list[socket.socket]] = []
        for process in range(processes):
            sockets: list[socket.socket] = []
            for number, (family, kind, protocol, _, at) in enumerate(found):
                one = stack.enter_context(socket.socket(family, kind, protocol))
                sockets.append(one)
                one.setblocking(False)  # noqa: FBT003 - the signature is socket's
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    # Or it would be every IPv4 address, too.
                    one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                # The first is bound while nobody else may be, another service of ours neither.
                if process:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                    one.bind(of_each[0][number].getsockname())
                else:
                    one.bind(at)
                if processes > 1:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                # Two may be bound to one address, and only one of them may listen.
                one.listen(_BACKLOG)
            of_each.append(sockets)
        stack.pop_all()
    return of_each


class Listener:
    """One address, while it is open."""

    def __init__(
        self,
        endpoint: Endpoint,
        sockets: Sequence[socket.socket],
        others: Sequence[socket.socket] = (),
    ) -> None:
        """Prepare to serve on `sockets`; `others` are those of other processes at this address.

        All of them are ours to close from now on.
        """
        self._endpoint = endpoint
        self._sockets = sockets
        self._others = others
        self._servers: list[asyncio.Server | Crowd | Rescue] = []
        self.address = address_of(sockets[0])

    async def start(self, context: ssl.SSLContext | None, handshake_timeout: float) -> None:
        """Serve, with a `context` TLS: a client has `handshake_timeout` seconds for that."""
        loop = asyncio.get_running_loop()
        timeout = None if context is None else handshake_timeout
        taking = Taking(self._endpoint, context, timeout)
        crowd = Crowd(self._sockets, taking)
        self._servers.append(crowd)
        for one in self._sockets:
            server = await loop.create_server(
                crowd,
                sock=one,
                backlog=_BACKLOG,
                ssl=context,
                ssl_handshake_timeout=timeout,
            )
            self._servers.append(server)
        if self._others:
            self._servers.append(Rescue(self._others, taking))

    async def close(self, timeout: float) -> None:  # noqa: ASYNC109 - what the open requests get
        """Accept nothing more, and answer what is open within `timeout` seconds."""
        for server in self._servers:
            server.close()
        # The kernel accepts on a socket while any process has it open: nobody would answer then.
        for one in (*self._sockets, *self._others):
            one.close()
        # A connection that was accepted at the last moment has yet to become a request.
        await asyncio.sleep(_SETTLE)
        # aiohttp's own shutdown stops reading at once, in the middle of a body too.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, timeout - _SETTLE - 2 * _CUT_OFF)):
                await self._endpoint.quiet()
        # A handshake that is under way may end later than we do.
        self._endpoint.let_nobody_in()
        self._endpoint.pre_shutdown()
        await self._endpoint.shutdown(_CUT_OFF)
