"""Health and version, with the names and the shapes of Ory's services; metrics."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from aiohttp import web

from authorizer import __version__
from authorizer.server.answers import json_response

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authorizer.pdp.interface import PdpHealth
    from authorizer.server.endpoint import Handler
    from authorizer.server.readiness import Readiness, Report


class Health:
    """Answers probes."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def alive(self, _: web.BaseRequest) -> web.StreamResponse:
        """Say that the process answers."""
        return json_response(200, {"status": "ok"})

    async def ready(self, _: web.BaseRequest) -> web.StreamResponse:
        """Say whether requests are wanted (200 or 503), and what is known about it."""
        report = await self._readiness.report()
        verdict = {"errors": report.errors} if report.errors else {"status": "ok"}
        return json_response(503 if report.errors else 200, {**verdict, **_detail(report)})

    async def version(self, _: web.BaseRequest) -> web.StreamResponse:
        """Say which version runs."""
        return json_response(200, {"version": __version__})


def _detail(report: Report) -> dict[str, Any]:
    problems = report.rules_error.problems if report.rules_error is not None else ()
    return {
        "pdp": [dataclasses.asdict(one) for one in report.pdp],
        "rules": {
            "digest": report.digest,
            "loaded_at": report.loaded_at,
            "last_error": list(map(str, problems)),
        },
        "policies": {"last_error": list(map(str, report.policy_problems))},
        "credentials": {"last_error": list(map(str, report.credential_problems))},
        "config": {"changed": report.config_changed},
    }


def metrics(
    readiness: Readiness, exposition: Callable[[Sequence[PdpHealth]], tuple[bytes, str]]
) -> Handler:
    """Return the handler that answers with what `exposition` gives: bytes, content type.

    The PDP is asked how it is, so that each scrape says what is so now.
    """

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        body, content_type = exposition((await readiness.report()).pdp)
        return web.Response(body=body, headers={"Content-Type": content_type})

    return handler
