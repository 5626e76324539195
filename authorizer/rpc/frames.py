"""HTTP/2's frames (RFC 9113, 4 and 6), written and read. Pure: bytes in, values out."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from authorizer.rpc.status import BrokenPeer, ErrorCode

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeAlias

    # kind, flags, stream, payload
    Frame: TypeAlias = tuple[int, int, int, bytes]

# Kinds. Plain numbers: an enum's member costs a look-up for each frame.
DATA: Final = 0x0
HEADERS: Final = 0x1
PRIORITY: Final = 0x2
RST_STREAM: Final = 0x3
SETTINGS: Final = 0x4
PUSH_PROMISE: Final = 0x5
PING: Final = 0x6
GOAWAY: Final = 0x7
WINDOW_UPDATE: Final = 0x8
CONTINUATION: Final = 0x9

# Flags.
END_STREAM: Final = 0x1  # of DATA and HEADERS
ACK: Final = 0x1  # of SETTINGS and PING
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
WITH_PRIORITY: Final = 0x20

# Settings.
HEADER_TABLE_SIZE: Final = 0x1
ENABLE_PUSH: Final = 0x2
MAX_CONCURRENT_STREAMS: Final = 0x3
INITIAL_WINDOW_SIZE: Final = 0x4
MAX_FRAME_SIZE: Final = 0x5

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
# What either side may send in a frame, and on a stream or a connection, before anybody says more.
DEFAULT_FRAME_SIZE: Final = 16_384
DEFAULT_WINDOW: Final = 65_535
LARGEST_WINDOW: Final = 2**31 - 1
LARGEST_FRAME_SIZE: Final = 2**24 - 1
LAST_STREAM: Final = 2**31 - 1

_HEAD: Final = struct.Struct(">HBBBI")  # the length's upper 16 bits and its lower 8
_HEAD_SIZE: Final = _HEAD.size
_SETTING: Final = struct.Struct(">HI")
_NUMBER: Final = struct.Struct(">I")
_GOAWAY: Final = struct.Struct(">II")
_PING_SIZE: Final = 8
_PRIORITY_SIZE: Final = 5


def frame(kind: int, flags: int, stream: int, payload: bytes | memoryview) -> bytes:
    """Return a frame as it is sent."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def head(kind: int, flags: int, stream: int, size: int) -> bytes:
    """Return what goes before a payload of `size` bytes."""
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream)


def settings(values: Mapping[int, int]) -> bytes:
    """Return a SETTINGS frame."""
    return frame(SETTINGS, 0, 0, b"".join(_SETTING.pack(*one) for one in values.items()))


def window_update(stream: int, more: int) -> bytes:
    """Return a WINDOW_UPDATE frame: so many bytes more may come."""
    return frame(WINDOW_UPDATE, 0, stream, _NUMBER.pack(more))


def rst_stream(stream: int, code: ErrorCode) -> bytes:
    """Return a RST_STREAM frame: nothing more is sent or wanted on this stream."""
    return frame(RST_STREAM, 0, stream, _NUMBER.pack(code))


def goaway(last: int, code: ErrorCode) -> bytes:
    """Return a GOAWAY frame: no stream after `last` has been looked at."""
    return frame(GOAWAY, 0, 0, _GOAWAY.pack(last, code))


class Frames:
    """Reads frames out of what comes, however it is cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are whole now. Raises BrokenPeer at one that is too long.

        Those before it come first, as they do when the bytes come in other pieces.
        """
        if self._rest:
            data = self._rest + data
            self._rest = b""
        position, size = 0, len(data)
        while size - position >= _HEAD_SIZE:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, position)
            length = high << 8 | low
            if length > DEFAULT_FRAME_SIZE:  # we never allow more
                raise BrokenPeer(ErrorCode.FRAME_SIZE_ERROR, f"a frame of {length} bytes")
            begin = position + _HEAD_SIZE
            if begin + length > size:
                break
            position = begin + length
            # The highest bit is reserved, and ignored.
            yield kind, flags, stream & LAST_STREAM, data[begin:position]
        if position < size:
            self._rest = data[position:]


def content(flags: int, payload: bytes) -> bytes:
    """Return the payload of a DATA or HEADERS frame without what may stand around it."""
    if flags & PADDED:
        if not payload or payload[0] >= len(payload):
            raise BrokenPeer(ErrorCode.PROTOCOL_ERROR, "a frame with more padding than content")
        payload = payload[1 : len(payload) - payload[0]]
    return payload


def without_priority(payload: bytes) -> bytes:
    """Return a header block without the priority that stands before it."""
    if len(payload) < _PRIORITY_SIZE:
        raise BrokenPeer(ErrorCode.FRAME_SIZE_ERROR, "a frame that is too short for its priority")
    return payload[_PRIORITY_SIZE:]


def read_settings(payload: bytes) -> Iterator[tuple[int, int]]:
    """Yield what a SETTINGS frame sets, in order; only values that may be."""
    if len(payload) % _SETTING.size:
        raise BrokenPeer(ErrorCode.FRAME_SIZE_ERROR, "settings that are cut off")
    for name, value in _SETTING.iter_unpack(payload):
        if name == INITIAL_WINDOW_SIZE and value > LARGEST_WINDOW:
            raise BrokenPeer(ErrorCode.FLOW_CONTROL_ERROR, f"a window of {value} bytes")
        if name == MAX_FRAME_SIZE and not DEFAULT_FRAME_SIZE <= value <= LARGEST_FRAME_SIZE:
            raise BrokenPeer(ErrorCode.PROTOCOL_ERROR, f"frames of up to {value} bytes")
        yield name, value


def read_reset(payload: bytes) -> int:
    """Return the error code of a RST_STREAM frame."""
    return _number(payload)


def read_window_update(payload: bytes) -> int:
    """Return how many bytes more may be sent: one at least."""
    more = _number(payload) & LARGEST_WINDOW  # the highest bit is reserved, and ignored
    if not more:
        raise BrokenPeer(ErrorCode.PROTOCOL_ERROR, "a window that is wider by nothing")
    return more


def read_goaway(payload: bytes) -> tuple[int, int]:
    """Return the last stream that was looked at, and the error code."""
    if len(payload) < _GOAWAY.size:
        raise BrokenPeer(ErrorCode.FRAME_SIZE_ERROR, "a GOAWAY that is cut off")
    last, code = _GOAWAY.unpack_from(payload)
    return last & LAST_STREAM, code


def pong(payload: bytes) -> bytes:
    """Return the answer to a PING."""
    if len(payload) != _PING_SIZE:
        raise BrokenPeer(ErrorCode.FRAME_SIZE_ERROR, "a PING that is not of eight bytes")
    return frame(PING, ACK, 0, payload)


def _number(payload: bytes) -> int:
    if len(payload) != _NUMBER.size:
        raise BrokenPeer(ErrorCode.FRAME_SIZE_ERROR, "a number that is not of four bytes")
    (number,) = _NUMBER.unpack(payload)
    return int(number)
