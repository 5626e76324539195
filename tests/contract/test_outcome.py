from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.contract.outcome import TABLE, answer, header_value, status_of
from authorizer.model import Allow, DecisionRecord, Deny, Indeterminate, Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import Outcome

# The interface, spelled out once more: a change of the table must be meant.
STATUSES: Mapping[str, tuple[type[Outcome], int]] = {
    "policy_allow": (Allow, 200),
    "route_allow": (Allow, 200),
    "observed": (Allow, 200),
    "policy_deny": (Deny, 403),
    "route_deny": (Deny, 403),
    "no_route": (Deny, 403),
    "method_not_mapped": (Deny, 403),
    "condition_not_mapped": (Deny, 403),
    "ambiguous_url": (Deny, 403),
    "mapping_failed": (Deny, 403),
    "profile_mismatch": (Deny, 403),
    "principal_rejected": (Deny, 403),
    "malformed_request": (Refused, 400),
    "request_timeout": (Refused, 408),
    "request_too_large": (Refused, 413),
    "bad_shared_secret": (Refused, 401),
    "pdp_unavailable": (Indeterminate, 501),
    "pdp_deadline": (Indeterminate, 501),
    "pdp_rejected": (Indeterminate, 501),
    "overloaded": (Indeterminate, 501),
    "internal_error": (Indeterminate, 501),
}
KINDS = (Allow, Deny, Refused, Indeterminate)


def test_every_reason_has_exactly_one_row() -> None:
    assert set(TABLE) == set(Reason)
    assert set(STATUSES) == {reason.value for reason in Reason}


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_the_status_that_the_interface_promises(reason: Reason) -> None:
    kind, status = STATUSES[reason]
    assert status_of(kind(reason), unavailable_status=501) == status


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unavailable", [501, 503])
def test_only_an_allow_for_a_reason_to_allow_is_200(
    reason: Reason, kind: type[Outcome], unavailable: int
) -> None:
    status = status_of(kind(reason), unavailable_status=unavailable)
    is_allow = kind is Allow and STATUSES[reason][0] is Allow
    assert (status == 200) is is_allow


def test_503_says_that_it_may_be_asked_again_at_once_and_501_does_not() -> None:
    record = DecisionRecord(decision_id="d", outcome=Indeterminate(Reason.PDP_UNAVAILABLE))
    again = answer(record, unavailable_status=503)
    assert (again.status, again.headers["Retry-After"]) == (503, "0")
    once = answer(record, unavailable_status=501)
    assert once.status == 501
    assert "Retry-After" not in once.headers


def test_every_answer_says_the_same_in_headers_and_body() -> None:
    record = DecisionRecord(
        decision_id="d-1",
        outcome=Deny(Reason.POLICY_DENY, "the policy says no"),
        route="documents.item",
        cerbos_call_id="c-1",
    )
    said = answer(record, unavailable_status=501)
    assert said.headers == {
        "Content-Type": "application/json",
        "X-Decision-Id": "d-1",
        "X-Decision-Reason": "policy_deny",
        "X-Authorizer-Route": "documents.item",
        "X-Cerbos-Call-Id": "c-1",
    }
    assert json.loads(said.body) == {
        "decision_id": "d-1",
        "outcome": "deny",
        "reason": "policy_deny",
        "detail": "the policy says no",
        "route": "documents.item",
        "cerbos_call_id": "c-1",
    }


@pytest.mark.parametrize("reason", Reason)
def test_the_four_headers_are_there_even_when_empty(reason: Reason) -> None:
    """A header that is missing from a 200 would leave upstream what the caller sent."""
    outcome = STATUSES[reason][0](reason)
    said = answer(DecisionRecord(decision_id="d", outcome=outcome), unavailable_status=501)
    assert said.headers["X-Authorizer-Route"] == ""
    assert said.headers["X-Cerbos-Call-Id"] == ""


def test_a_malformed_body_is_answered_with_its_pointer_even_the_empty_one() -> None:
    record = DecisionRecord(decision_id="d", outcome=Refused(Reason.MALFORMED_REQUEST, "why"))
    said = answer(record, unavailable_status=501, pointer="")
    assert json.loads(said.body)["pointer"] == ""


@pytest.mark.parametrize("reason", Reason)
def test_response_headers_are_sent_on_every_200_and_on_nothing_else(reason: Reason) -> None:
    outcome = STATUSES[reason][0](reason)
    record = DecisionRecord(
        decision_id="d", outcome=outcome, response_headers={"X-User": "ann", "X-Empty": ""}
    )
    said = answer(record, unavailable_status=501)
    assert ("X-User" in said.headers) is (said.status == 200)
    assert ("X-Empty" in said.headers) is (said.status == 200)


def test_a_response_header_cannot_take_the_name_of_one_of_ours() -> None:
    record = DecisionRecord(
        decision_id="d",
        outcome=Allow(Reason.POLICY_ALLOW),
        response_headers={"x-decision-id": "forged", "CONTENT-TYPE": "text/html"},
    )
    said = answer(record, unavailable_status=501)
    assert said.headers["X-Decision-Id"] == "d"
    assert said.headers["Content-Type"] == "application/json"
    assert "x-decision-id" not in said.headers
    assert "CONTENT-TYPE" not in said.headers


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("", ""),
        ('plain text, with; punctuation="1"', 'plain text, with; punctuation="1"'),
        ("a\r\nX-Admin: 1", "a%0D%0AX-Admin: 1"),
        ("Zoë", "Zo%C3%AB"),
        ("50%", "50%25"),
        (" admin ", "%20admin%20"),
        ("  ", "%20%20"),
        ("\tx", "%09x"),
        ("\x00\x7f", "%00%7F"),
        ("é b ", "%C3%A9 b%20"),
    ],
)
def test_header_values_are_sent_plain_or_percent_encoded(text: str, sent: str) -> None:
    assert header_value(text) == sent


@given(st.text())
def test_a_header_value_is_safe_and_loses_nothing(text: str) -> None:
    sent = header_value(text)
    assert set(sent) <= set(string.printable[:95])
    assert sent == sent.strip()
    assert unquote(sent) == text
