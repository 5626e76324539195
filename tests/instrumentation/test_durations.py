"""Our histogram says what prometheus-client's own would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from authorizer.instrumentation.durations import Durations
from authorizer.instrumentation.metrics import BUCKETS

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMES = st.floats(min_value=0, max_value=10) | st.sampled_from(BUCKETS)


def exposed(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line)


@given(st.lists(TIMES))
def test_it_exposes_the_same_lines(times: Sequence[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    durations = Durations("a_seconds", "How long.", BUCKETS)
    ours.register(durations)
    histogram = Histogram("a_seconds", "How long.", buckets=BUCKETS, registry=theirs)
    for seconds in times:
        durations.observe(seconds)
        histogram.observe(seconds)
    assert exposed(ours) == exposed(theirs)
