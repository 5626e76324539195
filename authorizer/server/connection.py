"""One connection: HTTP by aiohttp, with the bounds in time and size that aiohttp does not have.

aiohttp bounds a line and a header field, the number of fields, and the time that a connection is
idle. The first byte of a request is all it wants for another idle time, and a hundred fields of
64 KiB are 8 MB. It has no bound for a peer that does not read its answers.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiohttp import web
from aiohttp.http_parser import RawRequestMessage
from msgspec.structs import replace

from authorizer.server.connections import Cut
from authorizer.server.replies import Reply, Said, error_said

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from aiohttp import StreamReader
    from aiohttp.http import HttpVersion

    from authorizer.server.connections import Connections
    from authorizer.server.endpoint import Endpoint
    from authorizer.server.short_way import ShortWay

# Oathkeeper passes the caller's Authorization on. It takes headers of a megabyte itself; what we
# would not take, the caller would see as a 500.
_MAX_FIELD: Final = 64 * 1024
# That, and room for all others that a client of its own accord sends.
_MAX_HEAD: Final = 2 * _MAX_FIELD
# How long a client that was refused half-way may go on sending, so that it reads the answer.
_LINGERING: Final = 1.0
# Seconds for a client to read so much of what it was answered that there is room for more.
_UNREAD: Final = 5.0

_END_OF_HEAD: Final = b"\r\n\r\n"
_UNKNOWN: Final = -1

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one listener's connections may take. Times in seconds."""

    connections: Connections
    idle_timeout: float
    header_timeout: float


@dataclass(slots=True)
class _Asking:
    """A question that is being decided, and how its answer is to be written."""

    task: asyncio.Task[Said]
    version: HttpVersion
    keep_alive: bool


def _failed(error: BaseException | None) -> Said:
    """Log a fault that nobody else has caught, and return what is said of it."""
    _log.error("server.failed", exc_info=error)
    return replace(error_said(501, "a fault of the authorizer; see its log"), is_last=True)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    """Have aiohttp take what was read; where it has not begun yet, it will look by itself."""
    if waiter is not None:
        waiter.set_result(None)


def due_after(message: RawRequestMessage, data: bytes) -> int:
    """Return how many bytes of a request are still to come when `data`, with all its head, is read.

    -1 where more came than is its own, or where nobody but aiohttp can tell.
    """
    if message.chunked or message.upgrade:
        return _UNKNOWN
    length = int(message.headers.get("Content-Length", "0"))
    return max(data.find(_END_OF_HEAD) + len(_END_OF_HEAD) + length - len(data), _UNKNOWN)


class Connection(web.RequestHandler):
    """The protocol of one connection, of its listener's `limits`."""

    __slots__ = (
        "_asking",
        "_begun",
        "_due",
        "_endpoint",
        "_entered",
        "_head_bytes",
        "_head_timer",
        "_held",
        "_limits",
        "_newest_body",
        "_refuse_unreadable",
        "_short_way",
        "_unread_timer",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        refuse_unreadable: Callable[[], web.StreamResponse],
        short_way: ShortWay | None,
    ) -> None:
        options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": limits.idle_timeout,
            "lingering_time": _LINGERING,
            "max_line_size": _MAX_FIELD,
            "max_field_size": _MAX_FIELD,
        }
        super().__init__(endpoint, loop=loop, **options)
        self._endpoint = endpoint
        self._refuse_unreadable = refuse_unreadable
        self._short_way = short_way
        # What is being decided by the short way, and what has come meanwhile.
        self._asking: _Asking | None = None
        self._held = b""
        self._limits = limits
        self._entered = False
        self._begun = False
        # Bytes of the newest request that are still to come. Once that is unknown, it remains so.
        self._due = 0
        # What is read of a head that has no end yet, and the timer that runs meanwhile.
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None
        # While it is coming, what is read is no head.
        self._newest_body: StreamReader | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, or hang up where nobody is let in, or as many connections are as there may be."""
        self._entered = not self._endpoint.is_closed and self._limits.connections.enter()
        if self._entered:
            super().connection_made(transport)
        else:
            transport.abort()  # type: ignore[attr-defined] # a stream has it

    async def start(self) -> None:
        """Take what is read for aiohttp, one request after the other."""
        self._begun = True
        await super().start()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget it."""
        self._end_head()
        self._stop_waiting_for_reader()
        if self._asking is not None:
            self._asking.task.cancel()  # who has hung up wants no answer
        if self._entered:
            self._entered = False
            self._limits.connections.leave()
        super().connection_lost(exc)
        # It knows this connection, so that the two would be left to the garbage collector.
        self._newest_body = None

    def data_received(self, data: bytes) -> None:
        """Read on, and hang up on who takes too long or too much for the head of a request."""
        if not self._entered or self._close or self._force_close:
            return
        if self._asking is not None:
            self._hold(data)
            return
        short_way = self._short_way if self._is_idle() else None
        if short_way is not None and self._goes_unread(short_way, data):
            return
        waiter = self._waiter
        if short_way is not None:
            self._waiter = None  # so that aiohttp reads, and does not begin with what it has read
        before = self._request_count
        is_head = self._newest_body is None or self._newest_body.is_eof()
        super().data_received(data)
        if short_way is not None:
            self._waiter = waiter
        if self._request_count == before:
            if self._due > 0:
                self._due = max(self._due - len(data), _UNKNOWN)
            if is_head and data:
                self._go_on_with_head(len(data))
            return
        message, self._newest_body = self._messages[-1]
        is_alone = self._due == 0 and not self._head_bytes and self._request_count == before + 1
        self._due = (
            due_after(message, data)
            if is_alone and isinstance(message, RawRequestMessage)
            else _UNKNOWN
        )
        self._end_head()
        if short_way is not None and not self._goes(short_way, data):
            short_way.refuser.let_come()
            _wake(waiter)

    def _goes_unread(self, short_way: ShortWay, data: bytes) -> bool:
        """Answer what comes by its bytes alone, where that can be done, and say whether it was."""
        if (refusal := short_way.refuser.refusal(data)) is not None:
            self._write(refusal)
            return True
        if (known := short_way.heads.find(data)) is not None:
            self._ask(short_way, *known)
            return True
        return False

    def _goes(self, short_way: ShortWay, data: bytes) -> bool:
        """Have the newest request, which ends with `data`, go the short way, if it may; say so."""
        message, body = self._messages[-1]
        if (
            self._due != 0
            or not isinstance(message, RawRequestMessage)
            or message.path != short_way.path
            or message.method != short_way.method
            or "Expect" in message.headers
        ):
            return False
        self._messages.pop()
        self._parser.message_consumed()  # type: ignore[union-attr] # it is there until it is lost
        short_way.heads.keep(data, message)
        self._ask(short_way, message, body.read_nowait())
        return True

    def _ask(self, short_way: ShortWay, message: RawRequestMessage, body: bytes) -> None:
        """Answer a question, or begin to."""
        said: Said | asyncio.Task[Said]
        try:
            said = short_way.answerer.at_once(message.headers, message.version, body)
        except Exception as error:  # noqa: BLE001 - the last resort, as in `handle_error`
            said = _failed(error)
        keep_alive = not message.should_close
        if isinstance(said, Said):
            self._say(said, message.version, keep_alive=keep_alive)
            return
        self._asking = _Asking(said, message.version, keep_alive)
        self._endpoint.begin()
        said.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[Said]) -> None:
        """Write what was decided, and go on with what has come meanwhile."""
        asking, self._asking = self._asking, None
        self._endpoint.end()
        if self.transport is None or asking is None or task.cancelled():
            return
        error = task.exception()
        said = task.result() if error is None else _failed(error)
        self._say(said, asking.version, keep_alive=asking.keep_alive)
        held, self._held = self._held, b""
        if held and self.transport is not None:
            self.transport.resume_reading()
            self.data_received(held)

    def _say(self, said: Said, version: HttpVersion, *, keep_alive: bool) -> None:
        goes_on = keep_alive and not said.is_last
        self._write(said.text(version, keep_alive=goes_on))
        if not goes_on:
            self.force_close()  # once all of it is written

    def _write(self, text: bytes) -> None:
        # For aiohttp nothing was asked, and it would take the connection for unused.
        self._next_keepalive_close_time = self._loop.time() + self._limits.idle_timeout
        self.transport.write(text)  # type: ignore[union-attr] # it is there until it is lost

    def _process_keepalive(self) -> None:
        """Close a connection that is idle; aiohttp knows of no question that goes the short way."""
        if self._asking is not None:
            self._next_keepalive_close_time = self._loop.time() + self._limits.idle_timeout
        super()._process_keepalive()

    def _hold(self, data: bytes) -> None:
        """Keep what comes behind a question until that is answered; no more is read meanwhile."""
        self._held += data
        self.transport.pause_reading()  # type: ignore[union-attr] # it is there until it is lost

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - aiohttp's
        """Read on where reading was paused; aiohttp asks for that with each body, paused or not."""
        if self._reading_paused or self._buffer_paused:
            super().resume_reading(resume_parser)

    def pause_writing(self) -> None:
        """Wait for a peer that does not read, but not for ever."""
        super().pause_writing()
        self._unread_timer = self._loop.call_later(_UNREAD, self._cut, Cut.SLOW_READER)

    def resume_writing(self) -> None:
        """Go on with a peer that reads again."""
        self._stop_waiting_for_reader()
        super().resume_writing()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - quotes what was sent
    ) -> web.StreamResponse:
        """Answer for aiohttp, and close the connection."""
        if request.writer.output_size > 0:
            msg = "the answer has begun"
            raise ConnectionError(msg)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            response = self._refuse_unreadable()
        else:
            response = Reply(_failed(exc))
        response.force_close()
        return response

    def _is_idle(self) -> bool:
        """Tell whether all that was read is answered, so that what comes now begins a request.

        Who waits for a request is aiohttp; between two turns of the event loop it may have taken
        one and not begun with it. Its parser may hold the beginning of a head that came behind a
        request: what was answered instead would be read with the next one.
        """
        waiter = self._waiter
        return (
            (not self._begun if waiter is None else not waiter.done())
            and not self._messages
            and self._due == 0
            and not self._head_bytes
            and not self._paused
        )

    def _go_on_with_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > _MAX_HEAD:
            self._cut(Cut.LARGE_HEAD)
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(
                self._limits.header_timeout, self._cut, Cut.SLOW_HEAD
            )

    def _end_head(self) -> None:
        self._head_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_waiting_for_reader(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _cut(self, why: Cut) -> None:
        self._limits.connections.cut(why)
        if self._request_in_progress and why is not Cut.SLOW_READER:
            self.close()  # once the request before it, which is whole, is answered
        elif self.transport is not None:
            self.transport.abort()  # what is still to be written would wait for the peer
