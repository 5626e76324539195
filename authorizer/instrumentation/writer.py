"""A queue of events and the one thread that writes them, so that nobody else waits for a disk."""

from __future__ import annotations

import os
import select
import threading
from contextlib import nullcontext
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    Event: TypeAlias = MutableMapping[str, Any]

# How long events gather before they are written. Waking the writer for each of 2,000 events a
# second costs 60 us of CPU an event, most of it in handing the interpreter over; this 30. Seconds.
_GATHER: Final = 0.01
# How many events are rendered in one go, so that the event loop never waits long for its turn.
_BATCH: Final = 32
# How often a writer that waits for a full pipe looks whether it was told to give up. Seconds.
_LOOK_UP: Final = 0.1
_NEWLINE: Final = ord("\n")


class LineWriter:
    """Writes events as lines to a file descriptor, from a thread of its own.

    `render` turns an event into a line, without its end; it runs in that thread. A line that was
    made before is bytes, with its end.
    `limit` is the number of events that may wait; more are dropped and counted. A line that
    cannot be rendered or written is dropped and counted too, and the writer goes on with the
    next. As soon as a line can be written again, the event of `on_loss` (its argument: the
    number lost since the last such line) goes before it. Lines are written while `turn` lasts,
    in which others that have the same file write nothing.
    """

    def __init__(
        self,
        descriptor: int,
        render: Callable[[Event], str],
        *,
        limit: int,
        on_loss: Callable[[int], Event],
        turn: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        # A copy: whoever closes the original cannot make us write into what reuses its number.
        self._descriptor = os.dup(descriptor)
        self._render = render
        self._limit = limit
        self._on_loss = on_loss
        self._turn = turn
        self._queue: SimpleQueue[Event | bytes | None] = SimpleQueue()
        # Reentrant: a finalizer may log while this thread is counting.
        self._counting = threading.RLock()
        self._dropped = 0
        self._reported = 0
        self._closing = threading.Event()
        self._gave_up = False
        self._torn = False
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """The number of events that were lost since the start."""
        return self._dropped

    def put(self, event: Event | bytes) -> None:
        """Queue an event, which must not be changed afterwards. Never blocks, never raises."""
        if self._closing.is_set() or self._queue.qsize() >= self._limit:
            self._count_loss(1)
        else:
            self._queue.put(event)

    def close(self, timeout: float) -> bool:
        """Write what is queued within `timeout` seconds; say whether that worked.

        What could not be written by then is dropped. Idempotent.
        """
        if not self._closing.is_set():
            self._closing.set()
            self._queue.put(None)
        self._thread.join(timeout)
        self._gave_up = self._thread.is_alive()
        return not self._gave_up

    def _run(self) -> None:
        try:
            open_end = pause = True
            while open_end:
                batch = [self._queue.get()]
                if pause:
                    self._closing.wait(_GATHER)
                while batch[-1] is not None and len(batch) < _BATCH and not self._queue.empty():
                    batch.append(self._queue.get())
                open_end = batch[-1] is not None
                self._write_events([event for event in batch if event is not None])
                # What is queued by now has gathered; with a wait, 3,200 a second would be the most.
                pause = self._queue.empty()
        finally:
            os.close(self._descriptor)

    def _write_events(self, events: list[Event | bytes]) -> None:
        lost = self._dropped - self._reported
        report = self._line(self._on_loss(lost)) if lost else b""
        lines = b"".join([self._line(event) for event in events])
        with self._turn():
            unwritten = self._write(report + lines)
        ours = lines.count(b"\n")
        self._count_loss(min(unwritten, ours))
        if unwritten <= ours:
            self._reported += lost

    def _line(self, event: Event | bytes) -> bytes:
        if isinstance(event, bytes):
            return event
        try:
            return self._render(event).encode("utf-8", "backslashreplace") + b"\n"
        except Exception:  # noqa: BLE001 - counted; there is nowhere left to report it to
            self._count_loss(1)
            return b""

    def _write(self, lines: bytes) -> int:
        """Write whole lines; return how many of them could not be written to their end."""
        # No line is glued to the half of one that a full disk cut off.
        rest = memoryview(b"\n" + lines if self._torn else lines)
        while rest and not self._gave_up:
            try:
                written = os.write(self._descriptor, rest)
            except BlockingIOError:
                # A terminal or pipe that someone else made non-blocking, and that is full.
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll(_LOOK_UP * 1000)
            except OSError:
                break
            else:
                self._torn = rest[written - 1] != _NEWLINE
                rest = rest[written:]
        return min(bytes(rest).count(b"\n"), lines.count(b"\n"))

    def _count_loss(self, lines: int) -> None:
        with self._counting:
            self._dropped += lines
