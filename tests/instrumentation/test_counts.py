"""Our counter says what prometheus-client's own would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, generate_latest

from authorizer.instrumentation.counts import Counts

if TYPE_CHECKING:
    from collections.abc import Sequence

LABELS = ("outcome", "route")
VALUES = st.tuples(st.sampled_from(["allow", "deny"]), st.sampled_from(["", "a", 'q"\\', "é\n"]))


def exposed(registry: CollectorRegistry) -> list[str]:
    lines = generate_latest(registry).decode().splitlines()
    return [line for line in lines if "_created" not in line]


@given(st.lists(st.tuples(VALUES, st.sampled_from(["count", "count", "forget"]))))
def test_it_exposes_the_same_lines(steps: Sequence[tuple[tuple[str, str], str]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    counts = Counts("things_total", "How many.", LABELS)
    ours.register(counts)
    counter = Counter("things_total", "How many.", LABELS, registry=theirs)
    known = set()
    for values, step in steps:
        if step == "count":
            counts.add(*values)
            counter.labels(*values).inc()
            known.add(values)
        else:
            counts.forget(*values)
            if values in known:
                counter.remove(*values)
                known.remove(values)
    assert exposed(ours) == exposed(theirs)
