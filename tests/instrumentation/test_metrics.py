"""The numbers that operators see."""

from __future__ import annotations

import prometheus_client
from prometheus_client.parser import text_string_to_metric_families

from authorizer.instrumentation.metrics import BUCKETS, Metrics
from authorizer.model import (
    Allow,
    DecisionRecord,
    Deny,
    Indeterminate,
    Reason,
)
from authorizer.pdp.interface import PdpHealth, PdpState


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return every sample, by its name and its labels' values."""
    body, _ = metrics.exposition()
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def test_decisions_are_counted_by_outcome_reason_and_route() -> None:
    metrics = Metrics(version="1")
    for _ in range(3):
        metrics.record(
            DecisionRecord(
                decision_id="d", outcome=Allow(Reason.POLICY_ALLOW), route="documents.item"
            )
        )
    metrics.record(DecisionRecord(decision_id="d", outcome=Deny(Reason.NO_ROUTE)))
    metrics.record(DecisionRecord(decision_id="d", outcome=Indeterminate(Reason.PDP_DEADLINE)))
    seen = samples(metrics)
    name = "authorizer_decisions_total"
    assert seen[name, "allow", "policy_allow", "documents.item"] == 3
    assert seen[name, "deny", "no_route", ""] == 1
    assert seen[name, "indeterminate", "pdp_deadline", ""] == 1
    assert len([key for key in seen if key[0] == name]) == 3


def test_no_label_comes_from_a_caller() -> None:
    metrics = Metrics(version="1")
    metrics.record(
        DecisionRecord(
            decision_id="caller-1",
            outcome=Deny(Reason.NO_ROUTE),
            subject="caller-2",
            host="caller-3",
            path="caller-4",
            method="caller-5",
            request_id="caller-6",
        )
    )
    assert b"caller" not in metrics.exposition()[0]


def test_times_fall_into_buckets_and_no_pdp_call_is_no_pdp_time() -> None:
    metrics = Metrics(version="1")
    metrics.record(
        DecisionRecord(
            decision_id="d",
            outcome=Allow(Reason.POLICY_ALLOW),
            total_seconds=0.0011,
            pdp_seconds=0.0007,
        )
    )
    metrics.record(
        DecisionRecord(decision_id="d", outcome=Deny(Reason.NO_ROUTE), total_seconds=0.00005)
    )
    seen = samples(metrics)
    assert seen["authorizer_request_duration_seconds_bucket", "0.0001"] == 1
    assert seen["authorizer_request_duration_seconds_bucket", "0.0015"] == 2
    assert seen[("authorizer_request_duration_seconds_count",)] == 2
    assert seen["authorizer_pdp_duration_seconds_bucket", "0.00075"] == 1
    assert seen[("authorizer_pdp_duration_seconds_count",)] == 1


def test_the_buckets_reach_from_a_tenth_of_a_millisecond_to_a_second() -> None:
    assert (BUCKETS[0], BUCKETS[-1]) == (0.0001, 1.0)
    assert list(BUCKETS) == sorted(set(BUCKETS))


def test_a_failed_reload_shows_until_a_good_one() -> None:
    metrics = Metrics(version="1")
    metrics.rules_loaded(routes=7, at=1000.5)
    metrics.reload_finished("failed")
    seen = samples(metrics)
    assert seen[("authorizer_rules_loaded",)] == 7
    assert seen[("authorizer_rules_last_reload_success",)] == 0
    assert seen[("authorizer_rules_last_reload_timestamp_seconds",)] == 1000.5
    assert seen["authorizer_rules_reloads_total", "failed"] == 1
    assert seen["authorizer_rules_reloads_total", "loaded"] == 0

    metrics.reload_finished("unchanged")  # the file was put back as it was
    assert samples(metrics)[("authorizer_rules_last_reload_success",)] == 1

    metrics.reload_finished("loaded")
    metrics.rules_loaded(routes=8, at=2000.0)
    seen = samples(metrics)
    assert seen[("authorizer_rules_loaded",)] == 8
    assert seen[("authorizer_rules_last_reload_timestamp_seconds",)] == 2000


def test_pdp_endpoints_are_up_or_not_and_forgotten_when_they_are_gone() -> None:
    metrics = Metrics(version="1")
    metrics.pdp_up(
        [
            PdpHealth("one:3593", PdpState.SERVING),
            PdpHealth("two:3593", PdpState.UNREACHABLE),
            PdpHealth("three:3593", PdpState.NOT_SERVING),
        ]
    )
    seen = samples(metrics)
    up = {key[1]: value for key, value in seen.items() if key[0] == "authorizer_pdp_up"}
    assert up == {"one:3593": 1, "two:3593": 0, "three:3593": 0}

    metrics.pdp_up([PdpHealth("one:3593", PdpState.UNREACHABLE)])
    seen = samples(metrics)
    up = {key[1]: value for key, value in seen.items() if key[0] == "authorizer_pdp_up"}
    assert up == {"one:3593": 0}


def test_requests_in_flight_go_up_and_down() -> None:
    metrics = Metrics(version="1")
    with metrics.in_flight.track_inprogress():
        assert samples(metrics)[("authorizer_in_flight",)] == 1
    assert samples(metrics)[("authorizer_in_flight",)] == 0


def test_lost_log_lines_are_read_at_each_scrape() -> None:
    lost = 0
    metrics = Metrics(version="1", log_dropped=lambda: lost)
    assert samples(metrics)[("authorizer_log_dropped_total",)] == 0
    lost = 12
    assert samples(metrics)[("authorizer_log_dropped_total",)] == 12


def test_says_which_build_runs_and_how_the_process_fares() -> None:
    seen = samples(Metrics(version="1.2.3"))
    assert seen["authorizer_build_info", "1.2.3"] == 1
    assert seen[("process_cpu_seconds_total",)] > 0


def test_names_are_ours_or_the_process_s_and_nobody_asked_for_created() -> None:
    names = {key[0] for key in samples(Metrics(version="1"))}
    assert all(name.startswith(("authorizer_", "process_", "python_")) for name in names)
    assert not [name for name in names if name.endswith("_created")]


def test_two_of_them_share_nothing_and_the_global_registry_stays_empty() -> None:
    one, two = Metrics(version="1"), Metrics(version="1")
    one.rules_loaded(routes=1, at=1)
    assert samples(two)[("authorizer_rules_loaded",)] == 0
    assert b"authorizer_" not in prometheus_client.generate_latest()


def test_the_content_type_is_prometheus_s() -> None:
    assert Metrics(version="1").exposition()[1].startswith("text/plain; version=")
