"""The time by which a request has to be decided, with one timer for all requests."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

# Timers are exact to a millisecond.
_SOON: Final = 0.001


class CutOffs:
    """Ends what takes too long, as `asyncio.timeout` does.

    That sets a timer for each, of which hardly one ever fires: 3.1 us a request. Requests have
    their time in the order in which they come, so that there is always one that is due first, and
    the one timer is set for it; this takes 0.8.
    """

    def __init__(self) -> None:
        # Those that are under way: who is due first comes first.
        self._line: dict[CutOff, None] = {}
        self._latest = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def after(self, seconds: float) -> CutOff:
        """Return a context that is left with TimeoutError when it takes longer than `seconds`."""
        return CutOff(self, seconds)

    def add(self, cut_off: CutOff, loop: asyncio.AbstractEventLoop) -> None:
        """Cut off when it is due."""
        if cut_off.due < self._latest:
            # It came late, as its request was slow to arrive: it has a timer of its own.
            cut_off.timer = loop.call_at(cut_off.due, cut_off.cut)
            return
        self._latest = cut_off.due
        self._line[cut_off] = None
        if self._timer is None:
            self._timer = loop.call_at(cut_off.due, self._cut, loop)

    def remove(self, cut_off: CutOff) -> None:
        """Forget about it. The timer may be for nobody then; it sets itself anew as it fires."""
        if cut_off.timer is not None:
            cut_off.timer.cancel()
        else:
            self._line.pop(cut_off, None)

    def _cut(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        now = loop.time() + _SOON
        for cut_off in list(self._line):
            if cut_off.due > now:
                self._timer = loop.call_at(cut_off.due, self._cut, loop)
                return
            del self._line[cut_off]
            cut_off.cut()


class CutOff:
    """One of them, as a context."""

    __slots__ = ("_all", "_cancelling", "_is_cut", "_seconds", "_task", "due", "timer")

    def __init__(self, cut_offs: CutOffs, seconds: float) -> None:
        self._all = cut_offs
        self._seconds = seconds
        self._is_cut = False
        self.due = 0.0
        self.timer: asyncio.TimerHandle | None = None

    def cut(self) -> None:
        """Cancel the task that is in this context."""
        self._is_cut = True
        self._task.cancel()

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            msg = "only a task can be cut off"
            raise RuntimeError(msg)
        self._task = task
        self._cancelling = task.cancelling()
        self.due = loop.time() + self._seconds
        self._all.add(self, loop)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        self._all.remove(self)
        task = self._task
        # What a cancelled task raised knows its frames, and one of them knows this.
        del self._task
        # As in asyncio.timeout: whoever else cancels the task meanwhile has its way.
        if self._is_cut and task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise TimeoutError from error

    @property
    def expired(self) -> bool:
        """Whether its time was up before it ended."""
        return self._is_cut
