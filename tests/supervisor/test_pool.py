"""A pool of real workers, looked after from here."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import socket
import tempfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from polling import PATIENCE, eventually
from processes import gone
from served import prepare

from authorizer.backoff import Backoff
from authorizer.config.loading import load
from authorizer.errors import WorkersFailed
from authorizer.supervisor import pool as pools
from authorizer.supervisor import worker as workers
from authorizer.supervisor.messages import Job
from authorizer.supervisor.pool import Pool
from authorizer.supervisor.worker import Worker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

# A PDP that nobody asks: workers start without it.
CONFIG = "server: {listen: '127.0.0.1:0'}\npdp: {endpoints: ['127.0.0.1:1']}\nlog: {level: error}\n"


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    settings = load(prepare(tmp_path, CONFIG) / "authorizer.yaml", environ={}, cwd=tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as listening, tempfile.TemporaryFile() as lock:
        yield Job(
            number=0,
            loaded=settings,
            sockets=[listening.fileno()],
            others=[],
            log_lock=lock.fileno(),
            pdp=None,
        )


@dataclass
class Running:
    pool: Pool
    exits: list[None] = field(default_factory=list)
    gone: list[Worker] = field(default_factory=list)


@contextlib.asynccontextmanager
async def running(job: Job, size: int = 2) -> AsyncIterator[Running]:
    async def start(number: int) -> Worker:
        return await Worker.start(replace(job, number=number))

    exits: list[None] = []
    left: list[Worker] = []
    pool = Pool(
        start, size, on_exit=lambda: exits.append(None), on_gone=left.append, backoff=Backoff(0.01)
    )
    task = asyncio.create_task(pool.run())
    try:
        await asyncio.wait_for(pool.complete.wait(), PATIENCE)
        yield Running(pool, exits, left)
    finally:
        pids = [worker.pid for worker in pool.workers]
        task.cancel()
        await asyncio.wait([task])
        assert all(gone(pid) for pid in pids)


async def test_who_is_gone_is_told_with_what_it_had_counted(job: Job) -> None:
    async with running(job) as one:
        first, second = one.pool.workers
        assert (first.number, second.number, one.pool.ready) == (1, 2, 2)
        pulses = await one.pool.ask(counts=True, within=5)
        assert [pulse.report.errors for pulse in pulses] == [{}, {}]
        assert first.counts
        first.signal(signal.SIGKILL)
        await eventually(lambda: one.pool.ready == 2 and one.gone)
        assert one.gone == [first]
        assert one.exits == [None]
        assert [worker.number for worker in one.pool.workers] == [1, 2]
        assert one.pool.workers[0].pid != first.pid


async def test_when_drained_each_says_its_last_counts_and_none_is_replaced(job: Job) -> None:
    async with running(job) as one:
        both = list(one.pool.workers)
        one.pool.drain()
        await eventually(lambda: len(one.gone) == 2)
        assert set(one.gone) == set(both)
        assert all(worker.counts for worker in both)
        assert (one.exits, one.pool.workers) == ([], [])


async def test_one_that_says_nothing_for_long_is_ended_and_replaced(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody else notices: the processes are all there."""
    monkeypatch.setattr(pools, "_PULSE", 0.05)
    monkeypatch.setattr(pools, "_SILENT", 1.0)
    async with running(job) as one:
        first, second = one.pool.workers
        os.kill(first.pid, signal.SIGSTOP)
        assert len(await one.pool.ask(counts=True, within=0.2)) == 1
        await eventually(lambda: one.gone and one.pool.ready == 2)
        assert one.gone == [first]
        assert second in one.pool.workers


async def test_where_none_comes_up_it_gives_up(
    job: Job, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(workers, "_PROGRAM", "no_such_program")
    with pytest.raises(WorkersFailed, match="5 workers in a row ended before they were ready"):
        async with asyncio.timeout(PATIENCE):
            await Pool(
                lambda number: Worker.start(replace(job, number=number)),
                2,
                on_exit=lambda: None,
                on_gone=lambda _: None,
                backoff=Backoff(0.01),
            ).run()
    assert "no_such_program" in capfd.readouterr().err


async def test_where_one_has_never_come_up_the_others_go_on_and_it_is_tried_until_it_does(
    job: Job,
) -> None:
    tries = 0
    mended = False

    async def start(number: int) -> Worker:
        nonlocal tries
        if number == 2:
            await eventually(lambda: pool.ready)
            tries += 1
            if not mended:
                raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return await Worker.start(replace(job, number=number))

    pool = Pool(start, 2, on_exit=lambda: None, on_gone=lambda _: None, backoff=Backoff(0.01, 0.1))
    task = asyncio.create_task(pool.run())
    try:
        await eventually(lambda: tries > 7)
        assert (pool.ready, pool.complete.is_set()) == (1, False)
        mended = True
        await asyncio.wait_for(pool.complete.wait(), PATIENCE)
        assert pool.ready == 2
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_where_some_decide_it_does_not_give_up(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What keeps one from coming up, such as broken rules, may be mended while they decide."""
    async with running(job) as one:
        _, second = one.pool.workers
        with monkeypatch.context() as broken:
            broken.setattr(workers, "_PROGRAM", "no_such_program")
            one.pool.workers[0].signal(signal.SIGKILL)
            await eventually(lambda: len(one.exits) > 7)
            assert one.pool.workers[-1] is second
        await eventually(lambda: one.pool.ready == 2)
