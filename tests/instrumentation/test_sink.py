"""A sink that fails changes no answer."""

from __future__ import annotations

from structlog.testing import capture_logs

from authorizer.instrumentation.sink import Sinks, label
from authorizer.model import (
    Allow,
    DecisionRecord,
    Deny,
    Indeterminate,
    Reason,
    Refused,
)

RECORD = DecisionRecord(decision_id="d", outcome=Deny(Reason.NO_ROUTE))


class Keeps:
    def __init__(self) -> None:
        self.records: list[DecisionRecord] = []

    def record(self, record: DecisionRecord) -> None:
        self.records.append(record)


class Fails:
    def record(self, record: DecisionRecord) -> None:
        raise RuntimeError(record.decision_id)


def test_every_sink_gets_every_record_even_behind_one_that_fails() -> None:
    keeps = Keeps()
    with capture_logs():
        Sinks(Fails(), keeps).record(RECORD)
    assert keeps.records == [RECORD]


def test_a_failing_sink_is_reported_once() -> None:
    sinks = Sinks(Fails())
    with capture_logs() as events:
        sinks.record(RECORD)
        sinks.record(RECORD)
    assert [(event["event"], event["sink"]) for event in events] == [("sink.failed", "Fails")]


def test_every_kind_of_outcome_has_a_label() -> None:
    assert [label(kind(Reason.NO_ROUTE)) for kind in (Allow, Deny, Refused, Indeterminate)] == [
        "allow",
        "deny",
        "refused",
        "indeterminate",
    ]
