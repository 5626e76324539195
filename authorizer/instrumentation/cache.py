"""How the answers are used that are kept, as metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Metric

    from authorizer.pdp.answers import KeptAnswers


class CacheMetrics(Collector):
    """What `answers` count, read at each scrape: a decision counts nothing twice."""

    def __init__(self, answers: KeptAnswers) -> None:
        self._answers = answers

    def collect(self) -> Iterable[Metric]:
        """Yield all four."""
        answers = self._answers
        yield CounterMetricFamily(
            "authorizer_cache_hits",
            "Decisions on cached routes by an answer from before.",
            value=answers.hits,
        )
        yield CounterMetricFamily(
            "authorizer_cache_misses",
            "Decisions on cached routes for which the PDP was asked.",
            value=answers.misses,
        )
        yield GaugeMetricFamily(
            "authorizer_cache_entries", "Answers that are kept.", value=len(answers)
        )
        yield GaugeMetricFamily(
            "authorizer_cache_bytes", "Memory that kept answers take, at most.", value=answers.size
        )
