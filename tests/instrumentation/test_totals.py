"""Several processes' metrics as one service's."""

from __future__ import annotations

import pickle
import re
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from authorizer.instrumentation.metrics import Metrics
from authorizer.instrumentation.totals import GAUGES, Totals, added_up
from authorizer.instrumentation.workers import WorkerMetrics
from authorizer.model import Allow, DecisionRecord, Deny, Reason
from authorizer.pdp.interface import PdpHealth, PdpState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import Metric

    from authorizer.model import Outcome

OUTCOMES: tuple[Outcome, ...] = (Allow(Reason.POLICY_ALLOW), Deny(Reason.NO_ROUTE, ""))


def counted(*decided: int, seconds: float = 0.002) -> Metrics:
    """Return the metrics of a process that has come to these outcomes."""
    metrics = Metrics(version="1")
    for number in decided:
        metrics.record(
            DecisionRecord(decision_id="d", outcome=OUTCOMES[number], total_seconds=seconds)
        )
    return metrics


def values(text: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
        if not sample.name.startswith(("process_", "python_"))
    }


def families(metrics: Metrics) -> Sequence[Metric]:
    """Return them as they come from another process."""
    sent: Sequence[Metric] = pickle.loads(pickle.dumps(metrics.families([])))  # noqa: S301 - ours
    return sent


@given(st.lists(st.lists(st.integers(0, 1), max_size=5), min_size=1, max_size=4))
def test_what_several_have_counted_is_what_one_would_have(decided: list[list[int]]) -> None:
    together, _ = Totals().exposition([families(counted(*each)) for each in decided])
    alone, _ = counted(*(number for each in decided for number in each)).exposition()
    found, expected = values(together), values(alone)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if not key[0].endswith("_seconds_sum"):
            assert found[key] == value, key
        else:
            assert abs(found[key] - value) < 1e-9


@given(st.lists(st.integers(0, 1), max_size=5), st.lists(st.integers(0, 1), max_size=5))
def test_no_counter_falls_when_a_process_ends_and_another_one_begins(
    first: list[int], second: list[int]
) -> None:
    totals = Totals()
    dying, staying = families(counted(*first)), families(counted(*second))
    before = values(totals.exposition([dying, staying])[0])
    totals.retire(dying)
    for living in ([staying], [staying, families(counted())]):
        after = values(totals.exposition(living)[0])
        for key, value in before.items():
            if key[0].endswith(("_total", "_bucket", "_count", "_sum")):
                assert after[key] == value, key


def test_the_gauges_of_one_that_has_ended_say_nothing() -> None:
    totals = Totals()
    ended, running = Metrics(version="1"), Metrics(version="1")
    ended.connections.set(5)
    running.connections.set(2)
    totals.retire(families(ended))
    assert values(totals.exposition([families(running)])[0])["authorizer_connections", ()] == 2


def test_each_gauge_of_all_is_what_one_would_look_for() -> None:
    one, other = Metrics(version="1"), Metrics(version="1")
    one.connections.set(5)
    other.connections.set(2)
    for metrics, result, at in ((one, "unchanged", 10.0), (other, "failed", 20.0)):
        metrics.rules_loaded(routes=int(at), at=at)
        metrics.reload_finished(result)
        metrics.credential_loaded("server.tls", result != "failed")
        metrics.policies_loaded(ok=result != "failed", at=at)
    one.pdp_calls.breaker_changed("a", "open")
    other.pdp_calls.breaker_changed("a", "closed")
    one.config_changed.set(1)
    sent = [
        one.families([PdpHealth("a", PdpState.SERVING)]),
        other.families([PdpHealth("a", PdpState.UNREACHABLE)]),
    ]
    found = values(Totals().exposition(sent)[0])
    endpoint = (("endpoint", "a"),)
    assert found["authorizer_connections", ()] == 7
    assert found["authorizer_rules_loaded", ()] == 10
    assert found["authorizer_rules_last_reload_success", ()] == 0
    assert found["authorizer_rules_last_reload_timestamp_seconds", ()] == 10
    assert found["authorizer_credentials_last_reload_success", (("setting", "server.tls"),)] == 0
    assert found["authorizer_policies_last_reload_success", ()] == 0
    assert found["authorizer_policies_last_reload_timestamp_seconds", ()] == 20
    assert found["authorizer_config_changed", ()] == 1
    assert found["authorizer_pdp_up", endpoint] == 0
    assert found["authorizer_pdp_breaker_state", endpoint] == 2
    assert found["authorizer_build_info", (("version", "1"),)] == 1


def test_of_every_gauge_it_is_said_what_it_means_for_all() -> None:
    metrics = Metrics(version="1")
    metrics.policies_loaded(ok=True, at=0.0)
    workers = WorkerMetrics(wanted=2, ready=lambda: 2, log_dropped=lambda: 0)
    sources = [metrics.families([]), workers.families()]
    text, _ = Totals().exposition(sources)
    gauges = set(re.findall(r"^# TYPE (\S+) gauge", text.decode(), re.MULTILINE))
    assert gauges == set(GAUGES)
    assert [family.name for family in added_up([sources[0]])] == [
        family.name for family in sources[0]
    ]
