"""Two services behind a balancer that heeds readiness, restarted one after the other under load."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from typing import TYPE_CHECKING, Final

import pytest
from polling import eventually
from served import EMBEDDED, Served, body, prepare
from serving import Wire, post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.alone]

CALLERS: Final = 8
PROBE_EVERY: Final = 0.05
# Longer than a balancer needs to notice, also on a busy machine.
CONFIG: Final = EMBEDDED.replace("0'}", "0', drain_delay: 1s}", 1)


class Balancer:
    """Sends each question to one that is ready, on connections that it keeps, and never twice."""

    def __init__(self) -> None:
        self.instances: list[Served] = []
        self.ready: list[Served] = []
        self._turn = itertools.count()
        self._idle: dict[str, list[Wire]] = {}

    async def probe(self) -> None:
        """Ask again and again who is ready."""
        while True:
            self.ready = [one for one in self.instances if await self._is_ready(one)]
            await asyncio.sleep(PROBE_EVERY)

    async def ask(self, question: bytes) -> int:
        """Return the status of the answer. Whatever goes wrong on the way is raised."""
        address = self.ready[next(self._turn) % len(self.ready)].ready["listen"]
        kept = self._idle.setdefault(address, [])
        wire = kept.pop() if kept else await connected(address)
        wire.send(question)
        answer = await wire.answer()
        if answer.headers.get("connection") == "close":
            wire.writer.close()
        else:
            kept.append(wire)
        return answer.status

    def close(self) -> None:
        for wire in itertools.chain.from_iterable(self._idle.values()):
            wire.writer.close()

    @staticmethod
    async def _is_ready(served: Served) -> bool:
        with contextlib.suppress(OSError, EOFError):
            async with await connected(served.ready["listen"]) as wire:
                wire.send(b"GET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n")
                return (await wire.answer()).status == 200
        return False


async def connected(address: str) -> Wire:
    host, port = address.rsplit(":", 1)
    return Wire(*await asyncio.open_connection(host, int(port)))


@contextlib.asynccontextmanager
async def load(balancer: Balancer) -> AsyncIterator[list[int]]:
    """Ask all the time, by several callers; yields the statuses so far."""
    statuses: list[int] = []
    question = post(body())
    over = asyncio.Event()

    async def ask() -> None:
        while not over.is_set():
            statuses.append(await balancer.ask(question))

    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(ask())
        yield statuses
        over.set()


async def asked(statuses: list[int], more: int) -> None:
    """Wait until as many more are answered."""
    enough = len(statuses) + more
    await eventually(lambda: len(statuses) >= enough)


async def test_a_rolling_restart_under_load_loses_no_request(tmp_path: Path) -> None:
    balancer = Balancer()
    for name in "ab":  # the path of a Unix socket has little room
        (tmp_path / name).mkdir()
        balancer.instances.append(Served(prepare(tmp_path / name, CONFIG)))
    try:
        for served in balancer.instances:
            await asyncio.to_thread(served.start)
        probing = asyncio.create_task(balancer.probe())
        await eventually(lambda: len(balancer.ready) == 2)
        async with load(balancer) as statuses:
            for served in balancer.instances:
                assert await asyncio.to_thread(served.stop) == 0
                await asyncio.to_thread(served.start)
                await eventually(lambda: len(balancer.ready) == 2)
                # So that both are asked again before the next one goes.
                await asked(statuses, 200)
        probing.cancel()
        assert set(statuses) == {200}
        assert len(statuses) > 400
        assert [served.stderr for served in balancer.instances] == ["", ""]
    finally:
        balancer.close()
        for served in balancer.instances:
            await asyncio.to_thread(served.end)
