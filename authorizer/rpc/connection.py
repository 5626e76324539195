"""One HTTP/2 connection, and the calls on it (RFC 9113, and gRPC's PROTOCOL-HTTP2.md).

A call is a stream: we send a header block and one message, and get a header block, one message
and the trailers that say what became of it. Everything happens in the event loop's callbacks, and
nothing waits but who awaits a call's future.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Final, cast

from authorizer.rpc import frames, headers
from authorizer.rpc.call import LARGEST_ANSWER, Call, without_status
from authorizer.rpc.status import BrokenPeer, CallFailed, Code, ErrorCode, named, of_reset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# What may come on a stream is all of an answer, so that no call ever has to ask for more; and on
# the connection so much more than that, that it is topped up before anybody waits.
_STREAM_WINDOW: Final = LARGEST_ANSWER + frames.DEFAULT_FRAME_SIZE
_WINDOW: Final = 4 * LARGEST_ANSWER
# What is written and not yet taken by the kernel, in bytes: beyond it, nothing new is begun.
_UNSENT: Final = 1024 * 1024
# What one asks for that we have to answer, while it does not read what we answer.
_UNREAD: Final = 1_000
# How long a connection that is over may take to say so, in seconds. Who does not read would keep it
# for ever, and TLS waits for half a minute for the other side's farewell.
_FAREWELL: Final = 1.0
# A header block may be cut into so many frames; more only keep us busy.
_CUTS: Final = 64

_HELLO: Final = (
    frames.PREFACE
    + frames.settings(
        {
            frames.HEADER_TABLE_SIZE: 0,
            frames.ENABLE_PUSH: 0,
            frames.INITIAL_WINDOW_SIZE: _STREAM_WINDOW,
        }
    )
    + frames.window_update(0, _WINDOW - frames.DEFAULT_WINDOW)
)


class Connection(asyncio.Protocol):
    """Makes calls, as many at once as the other side allows; the others wait for their turn.

    `ready` is done when the other side has said that it speaks HTTP/2, or fails with CallFailed.
    `open` tells whether calls may be made: not before that, and not when it is to end.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.ready: asyncio.Future[None] = loop.create_future()
        self.open = False
        self._loop = loop
        self._frames = frames.Frames()
        self._blocks = headers.Blocks()
        self._calls: dict[int, Call] = {}
        # Have no stream yet, as there are enough, or as nothing is being read.
        self._waiting: deque[Call] = deque()
        # Have a stream, and a rest of their message that the other side has no room for.
        self._partly: dict[int, Call] = {}
        self._next = 1
        self._streams = frames.LAST_STREAM  # the most at once
        self._frame_size = frames.DEFAULT_FRAME_SIZE
        self._stream_window = frames.DEFAULT_WINDOW
        self._window = frames.DEFAULT_WINDOW
        self._received = 0  # bytes that the other side does not know to be taken
        self._paused = False
        self._unread = 0
        # The one kind of frame that may come next, where there is but one.
        self._expected: int | None = frames.SETTINGS
        # A header block of which more frames are to come: its stream, flags, and pieces.
        self._block: tuple[int, int, list[bytes]] = (0, 0, [])
        self._reason: CallFailed | None = None
        self._transport: asyncio.Transport | None = None
        self._last_resort: asyncio.TimerHandle | None = None

    # --- what is asked of it

    @property
    def lost(self) -> bool:
        """Whether there is nothing left of it, or nothing yet."""
        return self._transport is None

    def begin(self, block: bytes, message: bytes, seconds: float) -> Call:
        """Make a call that has so many seconds. Do so only while it is `open`."""
        call = Call(block, message, self._loop.create_future())
        call.timer = self._loop.call_later(seconds, self._expire, call)
        if self._paused or self._waiting or len(self._calls) >= self._streams:
            self._waiting.append(call)
        else:
            self._send(call)
        return call

    def give_up(self, call: Call) -> None:
        """End a call that nobody waits for any more."""
        if call.number in self._calls:
            self._write(frames.rst_stream(call.number, ErrorCode.CANCEL))
            self._end(call)
        elif not call.number:
            self._forget(call)

    def close(self) -> None:
        """End it at once; what is being asked fails."""
        self._break(CallFailed(Code.UNAVAILABLE, "the connection was closed"), ErrorCode.NO_ERROR)

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say first what we speak."""
        self._transport = cast("asyncio.Transport", transport)
        if self._reason is not None:
            self._transport.abort()  # it was given up while it was made
            return
        self._transport.set_write_buffer_limits(_UNSENT)
        self._transport.write(_HELLO)

    def data_received(self, data: bytes) -> None:
        """Take what comes."""
        if self._transport is None or self._transport.is_closing():
            return  # TLS hands on what it has read while it is being closed
        try:
            for kind, flags, number, payload in self._frames.feed(data):
                if self._expected is not None and kind != self._expected:
                    raise self._unexpected()
                take = self._takes.get(kind)
                if take is not None:  # RFC 9113, 4.1: what nobody knows is ignored
                    take(self, number, flags, payload)
        except BrokenPeer as error:
            reason = f"it does not speak HTTP/2 as agreed: {error.details}"
            self._break(CallFailed(Code.UNAVAILABLE, reason), error.code)

    def pause_writing(self) -> None:
        """Begin nothing new: the other side does not read."""
        self._paused = True

    def resume_writing(self) -> None:
        """Begin what waited."""
        self._paused, self._unread = False, 0
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is being asked."""
        why = f": {exc.strerror or exc}" if isinstance(exc, OSError) else ""
        self._fail(self._reason or CallFailed(Code.UNAVAILABLE, f"the connection was lost{why}"))
        if self._last_resort is not None:
            self._last_resort.cancel()
        # It knows this, which knows it.
        self._transport = None

    # --- sending

    def _send(self, call: Call) -> None:
        """Begin a call: give it a stream, and send what there is room for."""
        number = call.number = self._next
        self._next = number + 2
        self._calls[number] = call
        if self._next > frames.LAST_STREAM:  # RFC 9113, 5.1.1: a new connection is needed
            self._take_no_more("the connection has no streams left")
        block, message = call.block, call.unsent
        size = len(message)
        begun = frames.head(frames.HEADERS, frames.END_HEADERS, number, len(block)) + block
        if size <= self._window and size <= self._stream_window and size <= self._frame_size:
            self._window -= size
            call.unsent = b""
            begun += frames.head(frames.DATA, frames.END_STREAM, number, size) + message
            self._write(begun)
        else:
            self._write(begun)
            # Of a view, a part is taken without copying the rest.
            call.unsent = memoryview(message)
            call.window = self._stream_window
            self._partly[number] = call
            self._send_more(call)

    def _send_more(self, call: Call) -> None:
        """Send of a message what there is room for now."""
        unsent = call.unsent
        while unsent:
            size = min(len(unsent), self._frame_size, self._window, call.window)
            if size <= 0:
                call.unsent = unsent
                return
            self._window -= size
            call.window -= size
            flags = frames.END_STREAM if size == len(unsent) else 0
            self._write(frames.frame(frames.DATA, flags, call.number, unsent[:size]))
            unsent = unsent[size:]
        call.unsent = unsent
        del self._partly[call.number]

    def _go_on(self) -> None:
        """Send what waited, and begin what waited for its turn, as far as there is room."""
        for call in list(self._partly.values()):
            if self._window <= 0 or self._paused:
                return
            self._send_more(call)
        while self._waiting and self.open and not self._paused:
            if len(self._calls) >= self._streams:
                return
            self._send(self._waiting.popleft())

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _reply(self, data: bytes) -> None:
        """Send what the other side wants to be told, unless it reads nothing of it."""
        self._unread += self._paused
        if self._unread > _UNREAD:
            raise BrokenPeer(ErrorCode.ENHANCE_YOUR_CALM, "it asks and does not read")
        self._write(data)

    # --- what comes

    def _unexpected(self) -> BrokenPeer:
        settings = self._expected == frames.SETTINGS
        text = "no settings came first" if settings else "a header block that is cut off"
        return BrokenPeer(ErrorCode.PROTOCOL_ERROR, text)

    def _data(self, number: int, flags: int, payload: bytes) -> None:
        self._received += len(payload)
        if self._received > _WINDOW // 2:
            self._reply(frames.window_update(0, self._received))
            self._received = 0
        call = self._calls.get(number)
        if call is None:
            self._require_begun(number)
            return
        is_last = flags & frames.END_STREAM
        if flags & frames.PADDED:
            size = len(payload)
            payload = frames.content(flags, payload)
            if not is_last:  # padding takes no room from an answer
                self._reply(frames.window_update(number, size - len(payload)))
        useless = call.add(payload) or (without_status() if is_last else None)
        if useless is not None:
            self._refuse(call, useless, is_last)

    def _headers(self, number: int, flags: int, payload: bytes) -> None:
        if flags & frames.PADDED:
            payload = frames.content(flags, payload)
        if flags & frames.WITH_PRIORITY:
            payload = frames.without_priority(payload)
        if flags & frames.END_HEADERS:
            self._block_came(number, flags, payload)
        else:
            self._block = (number, flags, [payload])
            self._expected = frames.CONTINUATION

    def _continued(self, number: int, flags: int, payload: bytes) -> None:
        first, first_flags, pieces = self._block
        if number != first or self._expected is None:
            raise BrokenPeer(ErrorCode.PROTOCOL_ERROR, "a piece of no header block")
        pieces.append(payload)
        if len(pieces) > _CUTS or sum(map(len, pieces)) > headers.LONGEST_BLOCK:
            raise BrokenPeer(ErrorCode.ENHANCE_YOUR_CALM, "a header block that is too long")
        if flags & frames.END_HEADERS:
            self._expected = None
            self._block = (0, 0, [])  # it may be long, and is not kept
            self._block_came(number, first_flags, b"".join(pieces))

    def _block_came(self, number: int, flags: int, block: bytes) -> None:
        call = self._calls.get(number)
        if call is None:
            self._require_begun(number)
            return
        fields = self._blocks.read(block)
        is_last = flags & frames.END_STREAM
        if call.begun:
            if not is_last:
                raise BrokenPeer(ErrorCode.PROTOCOL_ERROR, "headers amid an answer")
        elif (useless := call.begin(fields, is_last=bool(is_last))) is not None:
            self._refuse(call, useless, is_last)
            return
        if is_last:
            if call.unsent:  # it did not want to hear the rest
                self._write(frames.rst_stream(number, ErrorCode.NO_ERROR))
            self._end(call)
            call.end(fields)

    def _reset(self, number: int, _: int, payload: bytes) -> None:
        code = frames.read_reset(payload)
        call = self._calls.get(number)
        if call is None:
            self._require_begun(number)
        else:
            self._end(call)
            call.fail(of_reset(code))

    def _pinged(self, number: int, flags: int, payload: bytes) -> None:
        _require_none(number)
        pong = frames.pong(payload)
        if not flags & frames.ACK:
            self._reply(pong)

    def _promised(self, *_: object) -> None:
        raise BrokenPeer(ErrorCode.PROTOCOL_ERROR, "it promises what nobody wanted")

    def _settings(self, number: int, flags: int, payload: bytes) -> None:
        _require_none(number)
        if flags & frames.ACK:
            if payload:
                text = "an acknowledgement with settings"
                raise BrokenPeer(ErrorCode.FRAME_SIZE_ERROR, text)
            return
        for name, value in frames.read_settings(payload):
            match name:
                case frames.MAX_CONCURRENT_STREAMS:
                    self._streams = value
                case frames.MAX_FRAME_SIZE:
                    self._frame_size = value
                case frames.INITIAL_WINDOW_SIZE:
                    for call in self._partly.values():
                        call.window += value - self._stream_window
                        _require_window(call.window)
                    self._stream_window = value
        self._reply(frames.frame(frames.SETTINGS, frames.ACK, 0, b""))
        self._expected = None
        if not self.ready.done():
            self.open = True
            self.ready.set_result(None)
        self._go_on()

    def _widened(self, number: int, _: int, payload: bytes) -> None:
        more = frames.read_window_update(payload)
        if not number:
            self._window += more
            _require_window(self._window)
            if self._partly:
                self._go_on()
        elif call := self._partly.get(number):
            call.window += more
            _require_window(call.window)
            self._send_more(call)
        elif number not in self._calls:
            self._require_begun(number)

    def _going_away(self, number: int, _: int, payload: bytes) -> None:
        """Make no more calls; those that the other side has not begun fail as that."""
        _require_none(number)
        last, code = frames.read_goaway(payload)
        reason = f"it ends the connection: {named(code)}"
        self._take_no_more(reason)
        for call in [call for begun, call in self._calls.items() if begun > last]:
            self._forget(call)
            call.fail(CallFailed(Code.UNAVAILABLE, reason, unseen=True))
        self._close_when_done()

    def _take_no_more(self, reason: str) -> None:
        """Make no more calls; those that have no stream yet fail as never made."""
        self.open = False
        for call in list(self._waiting):
            self._forget(call)
            call.fail(CallFailed(Code.UNAVAILABLE, reason, unseen=True))

    def _close_when_done(self) -> None:
        if not self.open and not self._calls and self._transport is not None:
            self._hang_up(self._transport)

    def _require_begun(self, number: int) -> None:
        """Refuse a frame for a stream that there has never been."""
        if number >= self._next or not number & 1:
            raise BrokenPeer(ErrorCode.PROTOCOL_ERROR, "a frame on a stream that nobody opened")

    _takes: ClassVar[Mapping[int, Callable[[Connection, int, int, bytes], None]]] = {
        frames.DATA: _data,
        frames.HEADERS: _headers,
        frames.CONTINUATION: _continued,
        frames.SETTINGS: _settings,
        frames.WINDOW_UPDATE: _widened,
        frames.PING: _pinged,
        frames.RST_STREAM: _reset,
        frames.GOAWAY: _going_away,
        frames.PUSH_PROMISE: _promised,
    }

    # --- ends

    def _refuse(self, call: Call, reason: CallFailed, is_last: int) -> None:
        """End a call whose answer is of no use, and say so unless both sides have ended it."""
        if call.unsent or not is_last:
            self._write(frames.rst_stream(call.number, ErrorCode.CANCEL))
        self._end(call)
        call.fail(reason)

    def _expire(self, call: Call) -> None:
        self.give_up(call)
        call.fail(CallFailed(Code.DEADLINE_EXCEEDED, "no answer in time"))

    def _end(self, call: Call) -> None:
        """Let go of a call, and begin the next."""
        self._forget(call)
        if self._waiting:
            self._go_on()
        if not self.open:
            self._close_when_done()

    def _forget(self, call: Call) -> None:
        if call.timer is not None:
            call.timer.cancel()
            call.timer = None
        if call.number:
            self._calls.pop(call.number, None)
            self._partly.pop(call.number, None)
        elif call in self._waiting:
            self._waiting.remove(call)

    def _break(self, reason: CallFailed, code: ErrorCode) -> None:
        """End it now: nothing more is read."""
        self.open = False
        self._reason = reason
        transport = self._transport
        if transport is not None and not transport.is_closing():
            if transport.get_write_buffer_size():
                transport.abort()  # it does not read: it is not waited for
            else:
                # uvloop has closed what it was making when that was given up, and only tells here.
                with suppress(RuntimeError):
                    transport.write(frames.goaway(0, code))
                self._hang_up(transport)
        self._fail(reason)

    def _hang_up(self, transport: asyncio.Transport) -> None:
        if not transport.is_closing():
            self._last_resort = self._loop.call_later(_FAREWELL, transport.abort)
            transport.close()

    def _fail(self, reason: CallFailed) -> None:
        """Fail everything that is being asked."""
        self.open = False
        if not self.ready.done():
            self.ready.set_exception(reason.again())
            self.ready.exception()  # else asyncio logs it, where nobody came to wait for it
        begun, waiting = list(self._calls.values()), list(self._waiting)
        for call in (*begun, *waiting):
            self._forget(call)
        _tell_all(begun, reason, unseen=False)
        _tell_all(waiting, reason, unseen=True)


def _require_window(size: int) -> None:
    if size > frames.LARGEST_WINDOW:
        raise BrokenPeer(ErrorCode.FLOW_CONTROL_ERROR, "a window that is too wide")


def _require_none(number: int) -> None:
    """Refuse a frame that is about the whole connection, and names a stream."""
    if number:
        raise BrokenPeer(ErrorCode.PROTOCOL_ERROR, "a connection's frame on a stream")


def _tell_all(calls: Iterable[Call], reason: CallFailed, *, unseen: bool) -> None:
    for call in calls:
        call.fail(reason.again(unseen=unseen))
