"""One worker, as its supervisor sees it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from authorizer.supervisor.link import Link
from authorizer.supervisor.messages import Ask, Farewell, Pulse, Ready

if TYPE_CHECKING:
    import signal
    from collections.abc import Sequence

    from prometheus_client import Metric

    from authorizer.supervisor.messages import Job

# A fresh program rather than a fork: a fork takes the locks of threads along, but not the threads.
_PROGRAM: Final = "authorizer.cli.worker"


class Worker:
    """A process that decides. It cannot outlive this one."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, link: Link) -> None:
        self.number: Final = number
        self.ready = False
        self.gone = False
        # What it had counted when it last said.
        self.counts: Sequence[Metric] = ()
        self._process = process
        self._link = link
        self._questions = itertools.count()
        self._asked: dict[int, asyncio.Future[Pulse]] = {}
        self._is_ready = asyncio.Event()
        self._listening = asyncio.create_task(self._listen(), name=f"worker-{number}")

    @classmethod
    async def start(cls, job: Job) -> Worker:
        """Start a process and give it its job. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    # With the very path that this program has, and not the folder it runs in.
                    "-P",
                    "-m",
                    _PROGRAM,
                    str(os.getpid()),
                    str(theirs.fileno()),
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno(), job.log_lock, *job.sockets, *job.others],
                    env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
                    # Ctrl-C at a terminal is for the supervisor, which tells the workers.
                    start_new_session=True,
                )
            except BaseException:
                ours.close()
                raise
        worker = cls(job.number, process, await Link.over(ours))
        worker.tell(job)
        return worker

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def tell(self, message: object) -> None:
        """Send it a message."""
        self._link.send(message)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def until_ready(self) -> bool:
        """Wait until it decides, and return True; or until it has ended, and return False."""
        await self._is_ready.wait()
        return self.ready

    async def ask(self, *, counts: bool, within: float) -> Pulse | None:
        """Ask how it is; None if it does not say within so many seconds, or is gone."""
        if self.gone:
            return None
        number = next(self._questions)
        pulse: asyncio.Future[Pulse] = asyncio.get_running_loop().create_future()
        self._asked[number] = pulse
        self.tell(Ask(number, counts))
        try:
            async with asyncio.timeout(within):
                return await pulse
        except (TimeoutError, ConnectionError):
            return None
        finally:
            del self._asked[number]

    async def wait(self) -> int:
        """Wait until it has ended and all that it said was heard; return its exit status."""
        status = await self._process.wait()
        await asyncio.wait([self._listening])
        await self._link.close()
        return status

    async def _listen(self) -> None:
        while (message := await self._link.receive()) is not None:
            match message:
                case Ready():
                    self.ready = True
                    self._is_ready.set()
                case Pulse():
                    if message.counts is not None:
                        self.counts = message.counts
                    waiting = self._asked.get(message.number)
                    if waiting is not None and not waiting.done():
                        waiting.set_result(message)
                case Farewell():
                    self.counts = message.counts
        self.gone = True
        self._is_ready.set()
        for waiting in self._asked.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError())
