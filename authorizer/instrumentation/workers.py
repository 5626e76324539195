"""What the process that looks after the workers has to say for itself, as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    disable_created_metrics,
)

from authorizer.instrumentation.metrics import LogDrops

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from prometheus_client import Metric


class WorkerMetrics:
    """How many workers there are, and how many were replaced.

    `ready` and `log_dropped` are read at each scrape.
    """

    def __init__(
        self, *, wanted: int, ready: Callable[[], int], log_dropped: Callable[[], int]
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs to annotate
        registry = self._registry = CollectorRegistry()
        Gauge("authorizer_workers", "Processes that should decide.", registry=registry).set(wanted)
        Gauge(
            "authorizer_workers_ready", "Processes that decide now.", registry=registry
        ).set_function(ready)
        self.exits = Counter(
            "authorizer_worker_exits_total",
            "Workers that ended before they were told to; each is replaced.",
            registry=registry,
        )
        registry.register(LogDrops(log_dropped))
        ProcessCollector(registry=registry)

    def families(self) -> Sequence[Metric]:
        """Return them as data that can be added to the workers' own."""
        return list(self._registry.collect())
