"""The judge of the faults sees what it is there for."""

from __future__ import annotations

from collections import Counter

import pytest
from chain import Entrance
from faults.asking import Answer, Figures
from faults.matrix import FAULTS, Fault
from faults.page import BEGIN, CHAIN_BEGIN, CHAIN_END, END, faults_of, refreshed
from faults.passage import Passage, judge_passage
from faults.rig import Holdings
from faults.trial import Outcome, judge


def allowed(status: int, reason: str, *, seconds: float = 0.002) -> Answer:
    return Answer(0, True, 0.0, seconds, status, reason)  # noqa: FBT003 - as said


def forbidden(status: int, reason: str) -> Answer:
    return Answer(1, False, 0.0, 0.002, status, reason)  # noqa: FBT003 - as said


GOOD = [
    allowed(200, "policy_allow"),
    forbidden(403, "policy_deny"),
]
FAULT = Fault("a fault", FAULTS[0].prepare, frozenset({"pdp_unavailable"}))


KEPT = Holdings(descriptors=3, tasks=1, processes=0)


QUIET, BUSY = 0.001, 0.05
LATE = allowed(501, "pdp_unavailable", seconds=0.56)


def outcome(
    *more: Answer, attempts: float | None = 1.0, left: Holdings = KEPT, lag: float = QUIET
) -> Outcome:
    figures = Figures([*GOOD * 10, *more])
    return Outcome(FAULT, figures, figures, attempts, recovery=0.1, lag=lag, left=left)


def passed(*during: Answer, questions: int = 1, lag: float = QUIET) -> Passage:
    asked = Counter({questions: len(during)})
    usual = Figures([allowed(200, "")])
    return Passage("killed", Entrance.PROXY, usual, Figures(during), asked, 0.1, lag)


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


@pytest.mark.parametrize(
    "left", [Holdings(40, 0, 0), Holdings(0, 40, 0), Holdings(0, 0, 1), Holdings(0, 0, -1)]
)
def test_what_is_left_behind_is_told(left: Holdings) -> None:
    [broken] = judge(outcome(left=left))
    assert broken.startswith("left behind")


@pytest.mark.parametrize(
    ("measured", "is_noise"),
    [
        (outcome(LATE, lag=BUSY), True),
        (outcome(LATE), False),
        (outcome(lag=BUSY), False),
        (outcome(LATE, forbidden(200, "policy_allow"), lag=BUSY), False),
        (passed(allowed(500, "", seconds=0.61), lag=BUSY), True),
        (passed(allowed(500, "", seconds=0.61)), False),
        (passed(allowed(500, ""), lag=BUSY), False),
        (passed(allowed(200, "", seconds=0.61), lag=BUSY), False),
    ],
)
def test_a_late_answer_may_be_a_busy_machine_s_and_a_wrong_one_never(
    measured: Outcome | Passage, *, is_noise: bool
) -> None:
    assert measured.is_noise == is_noise


def test_a_caller_is_told_no_by_the_deadline_after_one_question() -> None:
    assert judge_passage(passed(allowed(500, "", seconds=0.59))) == []


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (passed(allowed(200, "")), "callers got"),
        (passed(allowed(500, "", seconds=0.61)), "the last answer"),
        (passed(allowed(500, ""), questions=5), "questions a request"),
        (passed(allowed(500, ""), questions=0), "questions a request"),
    ],
)
def test_a_passage_with_one_broken_promise_is_told(done: Passage, said: str) -> None:
    [broken] = judge_passage(done)
    assert said in broken


def test_the_page_is_written_between_its_markers() -> None:
    empty = f"before\n{BEGIN}\nold\n{END}\nbetween\n{CHAIN_BEGIN}\nold\n{CHAIN_END}\nafter"
    page = refreshed(empty, [outcome()], [passed(allowed(500, ""))])
    assert page.startswith("before\n")
    assert page.endswith("\nafter")
    assert "old" not in page
    assert faults_of(page) == ["a fault"]
    with pytest.raises(ValueError, match="needs the lines"):
        refreshed("", [outcome()], [])
