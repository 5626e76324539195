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
from authorizer.supervisor.messages import Answer, Ask, ClearCache, Farewell, Job, Ready, Told
from authorizer.wiring.service import Inherited, on_stop_signals, start

if TYPE_CHECKING:
    from authorizer.wiring.service import Service


async def work(connected: socket.socket) -> None:
    """Do the job that comes first on the socket, until SIGTERM. Raises as `serve` does."""
    stopping = asyncio.Event()
    on_stop_signals(stopping.set)
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
                    answering.create_task(_answer(message, link, service))
                case ClearCache():
                    service.answers.clear()
                case Told():
                    service.tell_config(changed=message.config_changed)
                    if message.policies is not None:
                        service.tell_policies(message.policies)
    # The supervisor is gone, however that was. Linux has killed us by now; other systems do not.
    os.kill(os.getpid(), signal.SIGKILL)


async def _answer(question: Ask, link: Link, service: Service) -> None:
    report = await service.readiness.report()
    # Counted and sent in one go, so that what was counted later also comes later.
    counts = service.metrics.families(report.pdp) if question.counts else None
    link.send(Answer(question.number, report, counts))
