"""The judge of the faults sees what it is there for."""

from __future__ import annotations

import pytest
from faults.asking import Answer, Figures
from faults.matrix import FAULTS, Fault
from faults.page import BEGIN, END, faults_of, refreshed
from faults.trial import Outcome, judge


def allowed(status: int, reason: str, *, seconds: float = 0.002) -> Answer:
    return Answer(allowed=True, asked_at=0.0, seconds=seconds, status=status, reason=reason)


def forbidden(status: int, reason: str) -> Answer:
    return Answer(allowed=False, asked_at=0.0, seconds=0.002, status=status, reason=reason)


GOOD = [
    allowed(200, "policy_allow"),
    forbidden(403, "policy_deny"),
]
FAULT = Fault("a fault", FAULTS[0].prepare, frozenset({"pdp_unavailable"}))


def outcome(*more: Answer, attempts: float | None = 1.0) -> Outcome:
    figures = Figures([*GOOD * 10, *more])
    return Outcome(FAULT, figures, figures, attempts, recovery=0.1, lag=0.001)


def test_what_is_right_or_was_foreseen_passes() -> None:
    assert judge(outcome(allowed(501, "pdp_unavailable", seconds=0.5))) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (forbidden(200, "policy_allow"), "wrong"),
        (allowed(403, "policy_deny"), "wrong"),
        (allowed(501, "pdp_rejected"), "unforeseen errors"),
        (allowed(0, "stalled", seconds=3.0), "unforeseen errors"),
        (allowed(200, "policy_allow", seconds=0.56), "after the deadline"),
    ],
)
def test_one_bad_answer_is_enough(answer: Answer, said: str) -> None:
    assert any(said in promise for promise in judge(outcome(answer)))


def test_an_outage_made_worse_is_told() -> None:
    assert judge(outcome(attempts=1.3)) == ["1.30 calls a question: an outage is made worse"]


def test_the_page_is_written_between_its_markers() -> None:
    page = refreshed(f"before\n{BEGIN}\nold\n{END}\nafter", [outcome()])
    assert page.startswith("before\n")
    assert page.endswith("\nafter")
    assert "old" not in page
    assert faults_of(page) == ["a fault"]
    with pytest.raises(ValueError, match="needs the lines"):
        refreshed("", [])
