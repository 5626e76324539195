"""Health and version, with the names and the shapes of Ory's services; metrics; the cache."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Protocol

from authorizer import __version__
from authorizer.server.endpoint import Endpoint
from authorizer.server.replies import error_response, json_response, refuse_unreadable, reply

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from aiohttp import web

    from authorizer.server.connection import Limits
    from authorizer.server.endpoint import Handler, Routes
    from authorizer.server.readiness import Report

    # All metrics: the bytes, and their content type.
    Exposition: TypeAlias = Callable[[], Awaitable[tuple[bytes, str]]]
    # Forgets all kept answers, and says whether every process has.
    ClearCache: TypeAlias = Callable[[], Awaitable[bool]]


class Reporter(Protocol):
    """Knows whether requests are wanted."""

    async def report(self) -> Report:
        """Look, within a second."""


class Health:
    """Answers probes."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    async def alive(self, _: web.BaseRequest) -> web.StreamResponse:
        """Say that the process answers."""
        return json_response(200, {"status": "ok"})

    async def ready(self, _: web.BaseRequest) -> web.StreamResponse:
        """Say whether requests are wanted (200 or 503), and what is known about it."""
        report = await self._reporter.report()
        verdict = {"errors": report.errors} if report.errors else {"status": "ok"}
        return json_response(503 if report.errors else 200, {**verdict, **_detail(report)})

    async def version(self, _: web.BaseRequest) -> web.StreamResponse:
        """Say which version runs."""
        return json_response(200, {"version": __version__})


def _detail(report: Report) -> dict[str, Any]:
    workers = {} if report.workers is None else {"workers": dataclasses.asdict(report.workers)}
    return {
        **workers,
        "pdp": [dataclasses.asdict(one) for one in report.pdp],
        "rules": {
            "digest": report.digest,
            "loaded_at": report.loaded_at,
            "last_error": list(map(str, report.rules_problems)),
        },
        "policies": {"last_error": list(map(str, report.policy_problems))},
        "credentials": {"last_error": list(map(str, report.credential_problems))},
        "config": {"changed": report.config_changed},
    }


def operating(
    reporter: Reporter, exposition: Exposition, clear_cache: ClearCache, limits: Limits
) -> Endpoint:
    """Return what serves operators: health, the metrics that `exposition` gives, clearing."""

    async def metrics(_: web.BaseRequest) -> web.StreamResponse:
        body, content_type = await exposition()
        return reply(200, {"Content-Type": content_type}, body)

    async def clear(request: web.BaseRequest) -> web.StreamResponse:
        if "Origin" in request.headers:
            return error_response(403, "a page in somebody's browser may not ask for this")
        if await clear_cache():
            return json_response(200, {"status": "ok"})
        return error_response(503, "not every worker has said that it forgot; try again")

    routes: Routes = {
        "/metrics": reading(metrics),
        "/cache/clear": {"POST": clear},
        **probes(Health(reporter)),
    }
    return Endpoint(routes, limits=limits, refuse_unreadable=refuse_unreadable)


def probes(health: Health) -> Routes:
    """Return the routes that load balancers and the like ask."""
    return {"/health/alive": reading(health.alive), "/health/ready": reading(health.ready)}


def reading(handler: Handler) -> dict[str, Handler]:
    """Return the methods of what can only be read."""
    return {"GET": handler, "HEAD": handler}
