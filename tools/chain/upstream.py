"""The application behind Oathkeeper: answers what it was asked. Run with the port to listen on."""

from __future__ import annotations

import sys

from aiohttp import web

# Not the caller's credentials, which reach an upstream too.
_SHOWN = (
    "X-User",
    "X-Decision-Id",
    "X-Decision-Reason",
    "X-Authorizer-Route",
    "X-Cerbos-Call-Id",
    "X-Request-Id",
)


async def echo(request: web.Request) -> web.Response:
    """Say what was asked, and what Oathkeeper added."""
    headers = {name: request.headers[name] for name in _SHOWN if name in request.headers}
    return web.json_response(
        {
            "upstream": "reached",
            "method": request.method,
            "path": request.raw_path,
            "headers": headers,
        }
    )


def main() -> None:
    """Serve on loopback until told to stop."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", echo)
    web.run_app(application, host="127.0.0.1", port=int(sys.argv[1]), print=None)


if __name__ == "__main__":
    main()
