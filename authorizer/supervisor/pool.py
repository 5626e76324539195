"""As many workers as are wanted, whatever becomes of them."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from typing import TYPE_CHECKING, Final

import structlog

from authorizer.backoff import Backoff
from authorizer.errors import WorkersFailed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from authorizer.supervisor.messages import Pulse
    from authorizer.supervisor.worker import Worker

# How many may end in a row before they are ready, until that is taken for what it is.
_HOPELESS: Final = 5
# A worker is asked so often how it is, and ended when it does not say for so long. Seconds.
_PULSE: Final = 2.0
_SILENT: Final = 30.0

_log = structlog.get_logger()


class Pool:
    """Keeps `size` workers running, which `start` starts by their numbers, from 1 on.

    One that ends is replaced: at once, and more slowly the more often it does. `on_exit` is called
    for each that was not told to end, `on_gone` for each that has ended.
    """

    def __init__(
        self,
        start: Callable[[int], Awaitable[Worker]],
        size: int,
        *,
        on_exit: Callable[[], None],
        on_gone: Callable[[Worker], None],
        backoff: Backoff = Backoff(),  # noqa: B008 - immutable
    ) -> None:
        self._start = start
        self._size = size
        self._on_exit = on_exit
        self._on_gone = on_gone
        self._backoff = backoff
        self._running: dict[int, Worker] = {}
        self._waited_for = set(range(1, size + 1))
        self._failures = 0
        self._draining = asyncio.Event()
        self.complete: Final = asyncio.Event()

    @property
    def workers(self) -> Sequence[Worker]:
        """Those that run, in the order of their numbers."""
        return [self._running[number] for number in sorted(self._running)]

    @property
    def ready(self) -> int:
        """How many of them decide."""
        return sum(worker.ready for worker in self._running.values())

    async def run(self) -> None:
        """Keep them running; returns when they were drained and all have ended.

        Raises WorkersFailed when none comes up again and again. `complete` is set when all have
        been ready. When it is cancelled, or raises, no worker is left.
        """
        keeping = [
            asyncio.create_task(self._keep(number), name=f"keep-worker-{number}")
            for number in range(1, self._size + 1)
        ]
        try:
            await asyncio.wait(keeping, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            # They end by themselves then. To cancel one that is starting a process would leave it.
            self._draining.set()
            self.kill()
            await asyncio.wait(keeping)
        for failure in filter(None, [task.exception() for task in keeping]):
            raise failure

    async def ask(self, *, counts: bool, within: float) -> Sequence[Pulse]:
        """Return how those are who say so within so many seconds."""
        asked = (worker.ask(counts=counts, within=within) for worker in self.workers)
        return [pulse for pulse in await asyncio.gather(*asked) if pulse is not None]

    def tell(self, message: object) -> None:
        """Send all of them a message."""
        for worker in self.workers:
            worker.tell(message)

    def reload(self) -> None:
        """Have all read the rules again; who is starting reads them anyway."""
        for worker in self.workers:
            if worker.ready:
                worker.signal(signal.SIGHUP)

    def drain(self) -> None:
        """Have all answer what is open, and end; none is replaced any more."""
        self._draining.set()
        for worker in self.workers:
            worker.signal(signal.SIGTERM)

    def kill(self) -> None:
        """End all at once."""
        for worker in self.workers:
            worker.signal(signal.SIGKILL)

    async def _keep(self, number: int) -> None:
        delay: float | None = None
        while not self._draining.is_set():
            began = time.monotonic()
            try:
                worker = await self._start(number)
            except OSError as error:
                _log.error("worker.not_started", number=number, error=str(error))
                self._failed()
            else:
                self._running[number] = worker
                await self._look_after(worker)
            delay = self._backoff.next(delay, worked_for=time.monotonic() - began)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._draining.wait(), delay)

    async def _look_after(self, worker: Worker) -> None:
        if self._draining.is_set():
            worker.signal(signal.SIGKILL)  # it has answered nobody yet
        pulse = asyncio.create_task(self._feel_pulse(worker))
        try:
            status = await worker.wait()
        finally:
            pulse.cancel()
        del self._running[worker.number]
        self._on_gone(worker)
        if self._draining.is_set():
            return
        self._on_exit()
        _log.error("worker.exited", number=worker.number, pid=worker.pid, status=status)
        if not worker.ready:
            self._failed()

    async def _feel_pulse(self, worker: Worker) -> None:
        if not await worker.until_ready():
            return
        self._failures = 0
        _log.info("worker.ready", number=worker.number, pid=worker.pid)
        self._waited_for.discard(worker.number)
        if not self._waited_for:
            self.complete.set()
        while await worker.ask(counts=False, within=_SILENT) is not None:  # noqa: ASYNC110 - it is asked
            await asyncio.sleep(_PULSE)
        if not worker.gone:
            _log.error("worker.silent", number=worker.number, pid=worker.pid, seconds=_SILENT)
            worker.signal(signal.SIGKILL)

    def _failed(self) -> None:
        self._failures += 1
        # Where some decide, they go on, and what is wrong may be mended meanwhile.
        if self._failures >= _HOPELESS and not self.ready:
            raise WorkersFailed(self._failures)
