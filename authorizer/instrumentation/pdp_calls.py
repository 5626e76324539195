"""What becomes of calls to PDPs, endpoint by endpoint, as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge

from authorizer.instrumentation.counts import Counts

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

RESULTS: Final = ("answered", "unavailable", "late", "rejected", "abandoned")
# In the order of how bad it is, so that `max` over instances tells the worst.
_STATES: Final = {"closed": 0, "half_open": 1, "open": 2}


class PdpCalls:
    """The observer of `authorizer.pdp.failover`. An endpoint that has left leaves no series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counts(
            "authorizer_pdp_attempts_total",
            "Calls to a PDP, by their end: answered, unavailable, late, rejected or abandoned.",
            ("endpoint", "result"),
        )
        registry.register(self._attempts)
        self._retries = Counter(
            "authorizer_pdp_retries_total",
            "Questions that were asked again at this endpoint, as another one gave no answer.",
            ("endpoint",),
            registry=registry,
        )
        self._breaker = Gauge(
            "authorizer_pdp_breaker_state",
            "0 closed; 1 half open: one call probes; 2 open: passed over, as it failed.",
            ("endpoint",),
            registry=registry,
        )

    def attempted(self, endpoint: str, result: str) -> None:
        """Count a call."""
        self._attempts.add(endpoint, result)

    def retried(self, endpoint: str) -> None:
        """Count a second call for one question."""
        self._retries.labels(endpoint).inc()

    def breaker_changed(self, endpoint: str, state: str) -> None:
        """Say how the endpoint's breaker is; the first time, make its series."""
        self._breaker.labels(endpoint).set(_STATES[state])
        self._retries.labels(endpoint)

    def forgotten(self, endpoint: str) -> None:
        """Take the endpoint's series away."""
        self._breaker.remove(endpoint)
        self._retries.remove(endpoint)
        for result in RESULTS:
            self._attempts.forget(endpoint, result)
