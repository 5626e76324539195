"""An answer is given again to the same question alone, for as long as it may be."""

from __future__ import annotations

import gc
import tracemalloc
from typing import Any, Final

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from authorizer.model import AuxData, Check, CheckResult, Effect, PdpAnswer, Principal, Resource
from authorizer.pdp.answers import KeptAnswers

ANN: Final = Principal("ann", ("user",), {"team": "a"}, profile="kratos")
TTL: Final = 5.0


class Time:
    """A clock that a test sets."""

    def __init__(self, at: float = 0.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def check(id_: str = "1", action: str = "view", **resource: Any) -> Check:  # noqa: ANN401 - JSON
    return Check(Resource(resource.pop("kind", "document"), id_, **resource), action)


def answer(call_id: str = "call", effect: Effect = Effect.ALLOW, **more: Any) -> PdpAnswer:  # noqa: ANN401 - as above
    return PdpAnswer(call_id, (CheckResult(effect, **more),))


def keep(answers: KeptAnswers, principal: Principal, *checks: Check, call: str = "call") -> None:
    asked = answers.ask(principal, checks)
    assert asked is not None
    answers.keep(asked, answer(call), "asked")


def found(answers: KeptAnswers, principal: Principal, *checks: Check, ttl: float = TTL) -> str:
    """Return the id of the call that the answer is from, or "" where there is none."""
    asked = answers.ask(principal, checks)
    kept = None if asked is None else answers.find(asked, ttl)
    return "" if kept is None else kept[0].call_id


def test_the_same_question_has_the_same_answer_with_its_age_and_its_ids() -> None:
    clock = Time(100.0)
    answers = KeptAnswers(monotonic=clock)
    asked = answers.ask(ANN, [check()])
    assert asked is not None
    clock.at = 102.0  # the PDP took its time: it may have looked at the beginning
    answers.keep(asked, answer("call-1"), "decision-1")
    clock.at = 104.5
    again = answers.ask(ANN, [check()])
    assert again is not None
    assert answers.find(again, TTL) == (replace(answer("call-1"), request_id="decision-1"), 4.5)
    assert (answers.hits, answers.misses, len(answers)) == (1, 0, 1)


def test_the_request_id_of_a_call_about_several_questions_stays() -> None:
    answers = KeptAnswers()
    asked = answers.ask(ANN, [check()])
    assert asked is not None
    answers.keep(asked, replace(answer(), request_id="batch"), "decision")
    kept = answers.find(asked, TTL)
    assert kept is not None
    assert kept[0].request_id == "batch"


SAME_ATTR: Final = {"n": 1}


@pytest.mark.parametrize(
    "other",
    [
        (ANN, [check("2")]),
        (ANN, [check(kind="folder")]),
        (ANN, [check(action="edit")]),
        (ANN, [check(attr={"n": 2})]),
        (ANN, [check(attr={"n": 1.0})]),
        (ANN, [check(attr={"n": True})]),
        (ANN, [check(attr={"n": "1"})]),
        (ANN, [check(attr={"n": None})]),
        (ANN, [check(attr={"n": 1}, scope="acme")]),
        (ANN, [check(attr={"n": 1}, policy_version="v2")]),
        (ANN, [check(attr={"n": 1}), check(attr={"n": 1})]),
        (ANN, []),
        (ANN.with_aux_data(AuxData("keys", "a.b.c")), [check(attr={"n": 1})]),
        # Equal in all that can be seen, and another snapshot's or session's.
        (Principal("ann", ("user",), {"team": "a"}, profile="kratos"), [check(attr={"n": 1})]),
    ],
)
def test_another_question_has_no_answer(other: tuple[Principal, list[Check]]) -> None:
    answers = KeptAnswers()
    keep(answers, ANN, check(attr=SAME_ATTR))
    principal, checks = other
    assert not found(answers, principal, *checks)
    assert found(answers, ANN, check(attr=SAME_ATTR)) == "call"


@pytest.mark.parametrize("token", ["a.b.d", "A.b.c"])
def test_another_token_has_no_answer_and_neither_has_another_key_set(token: str) -> None:
    answers = KeptAnswers()
    keep(answers, ANN.with_aux_data(AuxData("keys", "a.b.c")), check())
    assert not found(answers, ANN.with_aux_data(AuxData("keys", token)), check())
    assert not found(answers, ANN.with_aux_data(AuxData("others", "a.b.c")), check())
    assert not found(answers, ANN, check())
    # A request's own principal is made anew; its bare one and its token are the same.
    assert found(answers, ANN.with_aux_data(AuxData("keys", "a.b.c")), check()) == "call"


def test_an_answer_does_not_outlive_the_token() -> None:
    now = Time(1000.0)
    answers = KeptAnswers(now=now)
    asking = ANN.with_aux_data(AuxData("keys", "a.b.c", expires_at=1002.0))
    keep(answers, asking, check())
    now.at = 1001.9
    assert found(answers, asking, check())
    now.at = 1002.0
    assert not found(answers, asking, check())


def test_an_answer_is_given_until_it_is_as_old_as_its_asker_lets_it_be() -> None:
    clock = Time()
    answers = KeptAnswers(monotonic=clock)
    keep(answers, ANN, check())
    clock.at = 3.0
    assert not found(answers, ANN, check(), ttl=3.0)
    assert found(answers, ANN, check(), ttl=3.1)
    clock.at = 5.0
    assert not found(answers, ANN, check())


def test_an_answer_to_what_was_asked_before_clearing_is_not_kept() -> None:
    answers = KeptAnswers()
    asked = answers.ask(ANN, [check()])
    assert asked is not None
    answers.clear()
    answers.keep(asked, answer(), "late")
    assert len(answers) == answers.size == 0
    assert not found(answers, ANN, check())


def test_what_cannot_be_asked_is_not_kept() -> None:
    assert KeptAnswers().ask(ANN, [check("\ud800")]) is None


def test_a_principal_is_not_kept_alive_and_nobody_inherits_its_answers() -> None:
    answers = KeptAnswers()
    for number in range(50):
        zed = Principal("zed", (), {}, profile="kratos")
        assert not found(answers, zed, check()), "its memory may be that of one before"
        keep(answers, zed, check(), call=str(number))
        del zed
    gc.collect()
    assert sum(isinstance(one, Principal) and one.id == "zed" for one in gc.get_objects()) == 0


def test_what_was_not_used_for_longest_goes_first() -> None:
    probe = KeptAnswers()
    keep(probe, ANN, check("1"))
    answers = KeptAnswers(limit=2 * probe.size)
    keep(answers, ANN, check("1"))
    keep(answers, ANN, check("2"))
    assert found(answers, ANN, check("1"))
    keep(answers, ANN, check("3"))
    assert [found(answers, ANN, check(one)) for one in "123"] == ["call", "", "call"]
    assert answers.size <= 2 * probe.size


def test_an_answer_that_is_larger_than_all_the_room_is_not_kept_and_displaces_nothing() -> None:
    answers = KeptAnswers(limit=8192)
    keep(answers, ANN, check("1"))
    asked = answers.ask(ANN, [check("2")])
    assert asked is not None
    answers.keep(asked, answer(outputs={"much": "x" * 8192}), "")
    assert len(answers) == 1
    assert found(answers, ANN, check("1"))


@pytest.mark.parametrize(
    ("attr", "outputs"),
    [
        ({}, {}),
        ({"organization": "acme", "tags": ["a", "b"]}, {}),
        ({}, {"document#own": {"fields": [f"field-{n}" for n in range(20)]}}),
        ({}, {"document#own": [{"a": [n, {}], "b": {str(n): 1000 + n}} for n in range(50)]}),
        ({"text": "x" * 4000}, {"text": "y" * 4000}),
        ({"text": "ä" * 4000}, {"text": "🙂" * 4000}),
    ],
)
def test_the_estimate_of_memory_errs_upwards_and_not_by_much(attr: Any, outputs: Any) -> None:  # noqa: ANN401 - JSON
    import copy  # noqa: PLC0415 - here alone

    answers = KeptAnswers(limit=1 << 40)
    count = 400
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(count):
            asked = answers.ask(ANN, [check(str(number), attr=attr)])
            assert asked is not None
            said = CheckResult(Effect.ALLOW, copy.deepcopy(outputs))
            answers.keep(asked, PdpAnswer(f"{number:026d}", (said,)), f"{number:032d}")
        gc.collect()
        used = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert used <= answers.size <= 3 * used, (used / count, answers.size / count)


PEOPLE: Final = [Principal(name, (), {}, profile="kratos") for name in ("ann", "bob")]
TOKENS: Final = [None, AuxData("keys", "a.b.c"), AuxData("keys", "a.b.d", expires_at=20.0)]


class Cached(RuleBasedStateMachine):
    """A PDP that is asked through kept answers, and the same one asked each time.

    Its policies are a number; whoever hears that it changed clears. Questions may be open
    meanwhile. What is given must be what was so within the time to live, and after the clearing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.now = Time(), Time()
        self.answers = KeptAnswers(4096, monotonic=self.clock, now=self.now)
        self.policies = 0
        self.since = [0.0]  # when each number came to be
        self.cleared_at = 0  # the number when it was cleared last
        self.open: list[tuple[Any, PdpAnswer]] = []

    def fresh(self, principal: Principal, aux: AuxData | None, one: Check) -> PdpAnswer:
        said = f"{self.policies}/{principal.id}/{aux and aux.jwt}/{one}"
        return PdpAnswer(said, (CheckResult(Effect.ALLOW, {"said": said}),))

    @rule(
        person=st.sampled_from(PEOPLE),
        aux=st.sampled_from(TOKENS),
        one=st.builds(
            check, st.sampled_from("12"), attr=st.sampled_from([{}, {"n": 1}, {"n": 1.0}])
        ),
        ttl=st.sampled_from([1.0, 5.0]),
        waits=st.booleans(),
    )
    def ask(
        self, person: Principal, aux: AuxData | None, one: Check, ttl: float, *, waits: bool
    ) -> None:
        principal = person.with_aux_data(aux)
        asked = self.answers.ask(principal, [one])
        assert asked is not None
        kept = self.answers.find(asked, ttl)
        truth = self.fresh(person, aux, one)
        if kept is None:
            if waits:
                self.open.append((asked, truth))
            else:
                self.answers.keep(asked, truth, "")
            return
        given, age = kept
        policies, _, question = given.call_id.partition("/")
        assert question == truth.call_id.partition("/")[2], "another's answer"
        assert given.results[0].outputs == {"said": given.call_id}
        assert 0 <= age < ttl
        assert int(policies) >= self.cleared_at, "an answer from before the clearing"
        if int(policies) != self.policies:
            assert self.since[int(policies) + 1] > self.clock.at - ttl, "older than it may be"
        assert aux is None or aux.expires_at is None or self.now.at < aux.expires_at

    @precondition(lambda self: self.open)
    @rule(number=st.integers(0, 1000))
    def is_answered(self, number: int) -> None:
        asked, truth = self.open.pop(number % len(self.open))
        self.answers.keep(asked, truth, "")

    @rule()
    def policies_change(self) -> None:
        self.policies += 1
        self.since.append(self.clock.at)

    @rule()
    def clear(self) -> None:
        self.answers.clear()
        self.cleared_at = self.policies

    @rule(seconds=st.sampled_from([0.1, 0.9, 1.0, 4.0, 5.0]))
    def time_goes_on(self, seconds: float) -> None:
        self.clock.at += seconds
        self.now.at += seconds

    @invariant()
    def it_stays_within_its_bound(self) -> None:
        assert 0 <= self.answers.size <= 4096
        assert (self.answers.size == 0) == (len(self.answers) == 0)


TestCached = Cached.TestCase
TestCached.settings = hypothesis_settings(max_examples=200, stateful_step_count=40, deadline=None)
