"""A sink before another: of refusals that come by the thousand it passes on a few, and a number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from authorizer.model import Reason

if TYPE_CHECKING:
    from authorizer.model import DecisionRecord

# So many are passed on in each second.
PASSED_ON: Final = 10
_SECOND: Final = 1.0

_log = structlog.get_logger()


class _Sink(Protocol):
    def record(self, record: DecisionRecord) -> None:
        """Take note of one decision."""


class Thinned:
    """Passes on every record, but of those that say `overloaded` ten a second.

    Nothing is known of those but that they were: the log says how many more there were, once the
    second is over.
    """

    def __init__(self, sink: _Sink) -> None:
        self._sink = sink
        self._seen = 0

    def record(self, record: DecisionRecord) -> None:
        """Pass on one record, or count it. Called on the event loop."""
        if record.outcome.reason is Reason.OVERLOADED:
            if not self._seen:
                asyncio.get_running_loop().call_later(_SECOND, self._sum_up)
            self._seen += 1
            if self._seen > PASSED_ON:
                return
        self._sink.record(record)

    def _sum_up(self) -> None:
        more, self._seen = self._seen - PASSED_ON, 0
        if more > 0:
            _log.error(
                "authorization.overloaded",
                more=more,
                detail="refused as overloaded, beside those in the log",
            )
