"""Requests that ended without an answer: each is counted, and a few have a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from authorizer.instrumentation.few import Few

if TYPE_CHECKING:
    from collections.abc import Callable

_log = structlog.get_logger()


class Abandoned:
    """Calls `count` for each, and logs ten a second; of the others the log says the number.

    They are no decisions, as nobody was told one. Many of them say that somebody waits for less
    time than a decision may take.
    """

    def __init__(self, count: Callable[[], None]) -> None:
        self._count = count
        self._few = Few(_say_more)

    def note(self, *, decision_id: str, route: str, seconds: float) -> None:
        """Take note of one that lasted for so long. Called on the event loop.

        `route` is empty where none owns the request, or where nobody had looked yet.
        """
        self._count()
        if self._few.passes():
            _log.warning(
                "authorization.abandoned",
                decision_id=decision_id,
                route=route,
                total_ms=round(seconds * 1000, 3),
            )


def _say_more(more: int) -> None:
    _log.warning(
        "authorization.abandoned",
        more=more,
        detail="ended without an answer, beside those in the log",
    )
