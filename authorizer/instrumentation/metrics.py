"""Prometheus metrics, in a registry of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from authorizer.instrumentation.cache import CacheMetrics
from authorizer.instrumentation.counts import Counts
from authorizer.instrumentation.durations import Durations
from authorizer.instrumentation.labels import label
from authorizer.instrumentation.pdp_calls import PdpCalls
from authorizer.pdp.answers import KeptAnswers
from authorizer.pdp.interface import PdpState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from prometheus_client import Metric

    from authorizer.model import DecisionRecord
    from authorizer.pdp.interface import PdpHealth

# Seconds. Closest where decisions are made: a PDP on the same machine answers in 0.6 ms.
BUCKETS: Final = (
    0.0001, 0.00025, 0.0005, 0.00075, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075,
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
)  # fmt: skip

RELOAD_RESULTS: Final = ("loaded", "unchanged", "failed")
CUT_REASONS: Final = ("too_many", "slow_head", "large_head", "slow_reader")


class Metrics:
    """All metrics of the service; a sink of decisions.

    Read at each scrape: `log_dropped`, the number of log lines lost so far, and what `answers`
    count.
    """

    def __init__(
        self,
        *,
        version: str,
        log_dropped: Callable[[], int] = lambda: 0,
        answers: KeptAnswers | None = None,
    ) -> None:
        # A second series for each counter and histogram that says when it was made: nobody asks.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs to annotate
        registry = CollectorRegistry()
        self._registry = registry
        self._decisions = Counts(
            "authorizer_decisions_total",
            "Decisions, by outcome, reason and route (empty: no route owns the request).",
            ("outcome", "reason", "route"),
        )
        registry.register(self._decisions)
        self._request_duration = Durations(
            "authorizer_request_duration_seconds",
            "Time from reading a request to its answer.",
            BUCKETS,
        )
        self._pdp_duration = Durations(
            "authorizer_pdp_duration_seconds",
            "Time that a request waited for the PDP; requests that asked none do not count.",
            BUCKETS,
        )
        registry.register(self._request_duration)
        registry.register(self._pdp_duration)
        self.in_flight = Gauge(
            "authorizer_in_flight", "Requests that are being decided now.", registry=registry
        )
        self.connections = Gauge(
            "authorizer_connections",
            "Connections that server.listen has now.",
            registry=registry,
        )
        self._connections_cut = Counter(
            "authorizer_connections_cut_total",
            "Connections on server.listen that were hung up on, by reason.",
            ("reason",),
            registry=registry,
        )
        for reason in CUT_REASONS:
            self._connections_cut.labels(reason)
        self.abandoned = Counter(
            "authorizer_abandoned_total",
            "Requests that ended without an answer: their connection was closed before.",
            registry=registry,
        )
        self._credentials = Gauge(
            "authorizer_credentials_last_reload_success",
            "1 if the files of this setting are what counts, 0 if the newest were refused.",
            ("setting",),
            registry=registry,
        )
        self._rules = Gauge(
            "authorizer_rules_loaded", "Routes in the rules in force.", registry=registry
        )
        self._reload_success = Gauge(
            "authorizer_rules_last_reload_success",
            "1 if the rules on disk are those in force, 0 if the newest attempt to load failed.",
            registry=registry,
        )
        self._reload_timestamp = Gauge(
            "authorizer_rules_last_reload_timestamp_seconds",
            "Unix time at which the rules in force were loaded.",
            registry=registry,
        )
        self._reloads = Counter(
            "authorizer_rules_reloads_total",
            "Attempts to reload the rules, by result: loaded, unchanged or failed.",
            ("result",),
            registry=registry,
        )
        for result in RELOAD_RESULTS:
            self._reloads.labels(result)
        self.config_changed = Gauge(
            "authorizer_config_changed",
            "1 if the configuration file is not what it was at the start: restart to use it.",
            registry=registry,
        )
        self._pdp_up = Gauge(
            "authorizer_pdp_up",
            "1 if the PDP at this endpoint says that it serves.",
            ("endpoint",),
            registry=registry,
        )
        self.pdp_calls = PdpCalls(registry)
        self._policies: tuple[Gauge, Gauge] | None = None
        self._endpoints: frozenset[str] = frozenset()
        Gauge(
            "authorizer_build_info", "Always 1; says which build runs.", ("version",),
            registry=registry,
        ).labels(version).set(1)  # fmt: skip
        registry.register(LogDrops(log_dropped))
        registry.register(CacheMetrics(KeptAnswers() if answers is None else answers))
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)

    def record(self, record: DecisionRecord) -> None:
        """Count one decision and its times."""
        outcome = record.outcome
        self._decisions.add(label(outcome), outcome.reason, record.route)
        self._request_duration.observe(record.total_seconds)
        if record.pdp_seconds is not None:
            self._pdp_duration.observe(record.pdp_seconds)

    def connection_cut(self, reason: str) -> None:
        """Count a connection that was hung up on; `reason` is one of `CUT_REASONS`."""
        self._connections_cut.labels(reason).inc()

    def credential_loaded(self, setting: str, ok: bool) -> None:  # noqa: FBT001 - a gauge's value
        """Say whether the newest files of a certificate or secret are what counts."""
        self._credentials.labels(setting).set(ok)

    def rules_loaded(self, *, routes: int, at: float) -> None:
        """Say which rules are in force now: their number of routes, and since when (Unix time)."""
        self._rules.set(routes)
        self._reload_timestamp.set(at)
        self._reload_success.set(1)

    def reload_finished(self, result: str) -> None:
        """Count an attempt to reload; `result` is one of `RELOAD_RESULTS`."""
        self._reloads.labels(result).inc()
        self._reload_success.set(result != "failed")

    def policies_loaded(self, *, ok: bool, at: float) -> None:
        """Say whether an embedded PDP's policies on disk decide, and since when (Unix time).

        Without such a PDP there are no such metrics.
        """
        if self._policies is None:
            self._policies = (
                Gauge(
                    "authorizer_policies_last_reload_success",
                    "1 if the embedded PDP's policies on disk decide, 0 if they are refused.",
                    registry=self._registry,
                ),
                Gauge(
                    "authorizer_policies_last_reload_timestamp_seconds",
                    "Unix time at which the embedded PDP loaded the policies that decide.",
                    registry=self._registry,
                ),
            )
        success, timestamp = self._policies
        success.set(ok)
        timestamp.set(at)

    def pdp_up(self, health: Sequence[PdpHealth]) -> None:
        """Say which PDP endpoints serve; endpoints that are not named are forgotten."""
        for entry in health:
            self._pdp_up.labels(entry.endpoint).set(entry.state is PdpState.SERVING)
        named = frozenset(entry.endpoint for entry in health)
        for endpoint in self._endpoints - named:
            self._pdp_up.remove(endpoint)
        self._endpoints = named

    def exposition(self, health: Sequence[PdpHealth] | None = None) -> tuple[bytes, str]:
        """Return all metrics in Prometheus's text format, and the content type of that.

        `health` says which PDP endpoints serve now, where it was asked for.
        """
        if health is not None:
            self.pdp_up(health)
        return generate_latest(self._registry), CONTENT_TYPE_LATEST

    def families(self, health: Sequence[PdpHealth]) -> Sequence[Metric]:
        """Return what `exposition` shows, as data that can be added to another process's."""
        self.pdp_up(health)
        return list(self._registry.collect())


class LogDrops(Collector):
    """The number of log lines that were lost so far, as `read` gives it."""

    def __init__(self, read: Callable[[], int]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        """Yield the one metric."""
        yield CounterMetricFamily(
            "authorizer_log_dropped",
            "Log lines that were lost: the queue was full, or writing failed.",
            value=self._read(),
        )
