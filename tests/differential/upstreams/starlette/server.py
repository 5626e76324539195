"""The application on Starlette, served by uvicorn: server.py PORT ROUTES."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def pattern(path: str) -> str:
    """Return the path as Starlette wants it."""
    return re.sub(r"\{(\w+)\.\.\.\}", r"{\1:path}", path)


def handler(name: str) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a route."""

    async def serve(request: Request) -> Response:
        served = {
            "route": name,
            "captures": {key: str(value) for key, value in request.path_params.items()},
            "authorised": request.headers.get("X-Authorizer-Route", ""),
            "request": request.headers.get("X-Request-Id", ""),
        }
        return Response(headers={"X-Served": quote(json.dumps(served), safe="")})

    return serve


def marked(application: ASGIApp) -> ASGIApp:
    """Return the application, with a mark on each of its answers."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        async def mark(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["X-Upstream"] = "starlette"
            await send(message)

        await application(scope, receive, mark)

    return run


def main() -> None:
    """Serve on loopback until told to stop."""
    port, file = int(sys.argv[1]), Path(sys.argv[2])
    routes = [
        Route(pattern(route["path"]), handler(route["name"]), methods=METHODS)
        for route in json.loads(file.read_text())
    ]
    application = marked(Starlette(routes=routes))
    uvicorn.run(application, host="127.0.0.1", port=port, log_level="warning", http="h11")


if __name__ == "__main__":
    main()
