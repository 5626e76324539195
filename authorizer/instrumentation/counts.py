"""A counter with labels that costs next to nothing to add to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from prometheus_client import Metric


class Counts(Collector):
    """Counts by the values of `labels`. For one thread.

    prometheus-client's own Counter is for many: it takes a lock to add, another one to find what to
    add to, and several times as long.
    """

    def __init__(self, name: str, documentation: str, labels: Sequence[str]) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._of: dict[tuple[str, ...], int] = {}

    def add(self, *values: str) -> None:
        """Count one."""
        of = self._of
        of[values] = of.get(values, 0) + 1

    def forget(self, *values: str) -> None:
        """Take away what was counted, if anything was."""
        self._of.pop(values, None)

    def collect(self) -> Iterable[Metric]:
        """Yield the one metric, in the order in which its labels were first seen."""
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for values, count in self._of.items():
            family.add_metric([str(value) for value in values], count)
        yield family
