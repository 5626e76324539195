"""The judge sees what differs, and nothing where nothing was served."""

from __future__ import annotations

import dataclasses

import pytest
from differential.application import Declared, Upstream
from differential.judge import Difference, judge
from differential.trial import Attempt, Decision, Served, Trial

DECISION = Decision("allow", "policy_allow", "default.files.item", {"name": "a/b"})
SERVED = Served("files.item", {"name": "a/b"}, "default.files.item", "1")
TRIAL = Trial(
    Attempt(Upstream.EXPRESS, Declared.NOTHING, "GET", b"/files/a/b"),
    request="1",
    status=200,
    reached=True,
    decision=DECISION,
    served=SERVED,
)


def test_the_same_route_and_the_same_captures_are_no_finding() -> None:
    assert judge(TRIAL) is None


@pytest.mark.parametrize("decision", [DECISION, None])
def test_where_nothing_was_served_nothing_was_served_wrongly(decision: Decision | None) -> None:
    assert judge(dataclasses.replace(TRIAL, decision=decision, served=None)) is None


@pytest.mark.parametrize(
    ("decision", "served", "expected"),
    [
        (None, {}, Difference.UNDECIDED),
        ({"outcome": "deny"}, {}, Difference.UNDECIDED),
        ({}, {"request": "2"}, Difference.UNDECIDED),
        ({}, {"route": "page"}, Difference.ROUTE),
        ({}, {"authorised": ""}, Difference.ROUTE),
        ({"route": "default.page"}, {}, Difference.ROUTE),
        ({"route": "case-strict.files.item"}, {}, Difference.ROUTE),
        ({"captures": {"name": "a%2Fb"}}, {}, Difference.CAPTURE),
        ({"captures": {}}, {}, Difference.CAPTURE),
        ({}, {"captures": {"name": "a/b/"}}, Difference.TRAILING_SLASH),
        ({}, {"captures": {"name": "a/b//"}}, Difference.CAPTURE),
        (
            {"route": "default.page", "captures": {"page": "a"}},
            {"route": "page", "authorised": "default.page", "captures": {"page": "a/"}},
            Difference.CAPTURE,
        ),
        ({"captures": {"name": "a/b/"}}, {}, Difference.CAPTURE),
    ],
)
def test_what_differs_is_a_finding(
    decision: dict[str, object] | None, served: dict[str, object], expected: Difference
) -> None:
    trial = dataclasses.replace(
        TRIAL,
        decision=None if decision is None else dataclasses.replace(DECISION, **decision),  # type: ignore[arg-type]
        served=dataclasses.replace(SERVED, **served),  # type: ignore[arg-type]
    )
    finding = judge(trial)
    assert finding is not None
    assert finding.difference is expected
    assert "'/files/a/b'" in str(finding)


@pytest.mark.parametrize(
    ("segments", "name", "is_same"),
    [(["a", "b"], "a/b", True), (["a/b"], "a%2Fb", True), (["a/b"], "a/b", False)],
)
def test_a_list_of_segments_is_compared_segment_by_segment(
    segments: list[str], name: str, *, is_same: bool
) -> None:
    trial = dataclasses.replace(
        TRIAL,
        decision=dataclasses.replace(DECISION, captures={"name": name}),
        served=dataclasses.replace(SERVED, captures={"name": segments}),
    )
    assert (judge(trial) is None) is is_same
