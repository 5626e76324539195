"""A place to call: connects when it is first called, and connects again when that was lost."""

from __future__ import annotations

import asyncio
import ssl
from socket import SOCK_STREAM
from typing import TYPE_CHECKING, Final

import structlog
from aiohappyeyeballs import start_connection

from authorizer.backoff import Backoff
from authorizer.config.addresses import UnixAddress
from authorizer.rpc.call import prefixed
from authorizer.rpc.connection import Connection
from authorizer.rpc.frames import DEFAULT_FRAME_SIZE
from authorizer.rpc.headers import request_block, timeout_field
from authorizer.rpc.status import CallFailed, Code

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

    from authorizer.config.addresses import Address, TcpAddress

# Of one attempt, from the name to the other side's first words: a stopped machine accepts a
# connection and then says nothing.
_ATTEMPT: Final = 1.0  # seconds
# Of several addresses of a name, the next is tried when one has not answered for so long.
_NEXT_ADDRESS: Final = 0.2  # seconds
# Who came back is found within half a second.
_PAUSES: Final = Backoff(first=0.1, cap=0.5)
# A call that the other side has not begun is made again, on another connection, so often.
_TRIES: Final = 3
_ALPN: Final = "h2"
# Its fields go in one frame, together with the one that says its timeout.
_LONGEST_METHOD: Final = DEFAULT_FRAME_SIZE - 64

_log = structlog.get_logger()


class Channel:
    """Makes calls to one address, over one connection. Make it where the event loop runs.

    Whoever calls while it connects waits for that. When it could not connect, calls fail at once
    until it could: it tries again by itself, twice a second.
    """

    def __init__(
        self, target: Address, *, tls: ssl.SSLContext | None = None, server_name: str | None = None
    ) -> None:
        """Call `target`, with TLS where there is a context, which is this channel's alone then.

        The other side's certificate must be for `server_name`, or for the target's own.
        """
        self._target = target
        self._tls = tls
        if tls is not None:
            tls.set_alpn_protocols([_ALPN])
        if isinstance(target, UnixAddress):
            host = authority = "localhost"
        else:
            host, authority = target.host.rstrip("."), str(target)
        self._server_name = server_name or host
        self._authority = server_name or authority
        # Python 3.11 makes a system call to find it: up to 5 us each time.
        self._loop = asyncio.get_running_loop()
        self._connection: Connection | None = None
        # Take no more calls, and may have some still.
        self._ending: list[Connection] = []
        self._connecting: asyncio.Task[None] | None = None
        # When it may connect again after it did.
        self._next_at = 0.0
        # Why it could not connect when it last tried.
        self._failure: CallFailed | None = None
        self._waiting: set[asyncio.Future[None]] = set()

    def method(self, path: str, *, secrets: Mapping[str, str] | None = None) -> bytes:
        """Return what `call` takes for a method, and with it the fields that nobody may keep.

        Raises ValueError for what does not fit into a frame.
        """
        block = request_block(
            path, authority=self._authority, secure=self._tls is not None, secrets=secrets
        )
        if len(block) > _LONGEST_METHOD:
            message = f"{path}: its fields are too long for a frame"
            raise ValueError(message)
        return block

    async def call(self, method: bytes, message: bytes, *, seconds: float) -> bytes:
        """Return the answer to a message, or raise CallFailed; after so many seconds in any case.

        What the other side has not begun is sent again, which is no second call to it.
        """
        connection = self._connection
        begun = self._loop.time()
        left, tries = seconds, _TRIES
        message = prefixed(message)
        while True:
            if connection is None or not connection.open:
                connection = await self._connected(left)
                left = begun + seconds - self._loop.time()
            call = connection.begin(method + timeout_field(left), message, left)
            try:
                return await call.future
            except asyncio.CancelledError:
                connection.give_up(call)
                raise
            except CallFailed as failed:
                tries -= 1
                left = begun + seconds - self._loop.time()
                if not failed.unseen or not tries or left <= 0:
                    raise
            finally:
                # What is raised knows this frame, which would know it by the call: garbage that
                # only the collector finds.
                del call

    async def close(self) -> None:
        """Close it: what is being asked fails."""
        self._failure = CallFailed(Code.UNAVAILABLE, "the connection is closed")
        for connection in (*self._ending, self._connection):
            if connection is not None:
                connection.close()
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        self._wake()

    async def _connected(self, seconds: float) -> Connection:
        """Return a connection that takes calls; wait for one that is being made."""
        while self._connection is None or not self._connection.open:
            if self._failure is not None:
                raise self._failure.again()
            if self._connecting is None:
                self._connecting = self._loop.create_task(self._connect(), name="connect")
            woken = self._loop.create_future()
            self._waiting.add(woken)
            began = self._loop.time()
            try:
                async with asyncio.timeout(seconds):
                    await woken
            except TimeoutError:
                text = "no connection in time"
                raise CallFailed(Code.DEADLINE_EXCEEDED, text) from None
            finally:
                self._waiting.discard(woken)
            seconds -= self._loop.time() - began
        return self._connection

    async def _connect(self) -> None:
        """Try until there is a connection."""
        pause: float | None = None
        try:
            # Who lets us in, and hangs up, is not dialled again and again without a pause.
            await asyncio.sleep(self._next_at - self._loop.time())
            while True:
                try:
                    connection = await self._attempt()
                except CallFailed as failed:
                    self._could_not(failed)
                except Exception as error:  # noqa: BLE001 - a fault of ours: not to be tried on and on
                    _log.error("rpc.not_connected", target=str(self._target), exc_info=error)
                    reason = f"cannot connect: {type(error).__name__}"
                    self._could_not(CallFailed(Code.UNAVAILABLE, reason))
                else:
                    self._failure = None
                    self._next_at = self._loop.time() + _PAUSES.first
                    self._replace(connection)
                    return
                pause = _PAUSES.next(pause, worked_for=0)
                await asyncio.sleep(pause)
        finally:
            self._connecting = None
            self._wake()

    def _could_not(self, reason: CallFailed) -> None:
        self._failure = reason
        self._wake()

    def _replace(self, connection: Connection) -> None:
        known = [*self._ending, self._connection]
        self._ending = [one for one in known if one is not None and not one.lost]
        self._connection = connection

    async def _attempt(self) -> Connection:
        connection = Connection(self._loop)
        try:
            async with asyncio.timeout(_ATTEMPT):
                await self._dial(connection)
                await _greeted(connection)
        # TLS's errors and a timeout are OSErrors; a name that can be nobody's is a ValueError.
        except (OSError, ValueError, CallFailed) as error:
            connection.close()
            raise CallFailed(Code.UNAVAILABLE, f"cannot connect: {_why(error)}") from None
        except BaseException:
            connection.close()
            raise
        return connection

    async def _dial(self, connection: Connection) -> None:
        name = None if self._tls is None else self._server_name
        if isinstance(self._target, UnixAddress):
            transport, _ = await self._loop.create_unix_connection(
                lambda: connection, self._target.path, ssl=self._tls, server_hostname=name
            )
        else:
            dialled = await _connected_to(self._target, self._loop)
            try:
                transport, _ = await self._loop.create_connection(
                    lambda: connection, ssl=self._tls, server_hostname=name, sock=dialled
                )
            except BaseException:
                dialled.close()
                raise
        if self._tls is not None:
            spoken = transport.get_extra_info("ssl_object").selected_alpn_protocol()
            if spoken != _ALPN:
                raise CallFailed(Code.UNAVAILABLE, "it does not offer HTTP/2 (ALPN)")

    def _wake(self) -> None:
        for woken in self._waiting:
            if not woken.done():
                woken.set_result(None)


async def _connected_to(target: TcpAddress, loop: asyncio.AbstractEventLoop) -> socket.socket:
    """Return a socket to the first address of a name that is there, each tried soon (RFC 8305)."""
    found = await loop.getaddrinfo(target.host, target.port, type=SOCK_STREAM)
    try:
        return await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS, interleave=1)
    # uvloop has a RuntimeError for some; what is neither leaves that function nothing to raise.
    except (OSError, RuntimeError, IndexError) as error:
        # A frame there knows it: with its traceback, all of us were garbage for the collector only.
        error.__traceback__ = None
        if isinstance(error, OSError):
            raise _bare(error) from None
        message = "no address could be tried"
        raise OSError(message) from None


def _bare(error: OSError) -> OSError:
    return OSError(error.errno, error.strerror) if error.strerror else OSError(str(error))


async def _greeted(connection: Connection) -> None:
    """Wait for the other side's first words."""
    await connection.ready
    if not connection.open:  # else we would come back at once, again and again
        raise CallFailed(Code.UNAVAILABLE, "it ends the connection at once")


def _why(error: OSError | ValueError | CallFailed) -> str:
    match error:
        case CallFailed():
            return error.details
        case TimeoutError():
            return f"no answer within {_ATTEMPT:g} s"
        case OSError(strerror=str() as text) if text and not isinstance(error, ssl.SSLError):
            return text
        case _:
            return str(error)
