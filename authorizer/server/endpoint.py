"""An HTTP server for a handful of fixed paths, in which nothing is a 500.

This is aiohttp's low-level server rather than its Application, for two reasons. Oathkeeper asks
four more times on a 500 or a 504, and those are what aiohttp answers for a fault or a timeout of
its own; and its text for a bad request quotes the line that was bad, credentials included. Both
are said in `RequestHandler.handle_error`, which an Application does not let one replace.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
import structlog
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    Routes: TypeAlias = Mapping[str, Mapping[str, Handler]]

# Go's client keeps an idle connection for 90 s. It should be the one who closes: a request that
# crosses our closing would fail.
_KEEPALIVE: Final = 120.0
# Oathkeeper passes the caller's Authorization on. It takes headers of a megabyte itself; what we
# would not take, the caller would see as a 500.
_MAX_HEADER: Final = 64 * 1024
# Which library, in which version: nobody needs to know, and aiohttp tells everybody.
_NAME: Final = "authorizer"
# How long a client that was refused half-way may go on sending, so that it reads the answer.
_LINGERING: Final = 1.0

_log = structlog.get_logger()


class Endpoint(web.Server):
    """Serves `routes` (path → method → handler).

    `refuse_unreadable` makes the answer to what is not HTTP.
    """

    def __init__(
        self, routes: Routes, *, refuse_unreadable: Callable[[], web.StreamResponse]
    ) -> None:
        # Who has hung up wants no answer: the PDP need not find one.
        super().__init__(self._handle, handler_cancellation=True)
        self._routes = routes
        self._refuse_unreadable = refuse_unreadable
        self._open = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    async def quiet(self) -> None:
        """Wait until no request is open."""
        await self._quiet.wait()

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return _Connection(self, loop=self._loop, refuse_unreadable=self._refuse_unreadable)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self._open += 1
        self._quiet.clear()
        try:
            return _named(await self._dispatch(request))
        finally:
            self._open -= 1
            if not self._open:
                self._quiet.set()

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        methods = self._routes.get(request.path)
        if methods is None:
            return _error(404, f"no such path; there are {', '.join(self._routes)}")
        handler = methods.get(request.method)
        if handler is None:
            allow = ", ".join(methods)
            response = _error(405, f"no such method here; there are {allow}")
            response.headers["Allow"] = allow
            return response
        return await handler(request)


class _Connection(web.RequestHandler):
    __slots__ = ("_refuse_unreadable",)

    def __init__(
        self,
        manager: web.Server,
        *,
        loop: asyncio.AbstractEventLoop,
        refuse_unreadable: Callable[[], web.StreamResponse],
    ) -> None:
        options: dict[str, Any] = {
            "access_log": None,
            "auto_decompress": False,
            "keepalive_timeout": _KEEPALIVE,
            "lingering_time": _LINGERING,
            "max_line_size": _MAX_HEADER,
            "max_field_size": _MAX_HEADER,
        }
        super().__init__(manager, loop=loop, **options)
        self._refuse_unreadable = refuse_unreadable

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - quotes what was sent
    ) -> web.StreamResponse:
        """Answer for aiohttp, and close the connection."""
        if request.writer.output_size > 0:
            msg = "the answer has begun"
            raise ConnectionError(msg)
        if status < HTTPStatus.INTERNAL_SERVER_ERROR:
            response = self._refuse_unreadable()
        else:
            _log.error("server.failed", exc_info=exc)
            response = _error(501, "a fault of the authorizer; see its log")
        response.force_close()
        return _named(response)


def refuse_unreadable() -> web.StreamResponse:
    """Answer what is not HTTP, where nobody keeps a record of it."""
    return _error(400, "not a request that HTTP/1.1 allows")


def json_response(status: int, content: Any) -> web.Response:  # noqa: ANN401 - whatever JSON can say
    """Return `content` as a JSON answer."""
    return web.Response(
        status=status, body=msgspec.json.encode(content), content_type="application/json"
    )


def _named(response: web.StreamResponse) -> web.StreamResponse:
    response.headers["Server"] = _NAME
    return response


def _error(status: int, message: str) -> web.Response:
    phrase = HTTPStatus(status).phrase
    return json_response(status, {"error": {"code": status, "status": phrase, "message": message}})
