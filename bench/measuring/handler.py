"""A floor: a bare aiohttp handler that reads the body and answers 200.

    python -m bench.measuring.handler PORT [refuse]

With `refuse` it reads nothing, and answers 503. As anybody would write it, on the event loop that
`authorizer serve` has.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import uvloop
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def answer(request: web.Request) -> web.StreamResponse:
    """Read, and answer."""
    await request.read()
    return web.Response()


async def refuse(_: web.Request) -> web.StreamResponse:
    """Answer at once that there is no answer."""
    return web.Response(status=503)


async def serve(port: int, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> None:
    """Serve until SIGTERM."""
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
    port, *more = sys.argv[1:]
    uvloop.run(serve(int(port), refuse if more == ["refuse"] else answer))
