"""Every decision leaves one event, which says all that it may and nothing more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authorizer.instrumentation.decision_log import EVENT, MAX_TEXT, DecisionLog, fields
from authorizer.model import (
    Allow,
    CheckRecord,
    DecisionRecord,
    Deny,
    Indeterminate,
    Reason,
    Refused,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import Outcome

ALLOWED = DecisionRecord(
    decision_id="d-1",
    outcome=Allow(Reason.POLICY_ALLOW),
    request_id="r-1",
    route="documents.item",
    subject="alice",
    profile="kratos",
    method="GET",
    host="api.acme.test",
    path="/orgs/acme/documents/42",
    checks=(CheckRecord("document", "42", "view", "allow"),),
    cerbos_call_id="c-1",
    response_headers={"x-never": "logged"},
    total_seconds=0.0012345678,
    pdp_seconds=0.0007,
)


class Written:
    """Stands for the log."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def write(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        self.events.append({"event": event, "level": level, **fields})


def logged(record: DecisionRecord) -> dict[str, Any]:
    written = Written()
    DecisionLog(written).record(record)
    (event,) = written.events
    return event


def test_the_event_holds_exactly_what_is_documented() -> None:
    assert logged(ALLOWED) == {
        "event": EVENT,
        "level": "info",
        "decision_id": "d-1",
        "request_id": "r-1",
        "outcome": "allow",
        "reason": "policy_allow",
        "route": "documents.item",
        "subject": "alice",
        "profile": "kratos",
        "method": "GET",
        "host": "api.acme.test",
        "path": "/orgs/acme/documents/42",
        "checks": [{"kind": "document", "id": "42", "action": "view", "effect": "allow"}],
        "cerbos_call_id": "c-1",
        "total_ms": 1.235,
        "pdp_ms": 0.7,
    }


@pytest.mark.parametrize(
    ("outcome", "level", "name"),
    [
        (Allow(Reason.ROUTE_ALLOW), "info", "allow"),
        (Deny(Reason.NO_ROUTE), "info", "deny"),
        (Refused(Reason.MALFORMED_REQUEST), "warning", "refused"),
        (Indeterminate(Reason.PDP_UNAVAILABLE), "error", "indeterminate"),
    ],
)
def test_the_level_says_who_has_to_look(outcome: Outcome, level: str, name: str) -> None:
    event = logged(DecisionRecord(decision_id="d", outcome=outcome))
    assert (event["level"], event["outcome"]) == (level, name)


def test_a_detail_is_told_when_there_is_one() -> None:
    outcome = Deny(Reason.MAPPING_FAILED, "resource.id of documents.item is empty")
    assert fields(DecisionRecord(decision_id="d", outcome=outcome))["detail"] == outcome.detail
    assert "detail" not in fields(ALLOWED)


def test_the_request_id_that_the_pdp_saw_is_told_where_it_is_another() -> None:
    record = DecisionRecord(
        decision_id="d", outcome=Allow(Reason.POLICY_ALLOW), cerbos_request_id="b-1"
    )
    assert fields(record)["cerbos_request_id"] == "b-1"
    assert "cerbos_request_id" not in fields(ALLOWED)


def test_an_observed_decision_tells_what_it_would_have_been() -> None:
    record = DecisionRecord(
        decision_id="d",
        outcome=Allow(Reason.OBSERVED),
        would_be=Deny(Reason.POLICY_DENY, "by policy"),
    )
    assert fields(record)["would_be"] == {
        "outcome": "deny",
        "reason": "policy_deny",
        "detail": "by policy",
    }
    assert "would_be" not in fields(ALLOWED)


def test_no_pdp_call_has_no_time_rather_than_none_at_all() -> None:
    event = fields(DecisionRecord(decision_id="d", outcome=Allow(Reason.ROUTE_ALLOW)))
    assert event["pdp_ms"] is None
    assert event["checks"] == []


def test_a_text_that_is_too_long_is_cut_and_says_so() -> None:
    long = "x" * (MAX_TEXT + 7)
    record = DecisionRecord(
        decision_id="d",
        outcome=Deny(Reason.NO_ROUTE),
        request_id=long,
        subject=long,
        profile=long,
        method=long,
        host=long,
        path=long,
        checks=(CheckRecord(long, long, long),),
    )
    event = fields(record)
    (check,) = event["checks"]
    texts = [event[k] for k in ("request_id", "subject", "profile", "method", "host", "path")]
    texts += [check[k] for k in ("kind", "id", "action")]
    assert set(texts) == {"x" * MAX_TEXT + "… (7 more)"}
