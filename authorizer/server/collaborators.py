"""What the server needs from others. Wiring fills it in, tests do too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import structlog

from authorizer import engine

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from authorizer.config.origin import Origin
    from authorizer.config.settings import Settings
    from authorizer.model import AccessRequest, DecisionRecord
    from authorizer.pdp.interface import Deadline, Pdp, PdpHealth
    from authorizer.server.connections import Connections
    from authorizer.server.places import Places
    from authorizer.server.readiness import Readiness
    from authorizer.snapshot import Current, Snapshot

_log = structlog.get_logger()


class Sink(Protocol):
    """Takes note of decisions."""

    def record(self, record: DecisionRecord) -> None:
        """Take note of one decision. Called on the event loop: it must not block."""


class Decide(Protocol):
    """Decides one request, as `authorizer.engine.begin` does."""

    def __call__(
        self,
        request: AccessRequest,
        snapshot: Snapshot,
        pdp: Pdp,
        *,
        decision_id: str,
        deadline: Deadline,
    ) -> DecisionRecord | Coroutine[Any, Any, DecisionRecord]:
        """Return the decision, or what gives it by `deadline`."""


class OnAbandoned(Protocol):
    """Takes note of requests that ended without an answer."""

    def __call__(self, *, decision_id: str, route: str, seconds: float) -> None:
        """Take note of one that lasted so long. Called on the event loop: it must not block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collaborators:
    """Everything that the two listeners share.

    `settings` are those of the start: a listener's own do not change while it runs. `origin` says
    where each of them was written.
    `exposition` takes the PDP's health, and gives the metrics as bytes and their content type.
    `clear_cache` forgets the answers that were kept.
    `on_credential` hears of each attempt to renew one: its setting, and whether that worked.
    `on_abandoned` hears of each request whose connection was closed before it was answered.
    """

    settings: Settings
    origin: Origin
    current: Current
    pdp: Pdp
    decide: Decide = engine.begin
    sinks: Sequence[Sink]
    readiness: Readiness
    places: Places
    connections: Connections
    exposition: Callable[[Sequence[PdpHealth]], tuple[bytes, str]]
    clear_cache: Callable[[], None]
    on_credential: Callable[[str, bool], None]
    on_abandoned: OnAbandoned

    def tell(self, record: DecisionRecord) -> None:
        """Tell all sinks of a decision. Never raises: whatever a sink does, the answer stands."""
        for sink in self.sinks:
            try:
                sink.record(record)
            except Exception:  # noqa: BLE001 - as said
                _log.error("sink.failed", sink=type(sink).__name__, exc_info=True)
