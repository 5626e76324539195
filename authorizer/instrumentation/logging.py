"""One log for the whole process: structlog's events and the standard library's, as lines."""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import logging
import os
import time
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import ExceptionRenderer, JSONRenderer, TimeStamper, add_log_level

from authorizer.config.settings import LogFormat
from authorizer.instrumentation.safe_text import describe_exception, printable
from authorizer.instrumentation.writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from structlog.typing import EventDict, ExcInfo, WrappedLogger

    from authorizer.config.settings import Log
    from authorizer.instrumentation.writer import Event

_STDOUT: Final = 1
_CLOSE_TIMEOUT: Final = 2.0
# The keys that a reader looks for first come first.
_LEADING: Final = ("timestamp", "level", "event")
_LEVELS: Final = logging.getLevelNamesMapping()
_stamp = TimeStamper(fmt="iso", utc=True)


@dataclass(frozen=True, slots=True)
class Shared:
    """Says that several processes write to the same output.

    `lock` is the descriptor of a file that all of them have open: who has it locked may write.
    `worker` is the number that this one's lines have.
    """

    lock: int
    worker: int | None = None

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Write alone. A pipe keeps no more than 4 KiB together, and several lines are more."""
        # A lock that cannot be had is no reason to lose a line.
        with contextlib.suppress(OSError):
            fcntl.lockf(self.lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):
                fcntl.lockf(self.lock, fcntl.LOCK_UN)


def start(settings: Log, *, descriptor: int = _STDOUT, shared: Shared | None = None) -> RunningLog:
    """Send all logging of this process to `descriptor`, as `settings` say, until it is closed."""
    return RunningLog(settings, descriptor, shared)


class RunningLog:
    """The log of a process while it runs. `close` it last."""

    def __init__(self, settings: Log, descriptor: int, shared: Shared | None = None) -> None:
        level = self._level = _LEVELS[settings.level.value.upper()]
        render = _renderer(settings, descriptor)
        self._is_json = render is _render_json
        # What each line ends with, however it is made.
        worker = None if shared is None else shared.worker
        last = self._last = {} if worker is None else {"worker": worker}
        self._writer = LineWriter(
            descriptor,
            lambda event: render({**event, **last}),
            limit=settings.queue,
            on_loss=_loss,
            turn=nullcontext if shared is None else shared.turn,
        )
        structlog.configure(
            processors=[
                add_log_level,
                _stamp,
                # Here and not in the writer: an exception keeps its frames, and so the request
                # that failed, alive.
                ExceptionRenderer(_describe),
                _hand_over,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(level),
            logger_factory=_Handover(self._writer),
            # A logger that is kept past `close` finds the next configuration, or the default.
            cache_logger_on_first_use=False,
        )
        self._root = logging.getLogger()
        self._level_before = self._root.level
        self._handler = _StandardLibrary()
        self._root.addHandler(self._handler)
        self._root.setLevel(level)

    @property
    def dropped(self) -> int:
        """The number of lines that were lost since the start."""
        return self._writer.dropped

    def write(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """Log an event. `fields` hold text, numbers, None, and lists and objects of these.

        It says the same as structlog's loggers do, which take 8 us for it, JSON included; this
        takes 2. JSON is made here: while the writer made it, the event loop would wait as long.
        """
        if _LEVELS[level.upper()] < self._level:
            return
        # The writer adds what is last to what it renders itself; here it is just there already.
        full = {"timestamp": _now(), "level": level, "event": event, **fields, **self._last}
        line = _plain_json(full) if self._is_json else None
        self._writer.put(full if line is None else line)

    def close(self, timeout: float = _CLOSE_TIMEOUT) -> bool:
        """Write what is queued within `timeout` seconds; say whether everything was written.

        Afterwards logging is configured as it was before. Idempotent.
        """
        self._root.removeHandler(self._handler)
        self._root.setLevel(self._level_before)
        structlog.reset_defaults()
        return self._writer.close(timeout)


class _Handover:
    """What structlog takes for the logger that it wraps, and its factory: the writer's queue."""

    def __init__(self, writer: LineWriter) -> None:
        self.debug = self.info = self.warning = self.error = self.critical = writer.put

    def __call__(self, *_args: object) -> _Handover:
        return self


def _hand_over(_: WrappedLogger, __: str, event: EventDict) -> tuple[tuple[EventDict], EventDict]:
    return (event,), {}


class _StandardLibrary(logging.Handler):
    """Passes what aiohttp, asyncio and other libraries log on to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record; one whose arguments do not fit its message loses the arguments."""
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - logging's own handleError prints the arguments
            message = str(record.msg)
        if record.name == "asyncio":
            # What follows the first line is the repr of futures and exceptions: values.
            message = message.partition("\n")[0]
        method = _method(record.levelno)
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info:
            fields["exc_info"] = record.exc_info
        getattr(structlog.get_logger(), method)(message, **fields)


def _method(level: int) -> str:
    """Return the name of the standard level that `level` reaches."""
    for name in ("critical", "error", "warning", "info"):
        if level >= _LEVELS[name.upper()]:
            return name
    return "debug"


def _describe(exc_info: ExcInfo) -> str:
    return describe_exception(exc_info[1])


def _now() -> str:
    """Return the time as structlog's stamp has it: without a fraction where that is zero."""
    second, microsecond = divmod(time.time_ns() // 1000, 1_000_000)
    return f"{_second(second)}.{microsecond:06}Z" if microsecond else f"{_second(second)}Z"


@lru_cache(maxsize=1)
def _second(second: int) -> str:
    return dt.datetime.fromtimestamp(second, dt.UTC).replace(tzinfo=None).isoformat()


def _loss(count: int) -> Event:
    event = {"event": "log.dropped", "level": "warning", "lines": count}
    return _stamp(None, "warning", event)


def _renderer(settings: Log, descriptor: int) -> Callable[[Event], str]:
    is_terminal = os.isatty(descriptor)
    if settings.format is LogFormat.JSON or (settings.format is LogFormat.AUTO and not is_terminal):
        return _render_json
    # https://no-color.org
    return _console_renderer(colors=is_terminal and not os.environ.get("NO_COLOR"))


_encode = msgspec.json.Encoder().encode
_to_json = JSONRenderer(ensure_ascii=True)


def _render_json(event: Event) -> str:
    ordered = {key: event[key] for key in _LEADING if key in event}
    ordered.update(event)
    line = str(_to_json(None, "", ordered))
    # `ensure_ascii` escapes everything else that could move a cursor or turn text around.
    return line.replace("\x7f", "\\u007f")


def _plain_json(event: Mapping[str, Any]) -> bytes | None:
    """Return the same line in 1.2 us instead of 5; None where something has to be escaped."""
    try:
        line = msgspec.json.format(_encode(event), indent=0)
    except UnicodeEncodeError:  # half a surrogate pair
        return None
    return line + b"\n" if line.isascii() and b"\x7f" not in line else None


def _console_renderer(*, colors: bool) -> Callable[[Event], str]:
    render = ConsoleRenderer(
        colors=colors,
        # repr() escapes what is not printable; without it structlog writes a lone ESC as it is.
        repr_native_str=True,
        sort_keys=False,
        exception_formatter=plain_traceback,
    )

    def render_for_a_person(event: Event) -> str:
        shown = {key: value for key, value in event.items() if value not in ("", None, ())}
        # The two that structlog shows without repr().
        for key in ("event", "logger"):
            if key in shown:
                shown[key] = printable(str(shown[key]))
        return render(None, "", shown)

    return render_for_a_person
