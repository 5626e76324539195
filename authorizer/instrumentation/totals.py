"""The metrics of several processes as those of one service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

# What a gauge of all is, of those of each: how much there is in all, or the one to worry about.
# Two processes that differ for long have not loaded the same.
GAUGES: Final[Mapping[str, Callable[[float, float], float]]] = {
    "authorizer_in_flight": float.__add__,
    "authorizer_connections": float.__add__,
    "authorizer_credentials_last_reload_success": min,
    "authorizer_cache_entries": float.__add__,
    "authorizer_cache_bytes": float.__add__,
    "authorizer_rules_loaded": min,
    "authorizer_rules_last_reload_success": min,
    "authorizer_rules_last_reload_timestamp_seconds": min,
    "authorizer_policies_last_reload_success": min,
    "authorizer_policies_last_reload_timestamp_seconds": max,
    "authorizer_config_changed": max,
    "authorizer_pdp_up": min,
    "authorizer_pdp_breaker_state": max,
    "authorizer_build_info": max,
    "authorizer_workers": max,
    "authorizer_workers_ready": max,
    "python_info": max,
    "process_open_fds": float.__add__,
    "process_max_fds": float.__add__,
    "process_resident_memory_bytes": float.__add__,
    "process_virtual_memory_bytes": float.__add__,
    "process_start_time_seconds": min,
}


class Totals:
    """Adds up what each process has counted, those that are gone included.

    So that no counter falls when a process ends: Prometheus takes that for a new start, and counts
    all of it anew.
    """

    def __init__(self) -> None:
        self._gone: Sequence[Metric] = ()

    def retire(self, families: Iterable[Metric]) -> None:
        """Keep what a process had counted that has ended. Its gauges say nothing any more."""
        counted = [family for family in families if family.type != "gauge"]
        self._gone = added_up([self._gone, counted])

    def exposition(self, living: Iterable[Iterable[Metric]]) -> tuple[bytes, str]:
        """Return all metrics in Prometheus's text format, and the content type of that."""
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Families(added_up([*living, self._gone])))
        return generate_latest(registry), CONTENT_TYPE_LATEST


def added_up(processes: Iterable[Iterable[Metric]]) -> Sequence[Metric]:
    """Return one family of each name: counters and histograms as sums, gauges as GAUGES says."""
    families: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for family in (family for process in processes for family in process):
        families.setdefault(family.name, family)
        combine = GAUGES[family.name] if family.type == "gauge" else float.__add__
        of_all = values.setdefault(family.name, {})
        for sample in family.samples:
            key = (sample.name, tuple(sample.labels.items()))
            value = float(sample.value)
            of_all[key] = combine(of_all[key], value) if key in of_all else value
    return [_family(like, values[name]) for name, like in families.items()]


def _family(
    like: Metric, values: Mapping[tuple[str, tuple[tuple[str, str], ...]], float]
) -> Metric:
    family = Metric(like.name, like.documentation, like.type)
    for (name, labels), value in values.items():
        family.add_sample(name, dict(labels), value)
    return family


class _Families(Collector):
    def __init__(self, families: Sequence[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families
