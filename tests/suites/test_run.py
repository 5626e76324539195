"""A case passes when all that it expects is so, and never because nobody looked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sessions import NOW, session

from authorizer.config.settings import Settings
from authorizer.errors import PdpDeadline, PdpError, PdpRejected, PdpUnavailable
from authorizer.model import CheckResult, Effect
from authorizer.pdp.scripted import ScriptedPdp, always
from authorizer.principals.profiles import compile_profiles
from authorizer.routing.compile import compile_rules
from authorizer.snapshot import Snapshot
from authorizer.source.document import Place
from authorizer.source.yaml import load_yaml
from authorizer.suites.case import Case, Difference, Result, Status
from authorizer.suites.identities import Identity
from authorizer.suites.question import pose
from authorizer.suites.run import run_cases

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.pdp.interface import Pdp

RULES: Final = """
version: 1
routes:
  - id: item
    match: {path: "/d/{id}"}
    response_headers: {X-User: "${principal.id}"}
    resource: {kind: document, id: "${path.id}", attr: {level: 1, open: true, list: [a, {b: 2}]}}
    actions: {GET: view, PATCH: edit}
  - id: move
    match: {path: "/d/{id}/move", methods: [POST]}
    checks:
      - resource: {kind: document, id: "${path.id}", scope: acme, policy_version: v2}
        action: move
      - {resource: {kind: folder, id: "${headers['x-to']}"}, action: add}
  - {id: open, match: {path: /open, methods: [GET]}, effect: allow}
  - id: watched
    match: {path: "/w/{id}", methods: [GET]}
    response_headers: {X-User: "${principal.id}", X-Level: "${outputs.level}"}
    mode: observe
    resource: {kind: report, id: "${path.id}"}
    action: view
"""
SNAPSHOT: Final = Snapshot(
    settings=Settings(),
    routes=compile_rules([load_yaml(RULES, "rules.yaml")]),
    profiles=compile_profiles(load_yaml("{}", "profiles"), load_yaml("kratos", "default")),
    digest="digest",
    loaded_at=0.0,
)
ANN: Final = Identity(("kratos",), "ann", session(expires_at="2999-01-01T00:00:00Z"))
ALLOWING: Final = always(Effect.ALLOW)


def case(path: str = "/d/1", method: str = "GET", **expected: object) -> Case:
    request = pose(ANN, method, path, headers={"x-to": "f1"} if "move" in path else None)
    return Case("a case", Place("suite.yaml", 3, 5), request, expected)


async def outcome(one: Case, pdp: Pdp | None) -> Result:
    (result,) = [result async for result in run_cases([one], SNAPSHOT, pdp, now=NOW)]
    return result


def allowing() -> ScriptedPdp:
    return ScriptedPdp(ALLOWING)


VIEW: Final[dict[str, Any]] = {"resource": {"kind": "document", "id": "1"}, "action": "view"}
MOVE: Final = {"resource": {"id": "1", "scope": "acme", "policy_version": "v2", "attr": {}}}
ADD: Final = {"resource": {"kind": "folder", "id": "f1", "scope": "", "policy_version": ""}}
ATTR: Final = {"level": 1, "open": True, "list": ["a", {"b": 2}]}


@pytest.mark.parametrize(
    "one",
    [
        case(route="item"),
        case("/nowhere", route=None, checks=[], decision="deny", reason="no_route"),
        case("/open", route="open", checks=[], decision="allow", reason="route_allow"),
        case(checks=[VIEW]),
        case(checks=[{}]),
        case(checks=[{"action": "view"}]),
        case(checks=[{"resource": {"attr": ATTR}}]),
        # What is a number to a policy is one number.
        case(checks=[{"resource": {"attr": {**ATTR, "level": 1.0}}}]),
        case("/d/1/move", "POST", checks=[MOVE, {**ADD, "action": "add"}]),
        case("/d/1", "PATCH", route="item", checks=[{"action": "edit"}], reason="policy_allow"),
        case("/w/1", decision="allow", reason="policy_allow", would_be=None),
    ],
)  # fmt: skip
async def test_what_is_as_expected_passes(one: Case) -> None:
    found = await outcome(one, allowing())
    assert (found.status, found.differences) == (Status.PASSED, ())


@pytest.mark.parametrize(
    ("one", "differences"),
    [
        (case(route="open"), [("route", "open", "item")]),
        (case(route=None), [("route", None, "item")]),
        (case("/nowhere", route="item"), [("route", "item", None)]),
        (case(decision="deny"), [("decision", "deny", "allow")]),
        (case(reason="policy_deny"), [("reason", "policy_deny", "policy_allow")]),
        (case(would_be="policy_deny"), [("would_be", "policy_deny", None)]),
        (case("/open", decision="deny", reason="no_route"),
         [("decision", "deny", "allow"), ("reason", "no_route", "route_allow")]),
        (case(checks=[]),
         [("checks", [], [{**VIEW, "resource": {**VIEW["resource"], "attr": ATTR}}])]),
        (case("/open", checks=[VIEW]), [("checks", [VIEW], [])]),
        (case(checks=[{"action": "edit"}]),
         [("checks", [{"action": "edit"}], [{"action": "view"}])]),
        (case(checks=[{"resource": {"kind": "file"}}]),
         [("checks", [{"resource": {"kind": "file"}}], [{"resource": {"kind": "document"}}])]),
        (case(checks=[{"resource": {"scope": "acme"}}]),
         [("checks", [{"resource": {"scope": "acme"}}], [{"resource": {"scope": ""}}])]),
        # 1 is not true, and attributes are compared whole.
        (case(checks=[{"resource": {"attr": {**ATTR, "open": 1}}}]),
         [("checks", [{"resource": {"attr": {**ATTR, "open": 1}}}],
           [{"resource": {"attr": ATTR}}])]),
        (case(checks=[{"resource": {"attr": {"level": 1}}}]),
         [("checks", [{"resource": {"attr": {"level": 1}}}], [{"resource": {"attr": ATTR}}])]),
        # The order is part of the question.
        (case("/d/1/move", "POST", checks=[{"action": "add"}, {"action": "move"}]),
         [("checks", [{"action": "add"}, {"action": "move"}],
           [{"action": "move"}, {"action": "add"}])]),
    ],
)  # fmt: skip
async def test_what_is_not_as_expected_fails_and_says_both(
    one: Case, differences: list[tuple[str, Any, Any]]
) -> None:
    found = await outcome(one, allowing())
    assert found.status is Status.FAILED
    assert list(found.differences) == [Difference(*each) for each in differences]


async def test_without_a_pdp_a_policys_decision_is_undecided_and_not_passed() -> None:
    for expected in ({"decision": "allow"}, {"reason": "policy_deny"}, {"would_be": "policy_deny"}):
        assert (await outcome(case(**expected), None)).status is Status.UNDECIDED
    assert (await outcome(case(route="item", checks=[VIEW]), None)).status is Status.PASSED
    assert (await outcome(case("/open", decision="deny"), None)).status is Status.FAILED
    assert (await outcome(case("/open", decision="allow"), None)).status is Status.PASSED


async def test_what_is_wrong_without_a_pdp_is_wrong_whatever_the_policy_says() -> None:
    assert (await outcome(case(route="open", decision="allow"), None)).status is Status.FAILED


async def test_the_pdp_is_asked_only_where_its_answer_is_expected() -> None:
    pdp = allowing()
    await outcome(case(route="item", checks=[VIEW]), pdp)
    assert pdp.calls == []
    await outcome(case(reason="policy_allow"), pdp)
    assert len(pdp.calls) == 1


async def test_observing_may_be_expected_with_what_it_replaced() -> None:
    pdp = ScriptedPdp(always(Effect.DENY))
    expected = {"decision": "allow", "reason": "observed", "would_be": "policy_deny"}
    assert (await outcome(case("/w/1", **expected), pdp)).status is Status.PASSED


async def test_headers_of_the_answer_may_be_expected_one_by_one() -> None:
    right = case("/w/1", response_headers={"x-user": "ann", "X-Level": "", "X-Other": None})
    assert (await outcome(right, allowing())).status is Status.PASSED
    assert (await outcome(right, None)).status is Status.UNDECIDED
    found = await outcome(case("/w/1", response_headers={"X-User": "bob"}), allowing())
    assert found.differences == (
        Difference("response_headers", {"X-User": "bob"}, {"X-User": "ann"}),
    )


async def test_a_deny_has_no_headers_of_its_route() -> None:
    pdp = ScriptedPdp(always(Effect.DENY))
    denied = await outcome(case("/d/1", response_headers={"X-User": "ann"}), pdp)
    assert denied.differences[0].got == {"X-User": None}


@pytest.mark.parametrize(
    "error", [PdpUnavailable("unix:/a b", "gone: x"), PdpDeadline("pdp:1", "late")]
)
@pytest.mark.parametrize("path", ["/d/1", "/w/1"])
async def test_a_pdp_that_does_not_answer_ends_the_run(error: PdpError, path: str) -> None:
    with pytest.raises(PdpUnavailable) as caught:
        await outcome(case(path, decision="deny"), ScriptedPdp(always(error)))
    assert str(caught.value) == str(error)


async def test_a_question_that_the_pdp_rejects_fails_the_case_that_asks_it() -> None:
    pdp = ScriptedPdp(always(PdpRejected("pdp:1", "no")))
    found = await outcome(case(decision="deny", reason="policy_deny"), pdp)
    assert found.differences == (
        Difference("decision", "deny", "indeterminate"),
        Difference("reason", "policy_deny", "pdp_rejected"),
    )
    assert found.detail == "pdp:1: no"


async def test_a_schema_that_refuses_is_told_with_its_reason() -> None:
    refused = CheckResult(Effect.DENY, validation_errors=("resource /: missing 'team'",))
    pdp = ScriptedPdp(always(refused))
    found = await outcome(case(decision="allow"), pdp)
    assert found.detail == "the PDP's schemas refuse: resource /: missing 'team'"
    # Only who asks for it gets more than the place.
    assert [call.explain for call in pdp.calls] == [True]


@pytest.mark.parametrize(
    ("path", "method", "touched"),
    [
        ("/d/1", "GET", ("item", "GET")),
        ("/d/1", "HEAD", ("item", "GET")),
        ("/d/1", "PUT", None),
        ("/nowhere", "GET", None),
    ],
)
async def test_a_case_touches_the_entry_that_maps_its_method(
    path: str, method: str, touched: tuple[str, str] | None
) -> None:
    assert (await outcome(case(path, method, route="item"), None)).touched == touched


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", 1.0, 0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=6,
)


@given(JSON, JSON)
def test_attributes_are_the_same_when_json_has_one_value_for_them(one: Any, other: Any) -> None:  # noqa: ANN401 - JSON
    from authorizer.suites.run import _is_same  # noqa: PLC0415 - white-box: the comparison alone

    def canonical(value: Any) -> bytes:  # noqa: ANN401 - JSON
        return msgspec.json.encode(_floats(value), order="sorted")

    assert _is_same(one, other) is (canonical(one) == canonical(other))


def _floats(value: Any) -> Any:  # noqa: ANN401 - JSON
    match value:
        case bool() | None | str():
            return value
        case int() | float():
            return float(value) + 0.0
        case list():
            return [_floats(item) for item in value]
        case _:
            mapping: Mapping[str, Any] = value
            return {key: _floats(item) for key, item in mapping.items()}
