"""What a worker does: it decides, and tells its supervisor how it is."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from authorizer.instrumentation.logging import Shared
from authorizer.supervisor.link import Link
from authorizer.supervisor.messages import (
    Ask,
    ClearCache,
    ConfigTold,
    Farewell,
    Job,
    PoliciesTold,
    Pulse,
    Ready,
)
from authorizer.wiring.service import Inherited, start, take_signals

if TYPE_CHECKING:
    from authorizer.wiring.service import Service


async def work(connected: socket.socket) -> None:
    """Do the job that comes first on the socket, until SIGTERM. Raises as `serve` does."""
    stopping = asyncio.Event()
    take_signals(stopping.set)
    link = await Link.over(connected)
    job = await link.receive()
    if not isinstance(job, Job):
        return  # the supervisor is gone
    async with AsyncExitStack() as stack:
        inherited = Inherited(
            log=Shared(job.log_lock, job.number),
            sockets=[socket.socket(fileno=number) for number in job.sockets],
            others=[socket.socket(fileno=number) for number in job.others],
            pdp=job.pdp,
        )
        service = await start(job.loaded, stack, inherited)
        link.send(Ready())
        obeying = asyncio.create_task(_obey(link, service), name="obey")
        await stopping.wait()
        await service.listeners.drain()
        # Nothing is counted any more, and nobody is told of anything after this.
        health = (await service.readiness.report()).pdp
        obeying.cancel()
        link.send(Farewell(service.metrics.families(health)))
        await link.close()


async def _obey(link: Link, service: Service) -> None:
    async with asyncio.TaskGroup() as answering:
        while (message := await link.receive()) is not None:
            match message:
                case Ask():
                    answering.create_task(_say_how(message, link, service))
                case ClearCache():
                    service.answers.clear()
                case PoliciesTold():
                    service.tell_policies(message.state)
                case ConfigTold():
                    service.tell_config(changed=message.changed)
    # The supervisor is gone, however that was. Linux has killed us by now; other systems do not.
    os.kill(os.getpid(), signal.SIGKILL)


async def _say_how(question: Ask, link: Link, service: Service) -> None:
    report = await service.readiness.report()
    # Counted and sent in one go, so that what was counted later also comes later.
    counts = service.metrics.families(report.pdp) if question.counts else None
    link.send(Pulse(question.number, report, counts))
