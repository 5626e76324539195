"""Where a decision goes once it is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import structlog

from authorizer.model import Allow, Deny, Indeterminate, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import DecisionRecord, Outcome

_LABELS: Final[Mapping[type[Outcome], str]] = {
    Allow: "allow",
    Deny: "deny",
    Refused: "refused",
    Indeterminate: "indeterminate",
}


def label(outcome: Outcome) -> str:
    """Return what logs and metrics call the kind of `outcome`: allow, deny, …"""
    return _LABELS[type(outcome)]


class Sink(Protocol):
    """Takes note of decisions."""

    def record(self, record: DecisionRecord) -> None:
        """Take note of one decision. Called on the event loop: it must not block."""


class Sinks:
    """Several sinks as one. One that fails neither changes an answer nor stops the others."""

    def __init__(self, *sinks: Sink) -> None:
        self._sinks = sinks
        self._failing: set[Sink] = set()

    def record(self, record: DecisionRecord) -> None:
        """Hand the record to every sink; never raises."""
        for sink in self._sinks:
            try:
                sink.record(record)
            except Exception:  # noqa: BLE001 - whatever a sink does, the answer stands
                self._complain(sink)

    def _complain(self, sink: Sink) -> None:
        # Once for each sink: at thousands of decisions a second the log would hold nothing else.
        if sink in self._failing:
            return
        self._failing.add(sink)
        structlog.get_logger().error("sink.failed", sink=type(sink).__name__, exc_info=True)
