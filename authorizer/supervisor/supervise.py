"""Serve with several workers: what there is one of, however many they are."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from contextlib import AsyncExitStack
from itertools import chain
from typing import IO, TYPE_CHECKING, Final

import structlog

from authorizer.instrumentation import logging as log
from authorizer.instrumentation.totals import Totals
from authorizer.instrumentation.workers import WorkerMetrics
from authorizer.server.lifecycle import bind_server, drain_delay, open_admin
from authorizer.server.listening import address_of
from authorizer.server.readiness import together
from authorizer.server.tls import Certificate
from authorizer.supervisor.messages import ClearCache, ConfigTold, Job, PoliciesTold
from authorizer.supervisor.pool import Pool
from authorizer.supervisor.worker import Worker
from authorizer.wiring.following import follow_config
from authorizer.wiring.pdp import run_embedded
from authorizer.wiring.service import described, take_signals
from authorizer.wiring.snapshot import build_snapshot

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from authorizer.config.addresses import Address
    from authorizer.config.loading import Loaded
    from authorizer.server.readiness import Report

# Seconds that workers have to say how they are: Kubernetes gives a probe one second by default.
_PROBED: Final = 0.8
# And to say what they have counted: Prometheus gives a scrape ten.
_SCRAPED: Final = 2.0
# Seconds beyond their own bounds until workers that drain are ended.
_MARGIN: Final = 5.0

_log = structlog.get_logger()


async def supervise(loaded: Loaded) -> None:
    """Serve with `server.workers` processes until SIGTERM or SIGINT; a second one ends them.

    Raises as `serve` does, and WorkersFailed where no worker comes up.
    """
    settings, origin = loaded.settings, loaded.origin
    stopping, insisting = asyncio.Event(), asyncio.Event()

    def stop() -> None:
        (insisting if stopping.is_set() else stopping).set()

    take_signals(stop)
    loaded.require_pdp()
    # Looked at here, so that what is wrong is told once. Each worker reads for itself.
    about = described(build_snapshot(loaded))
    if settings.server.tls is not None:
        Certificate(settings.server.tls).load()
    async with AsyncExitStack() as stack:
        log_lock = stack.enter_context(_log_lock())
        running_log = log.start(settings.log, shared=log.Shared(log_lock.fileno()))
        stack.callback(running_log.close)
        news = _News()
        embedded = None
        if settings.pdp.embedded is not None:
            embedded = await run_embedded(
                settings.pdp.embedded, stack, lambda state: news.tell(PoliciesTold(state))
            )
        sockets = bind_server(settings, origin)
        for one in chain.from_iterable(sockets):
            stack.enter_context(one)
        address = address_of(sockets[0][0])
        pdp = None if embedded is None else embedded.target
        jobs = _jobs(loaded, sockets, log_lock.fileno(), pdp)
        fleet = _Fleet(jobs, news, lambda: running_log.dropped)
        follow_config(loaded, stack, lambda changed: news.tell(ConfigTold(changed)))
        admin = await open_admin(settings, origin, fleet, fleet.exposition, fleet.clear_cache)
        stack.push_async_callback(admin.close, _MARGIN)
        running = asyncio.create_task(fleet.pool.run(), name="workers")
        stack.push_async_callback(_ended, running)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, fleet.pool.reload)
        await _until(running, fleet.pool.complete, stopping)
        if fleet.pool.complete.is_set():
            _log.info(
                "authorizer.ready",
                listen=str(address),
                admin=str(admin.address),
                workers=settings.server.workers,
                **about,
            )
        await _until(running, stopping)
        if not running.done():
            bound = drain_delay(settings, address) + settings.server.drain_timeout + _MARGIN
            await _drain(fleet, sockets, running, insisting, within=bound)
        await running
        _log.info("authorizer.stopped")


async def _drain(
    fleet: _Fleet,
    sockets: Sequence[Sequence[socket.socket]],
    running: asyncio.Task[None],
    insisting: asyncio.Event,
    *,
    within: float,
) -> None:
    """Have all answer what is open; end them after so many seconds, or at once if insisted."""
    _log.info("authorizer.draining")
    fleet.drain()
    # So that the address is closed as soon as the last worker has closed it.
    for one in chain.from_iterable(sockets):
        one.close()
    await _until(running, insisting, within=within)
    if not running.done():
        _log.warning("workers.killed", detail="open requests were cut off")
        fleet.pool.kill()


def _jobs(
    loaded: Loaded,
    sockets: Sequence[Sequence[socket.socket]],
    log_lock: int,
    pdp: Address | None,
) -> Sequence[Job]:
    return [
        Job(
            number=number,
            loaded=loaded,
            sockets=[one.fileno() for one in own],
            others=[one.fileno() for other in sockets if other is not own for one in other],
            log_lock=log_lock,
            pdp=pdp,
        )
        for number, own in enumerate(sockets, 1)
    ]


class _News:
    """What workers cannot see for themselves: told to those of now, and kept for those to come."""

    def __init__(self) -> None:
        self.latest: Final[dict[type, PoliciesTold | ConfigTold]] = {}
        self.on_news: Final[list[Callable[[PoliciesTold | ConfigTold], None]]] = []

    def tell(self, message: PoliciesTold | ConfigTold) -> None:
        """Have all know; it takes the place of what was told before of the same."""
        self.latest[type(message)] = message
        for hear in self.on_news:
            hear(message)


class _Fleet:
    """The workers, as what they are together: one for each job."""

    def __init__(self, jobs: Sequence[Job], news: _News, log_dropped: Callable[[], int]) -> None:
        wanted = self._wanted = len(jobs)
        self._jobs = jobs
        self._news = news
        self._totals = Totals()
        self._draining = False
        self._metrics = WorkerMetrics(
            wanted=wanted, ready=lambda: self.pool.ready, log_dropped=log_dropped
        )
        self.pool = Pool(
            self._start,
            wanted,
            on_exit=self._metrics.exits.inc,
            on_gone=lambda worker: self._totals.retire(worker.counts),
        )
        news.on_news.append(self.pool.tell)

    def drain(self) -> None:
        """Be unready, and have the workers answer what is open."""
        self._draining = True
        self.pool.drain()

    async def report(self) -> Report:
        """Return how they are together, within a second."""
        pulses = await self.pool.ask(counts=False, within=_PROBED)
        return together(
            [pulse.report for pulse in pulses],
            wanted=self._wanted,
            complete=self.pool.complete.is_set(),
            draining=self._draining,
        )

    async def exposition(self) -> tuple[bytes, str]:
        """Return the metrics of all together; who does not answer counts as when it last did."""
        await self.pool.ask(counts=True, within=_SCRAPED)
        counts = [worker.counts for worker in self.pool.workers]
        return self._totals.exposition([*counts, self._metrics.families()])

    async def clear_cache(self) -> bool:
        """Have all forget the answers that they kept; say whether all that decide have, in time."""
        deciding = [worker for worker in self.pool.workers if worker.ready]
        self.pool.tell(ClearCache())
        # They take one message after the other. Who is gone has forgotten, too.
        asked = (worker.ask(counts=False, within=_SCRAPED) for worker in deciding)
        pulses = await asyncio.gather(*asked)
        return all(
            pulse is not None or worker.gone for worker, pulse in zip(deciding, pulses, strict=True)
        )

    async def _start(self, number: int) -> Worker:
        worker = await Worker.start(self._jobs[number - 1])
        for message in self._news.latest.values():
            worker.tell(message)
        return worker


def _log_lock() -> IO[bytes]:
    """Return a file without a name, and on Linux without a disk, which there may not be."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("log-lock"), "wb")
    return tempfile.TemporaryFile()


async def _until(
    running: asyncio.Task[None], *events: asyncio.Event, within: float | None = None
) -> None:
    """Wait until the task has ended or one of the events is set, for at most `within` seconds."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait([running, *waiting], timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()


async def _ended(running: asyncio.Task[None]) -> None:
    running.cancel()
    await asyncio.wait([running])
