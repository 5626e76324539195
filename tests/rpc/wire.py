"""The other side of a connection without a socket: what was written, and the frames to feed.

It shares nothing with the package: frames and blocks are read and written by hyperframe's and
hpack's rules, spelled out.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hpack import Decoder, Encoder

from authorizer.rpc.connection import Connection
from authorizer.rpc.status import CallFailed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from authorizer.rpc.call import Call

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONT = (
    range(10)
)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 0x20
TABLE, PUSH, STREAMS, WINDOW, FRAME_SIZE = range(1, 6)


@dataclass(frozen=True)
class Sent:
    """A frame that was written."""

    kind: int
    flags: int
    stream: int
    payload: bytes

    @property
    def number(self) -> int:
        """What it holds, as one number of 32 bits."""
        assert len(self.payload) == 4
        return int.from_bytes(self.payload)


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    size = len(payload).to_bytes(3)
    return size + bytes((kind, flags)) + stream.to_bytes(4) + payload


def settings(*values: tuple[int, int]) -> bytes:
    payload = b"".join(name.to_bytes(2) + value.to_bytes(4) for name, value in values)
    return frame(SETTINGS, payload=payload)


def number(kind: int, stream: int, value: int) -> bytes:
    """Return a RST_STREAM or WINDOW_UPDATE."""
    return frame(kind, 0, stream, value.to_bytes(4))


def goaway(last: int, code: int = 0, debug: bytes = b"") -> bytes:
    return frame(GOAWAY, payload=last.to_bytes(4) + code.to_bytes(4) + debug)


def block(*fields: tuple[str, str]) -> bytes:
    """Return a header block as who may keep no table writes it."""
    encoder = Encoder()
    encoder.header_table_size = 0
    return encoder.encode(fields)


def headers(stream: int, *fields: tuple[str, str], flags: int = END_HEADERS) -> bytes:
    return frame(HEADERS, flags, stream, block(*fields))


def message(content: bytes, compressed: int = 0) -> bytes:
    return bytes((compressed,)) + len(content).to_bytes(4) + content


START: Final = ((":status", "200"), ("content-type", "application/grpc"))
WELL: Final = (("grpc-status", "0"),)


def answer(stream: int, content: bytes) -> bytes:
    """Return a whole answer, in frames of any size."""
    return (
        headers(stream, *START)
        + frame(DATA, 0, stream, message(content))
        + headers(stream, *WELL, flags=END_HEADERS | END_STREAM)
    )


def fields_of(payload: bytes) -> dict[str, str]:
    return {str(name): str(value) for name, value in Decoder().decode(payload)}


def parse(data: bytes) -> tuple[list[Sent], bytes]:
    """Return the frames in `data`, and what is left of it."""
    found = []
    while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3]):
        size = int.from_bytes(data[:3])
        found.append(Sent(data[3], data[4], int.from_bytes(data[5:9]), data[9 : 9 + size]))
        data = data[9 + size :]
    return found, data


class Transport(asyncio.Transport):
    """Records. Like a real one, it takes nothing once it is closed, and tells of that later."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.unsent = 0
        self.closed = False
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self.closed:
            self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return self.unsent

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Wire:
    """A connection of ours, and the other side's view of it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.transport = Transport()
        self.connection = Connection(loop)
        self.connection.connection_made(self.transport)

    @property
    def open(self) -> bool:
        """Whether calls may be made now."""
        return self.connection.open

    def begun(self) -> list[Sent]:
        """Say the first settings, and return what was written until then."""
        self.feed(settings())
        return self.sent()

    def feed(self, data: bytes) -> None:
        """Let bytes come, unless nobody reads any more."""
        if not self.transport.closed:
            self.connection.data_received(data)

    def feed_each(self, pieces: Iterable[bytes]) -> None:
        for piece in pieces:
            self.feed(piece)

    def sent(self) -> list[Sent]:
        """Return the frames that were written since this was last asked."""
        data = bytes(self.transport.written)
        data = data.removeprefix(PREFACE)
        found, rest = parse(data)
        assert not rest, "frames are written whole"
        assert all(sent.stream < 2**31 for sent in found), "the reserved bit is sent as 0"
        self.transport.written.clear()
        return found

    def call(self, content: bytes = b"?", seconds: float = 10.0, path: str = "/c") -> Call:
        return self.connection.begin(block((":path", path)), message(content), seconds)

    def lose(self, why: Exception | None = None) -> None:
        self.transport.closed = True
        self.connection.connection_lost(why)

    def nothing_left(self) -> bool:
        """Whether nothing is being asked, and nothing is kept for it."""
        kept = self.connection
        return not (kept._calls or kept._waiting or kept._partly)


def failure(call: Call) -> CallFailed:
    """Return how a call has failed."""
    assert call.future.done()
    error = call.future.exception()
    assert isinstance(error, CallFailed)
    return error
