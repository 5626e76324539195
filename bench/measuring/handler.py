"""A floor: a bare aiohttp handler that reads the body and answers 200.

    python -m bench.measuring.handler PORT [refuse | ask HOST:PORT FILE]

With `refuse` it reads nothing, and answers 503. With `ask` it answers when a PDP has answered the
next of the requests in FILE. As anybody would write it, on the event loop that `authorizer serve`
has.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc.aio
import uvloop
from aiohttp import web
from cerbos.svc.v1 import svc_pb2_grpc

from bench.measuring import stub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import TypeAlias

    Handler: TypeAlias = Callable[[web.Request], Awaitable[web.StreamResponse]]

_TIMEOUT: Final = 5.0  # seconds


async def answer(request: web.Request) -> web.StreamResponse:
    """Read, and answer."""
    await request.read()
    return web.Response()


async def refuse(_: web.Request) -> web.StreamResponse:
    """Answer at once that there is no answer."""
    return web.Response(status=503)


def asking(pdp: str, path: Path) -> Handler:
    """Return what reads, and answers when a PDP has answered the next of the requests in a file.

    It knows nothing of what it was asked: a service that asks a PDP cannot do less.
    """
    messages = cycle(message for group in stub.read(path, 1) for message in group)
    check = svc_pb2_grpc.CerbosServiceStub(grpc.aio.insecure_channel(pdp)).CheckResources

    async def ask(request: web.Request) -> web.StreamResponse:
        await request.read()
        await check(next(messages), timeout=_TIMEOUT)
        return web.Response()

    return ask


async def serve(port: int, arguments: Sequence[str]) -> None:
    """Serve until SIGTERM."""
    handler: Handler = answer
    match arguments:
        case ["refuse"]:
            handler = refuse
        case ["ask", pdp, path]:
            handler = asking(pdp, Path(path))
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    application = web.Application()
    application.router.add_post("/authorize", handler)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await stopping.wait()
    await runner.cleanup()


if __name__ == "__main__":
    port, *arguments = sys.argv[1:]
    uvloop.run(serve(int(port), arguments))
