"""An HTTP/2 server of another make (`h2`), which says so when the client breaks the protocol."""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
from h2.config import H2Configuration

from authorizer.config.addresses import TcpAddress

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from typing import TypeAlias

    from h2.settings import SettingCodes

    Behaviour: TypeAlias = "Callable[[Stream], Awaitable[None]]"

START: Final = ((":status", "200"), ("content-type", "application/grpc"))
WELL: Final = (("grpc-status", "0"),)


def message(content: bytes) -> bytes:
    return b"\0" + len(content).to_bytes(4) + content


class Stream:
    """A call, as the server has it."""

    def __init__(self, peer: Peer, number: int, headers: Mapping[str, str]) -> None:
        self.peer = peer
        self.number = number
        self.headers = headers
        self.body = bytearray()
        self.whole: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.reset: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def question(self) -> bytes:
        """Return the message once it is whole."""
        await self.whole
        assert self.body[:5] == b"\0" + (len(self.body) - 5).to_bytes(4)
        return bytes(self.body[5:])

    def start(self, *fields: tuple[str, str], end: bool = False) -> None:
        self.peer.h2.send_headers(self.number, fields or START, end_stream=end)
        self.peer.flush()

    async def say(self, data: bytes, *, padding: int | None = None) -> None:
        """Send data as the client has room for it."""
        while data:
            size = min(
                self.peer.h2.local_flow_control_window(self.number) - (padding or 0) - 1, 16_000
            )
            if size <= 0:
                self.peer.room.clear()
                await self.peer.room.wait()
                continue
            self.peer.h2.send_data(self.number, data[:size], pad_length=padding)
            self.peer.flush()
            data = data[size:]

    def end(self, *fields: tuple[str, str]) -> None:
        self.peer.h2.send_headers(self.number, fields or WELL, end_stream=True)
        self.peer.flush()

    async def answer(self, content: bytes) -> None:
        self.start()
        await self.say(message(content))
        self.end()

    def refuse(self, code: int = h2.errors.ErrorCodes.REFUSED_STREAM) -> None:
        self.peer.h2.reset_stream(self.number, code)
        self.peer.flush()


class Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: Server) -> None:
        self.server = server
        config = H2Configuration(client_side=False, header_encoding="utf-8",
                                 validate_outbound_headers=False)  # fmt: skip
        self.h2 = h2.connection.H2Connection(config)
        self.streams: dict[int, Stream] = {}
        self.room = asyncio.Event()
        self.transport: asyncio.Transport
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is one by what it does, and not by its class.
        transport = self.transport = cast("asyncio.Transport", transport)
        self.server.peers.append(self)
        if self.server.first is not None:
            transport.write(self.server.first)
            if self.server.first_is_last:
                transport.close()
            return
        if self.server.settings:
            self.h2.local_settings = h2.settings.Settings(
                client=False, initial_values=dict(self.server.settings)
            )
            self.h2.max_inbound_frame_size = self.h2.local_settings.max_frame_size
        self.h2.initiate_connection()
        self.flush()

    def flush(self) -> None:
        self.transport.write(self.h2.data_to_send())

    def data_received(self, data: bytes) -> None:
        self.server.bytes += len(data)
        if self.server.first is not None:
            return
        try:
            events = self.h2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.server.broken.append(error)
            self.transport.abort()
            return
        for event in events:
            self._take(event)
        self.flush()

    def _take(self, event: Any) -> None:  # noqa: ANN401 - of many kinds
        match event:
            case h2.events.RequestReceived():
                stream = Stream(self, event.stream_id, dict(map(_text, event.headers)))
                self.streams[event.stream_id] = stream
                self.server.begin(stream)
            case h2.events.DataReceived():
                self.streams[event.stream_id].body += event.data
                self.server.largest = max(self.server.largest, len(event.data))
                if self.server.gives_room:
                    size = event.flow_controlled_length
                    self.h2.acknowledge_received_data(size, event.stream_id)
            case h2.events.StreamEnded():
                self.streams[event.stream_id].whole.set_result(None)
            case h2.events.StreamReset():
                stream = self.streams[event.stream_id]
                if not stream.reset.done():
                    stream.reset.set_result(event.error_code)
            case h2.events.WindowUpdated() | h2.events.RemoteSettingsChanged():
                self.room.set()
            case h2.events.ConnectionTerminated():
                self.server.farewells.append(event.error_code)
            case _:
                self.server.others[type(event).__name__] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.server.gone += 1
        self.lost.set_result(None)


def _text(field: Any) -> tuple[str, str]:  # noqa: ANN401 - h2 says bytes, and gives text
    name, value = field
    return str(name), str(value)


class Server:
    """What it does with a call is `behave`; with `first` it speaks no HTTP/2 but says that."""

    def __init__(self, behave: Behaviour, settings: Mapping[SettingCodes, int]) -> None:
        self.behave = behave
        self.settings = settings
        self.first: bytes | None = None
        self.first_is_last = False
        self.gives_room = True
        self.peers: list[Peer] = []
        self.broken: list[Exception] = []
        self.farewells: list[Any] = []
        self.others: defaultdict[str, int] = defaultdict(int)
        self.largest = self.bytes = self.gone = self.calls = 0
        self.target = TcpAddress("127.0.0.1", 0)
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, stream: Stream) -> None:
        self.calls += 1
        task = asyncio.get_running_loop().create_task(self._serve(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, stream: Stream) -> None:
        await self.behave(stream)

    async def end(self) -> None:
        for peer in self.peers:
            peer.transport.abort()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        # What a behaviour asserts fails the test.
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def echo(stream: Stream) -> None:
    await stream.answer(await stream.question())


@asynccontextmanager
async def serving(
    behave: Behaviour = echo,
    *,
    settings: Mapping[SettingCodes, int] | None = None,
    tls: ssl.SSLContext | None = None,
    port: int = 0,
    broken: bool = False,
) -> AsyncIterator[Server]:
    """Serve; at the end, the client must have kept to the protocol, unless it is `broken`."""
    server = Server(behave, settings or {})
    listener = await asyncio.get_running_loop().create_server(
        lambda: Peer(server), "127.0.0.1", port, ssl=tls
    )
    server.target = TcpAddress("127.0.0.1", listener.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listener.close()
        await server.end()
    if not broken:
        assert not server.broken
