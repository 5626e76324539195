"""An HTTP server for a handful of fixed paths, in which nothing is a 500.

This is aiohttp's low-level server rather than its Application, for two reasons. Oathkeeper asks
four more times on a 500 or a 504, and those are what aiohttp answers for a fault or a timeout of
its own; and its text for a bad request quotes the line that was bad, credentials included. Both
are said in `RequestHandler.handle_error`, which an Application does not let one replace.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web

from authorizer.server.connection import Connection
from authorizer.server.replies import error_response

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from authorizer.server.connection import Limits
    from authorizer.server.short_way import ShortWay

    Handler: TypeAlias = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
    Routes: TypeAlias = Mapping[str, Mapping[str, Handler]]


class Endpoint(web.Server):
    """Serves `routes` (path → method → handler) on connections within `limits`.

    `refuse_unreadable` makes the answer to what is not HTTP. With a `short_way`, what can be
    answered by that is.
    """

    def __init__(
        self,
        routes: Routes,
        *,
        limits: Limits,
        refuse_unreadable: Callable[[], web.StreamResponse],
        short_way: ShortWay | None = None,
    ) -> None:
        # Who has hung up wants no answer: the PDP need not find one.
        super().__init__(self._handle, handler_cancellation=True)
        self._routes = routes
        self._limits = limits
        self._refuse_unreadable = refuse_unreadable
        self._short_way = short_way
        self.is_closed = False
        self._open = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def let_nobody_in(self) -> None:
        """Hang up on who connects from now on."""
        self.is_closed = True

    async def quiet(self) -> None:
        """Wait until no request is open."""
        await self._quiet.wait()

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return Connection(
            self,
            loop=self._loop,
            limits=self._limits,
            refuse_unreadable=self._refuse_unreadable,
            short_way=self._short_way,
        )

    def begin(self) -> None:
        """Count a request as open."""
        self._open += 1
        self._quiet.clear()

    def end(self) -> None:
        """Count one as done that was open."""
        self._open -= 1
        if not self._open:
            self._quiet.set()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.begin()
        try:
            return await self._dispatch(request)
        finally:
            self.end()

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        methods = self._routes.get(request.path)
        if methods is None:
            return error_response(404, f"no such path; there are {', '.join(self._routes)}")
        handler = methods.get(request.method)
        if handler is None:
            allow = ", ".join(methods)
            message = f"no such method here; there are {allow}"
            return error_response(405, message, {"Allow": allow})
        return await handler(request)
