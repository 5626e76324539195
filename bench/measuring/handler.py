"""A floor: a bare aiohttp handler that reads the body and answers 200.

    python -m bench.measuring.handler PORT

As anybody would write it, on the event loop that `authorizer serve` has.
"""

from __future__ import annotations

import asyncio
import signal
import sys

import uvloop
from aiohttp import web


async def answer(request: web.Request) -> web.StreamResponse:
    """Read, and answer."""
    await request.read()
    return web.Response()


async def serve(port: int) -> None:
    """Serve until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    application = web.Application()
    application.router.add_post("/authorize", answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await stopping.wait()
    await runner.cleanup()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
