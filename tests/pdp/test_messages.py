"""The request that is built, and the answer that is believed."""

# ruff: noqa: ANN401 - protobuf's messages have no types

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from cerbos.effect.v1 import effect_pb2
from cerbos.request.v1 import request_pb2
from cerbos.response.v1 import response_pb2
from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st
from pdpquestions import document, person

from authorizer.model import AuxData, Check, Effect, Principal, Resource
from authorizer.pdp.messages import Questions, UnfitAnswer, read_answer

if TYPE_CHECKING:
    from collections.abc import Sequence


def answer(*entries: tuple[str, str, str, int]) -> Any:
    response = response_pb2.CheckResourcesResponse(cerbos_call_id="call-1")
    for kind, id_, action, effect in entries:
        entry = response.results.add()
        entry.resource.kind, entry.resource.id = kind, id_
        entry.actions[action] = effect  # type: ignore[assignment] # an open enum on the wire
    return response


def build(
    questions: Questions,
    principal: Principal,
    checks: Sequence[Check],
    *,
    request_id: str = "",
    explain: bool = False,
) -> Any:
    written = questions.build(principal, checks, request_id=request_id, explain=explain)
    return request_pb2.CheckResourcesRequest.FromString(written)


ALLOWED = ("document", "1", "view", effect_pb2.EFFECT_ALLOW)
DENIED = ("document", "1", "view", effect_pb2.EFFECT_DENY)


def test_a_request_has_one_entry_per_check_in_order() -> None:
    principal = Principal("ada", ("user", "admin"), {"n": 1}, "kratos", "v2", "acme.hr")
    checks = [document("2"), Check(Resource("folder", "1", {}, "v3", "acme"), "add"), document("2")]
    request = build(Questions(), principal, checks, request_id="r-1", explain=True)
    assert (request.request_id, request.include_meta) == ("r-1", True)
    said = request.principal
    assert (said.id, list(said.roles), said.policy_version, said.scope) == (
        "ada",
        ["user", "admin"],
        "v2",
        "acme.hr",
    )
    assert said.attr["n"].number_value == 1
    assert [(e.resource.kind, e.resource.id, list(e.actions)) for e in request.resources] == [
        ("document", "2", ["view"]),
        ("folder", "1", ["add"]),
        ("document", "2", ["view"]),
    ]
    folder = request.resources[1].resource
    assert (folder.policy_version, folder.scope) == ("v3", "acme")


def test_a_jwt_goes_beside_the_principal_and_only_where_there_is_one() -> None:
    assert not build(Questions(), person(), []).HasField("aux_data")
    with_jwt = person().with_aux_data(AuxData("hydra", "a.b.c"))
    request = build(Questions(), with_jwt, [])
    assert (request.aux_data.jwt.token, request.aux_data.jwt.key_set_id) == ("a.b.c", "hydra")


def test_a_kept_principal_is_built_once_and_let_go_with_its_owner() -> None:
    class Counted(dict[str, Any]):
        built = 0

        def items(self) -> Any:
            self.built += 1
            return super().items()

    attr = Counted(organization="acme")
    questions = Questions()
    principal: Principal | None = Principal("ada", ("user",), attr, "kratos")
    assert principal is not None
    first = build(questions, principal, [document()])
    second = build(questions, principal, [document("2")])
    assert first.principal == second.principal
    assert attr.built == 1
    alive = weakref.ref(principal)
    principal = None
    gc.collect()
    assert alive() is None
    assert len(questions._principals) == 0


def test_a_kept_principal_is_built_once_whatever_token_is_beside_it() -> None:
    questions, principal = Questions(), person()
    both = [principal.with_aux_data(AuxData("hydra", token)) for token in ("a.b.c", "d.e.f")]
    requests = [build(questions, one, []) for one in both]
    assert list(questions._principals) == [principal]
    assert [request.aux_data.jwt.token for request in requests] == ["a.b.c", "d.e.f"]


def test_equal_principals_are_not_the_same_principal() -> None:
    """Two sessions never share a message because they look alike."""
    assert person() != person()


def test_the_same_resource_twice_is_matched_by_position() -> None:
    checks = [document(of="acme"), document(of="other")]
    read = read_answer(checks, answer(ALLOWED, DENIED), explain=False)
    assert [result.effect for result in read.results] == [Effect.ALLOW, Effect.DENY]
    assert read.call_id == "call-1"


@pytest.mark.parametrize(
    ("response", "why"),
    [
        (answer(), "0 results for 1 checks"),
        (answer(ALLOWED, ALLOWED), "2 results for 1 checks"),
        (answer(("document", "2", "view", effect_pb2.EFFECT_ALLOW)), "another resource"),
        (answer(("folder", "1", "view", effect_pb2.EFFECT_ALLOW)), "another resource"),
        (answer(("document", "1", "edit", effect_pb2.EFFECT_ALLOW)), "no effect for the action"),
        (answer(("document", "1", "view", effect_pb2.EFFECT_UNSPECIFIED)), "neither ALLOW nor"),
        (answer(("document", "1", "view", effect_pb2.EFFECT_NO_MATCH)), "neither ALLOW nor"),
        (answer(("document", "1", "view", 77)), "neither ALLOW nor"),
    ],
)
def test_an_answer_that_does_not_fit_is_never_believed(response: Any, why: str) -> None:
    with pytest.raises(UnfitAnswer, match=why):
        read_answer([document()], response, explain=False)


@given(st.lists(st.sampled_from([0, 1, 2, 3, 9]), max_size=4), st.integers(0, 4))
def test_allow_is_read_only_where_every_check_has_its_own_plain_effect(
    effects: list[int], asked: int
) -> None:
    checks = [document(str(number)) for number in range(asked)]
    response = answer(*[("document", str(n), "view", e) for n, e in enumerate(effects)])
    fits = len(effects) == asked and set(effects) <= {1, 2}
    if not fits:
        with pytest.raises(UnfitAnswer):
            read_answer(checks, response, explain=False)
        return
    read = read_answer(checks, response, explain=False)
    assert [r.effect is Effect.ALLOW for r in read.results] == [e == 1 for e in effects]


def test_an_output_that_failed_is_left_out() -> None:
    response = answer(ALLOWED)
    response.results[0].outputs.add(src="p#good", val=struct_pb2.Value(bool_value=True))
    response.results[0].outputs.add(src="p#bad", error="no such key: secret")
    assert read_answer([document()], response, explain=False).results[0].outputs == {"p#good": True}


def test_a_validation_errors_text_is_for_those_who_explain() -> None:
    """It quotes the value; where a decision is logged, only its place is known."""
    response = answer(DENIED)
    response.results[0].validation_errors.add(
        path="/mail", message="'ada@secret.test' is not valid 'uri'", source=1
    )
    quiet = read_answer([document()], response, explain=False).results[0]
    assert quiet.validation_errors == ("principal /mail",)
    told = read_answer([document()], response, explain=True).results[0]
    assert told.validation_errors == ("principal /mail: 'ada@secret.test' is not valid 'uri'",)
