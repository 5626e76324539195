"""What a route passes of a resource, a policy reads, and the resource's schema takes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.expressions.template import compile_value
from authorizer.kratos.identity_schema import Node
from authorizer.lint.resource_schemas import refusals
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from lintfolder import Folder

CLOSED: Final = {
    "type": "object",
    "additionalProperties": False,
    "required": ["organization"],
    "properties": {
        "organization": {"type": "string"},
        "level": {"type": "integer"},
        "state": {"enum": ["open", "shut"]},
        "owner": {
            "type": "object",
            "additionalProperties": False,
            "required": ["id"],
            "properties": {"id": {"type": "string"}},
        },
    },
}
STRICT: Final = "pdp: {embedded: {policies: policies}}\n"


def policy(folder: Folder, expression: str = "true", **more: object) -> None:
    rule = {
        "actions": ["view"],
        "effect": "EFFECT_ALLOW",
        "roles": ["user"],
        "condition": {"match": {"expr": expression}},
    }
    own = {"resource": "document", "version": "default", "rules": [rule]} | more
    name = f"document{own.get('scope', '')}.json"
    folder.policy(name, resourcePolicy=own)


def schema(folder: Folder, definition: object = CLOSED, **more: object) -> dict[str, object]:
    folder.write("policies/_schemas/document.json", json.dumps(definition, indent="\t"))
    return {"resourceSchema": {"ref": "cerbos:///document.json", **more}}


@pytest.mark.parametrize(
    ("expression", "attr", "expected"),
    [
        ("R.attr.organisation == 'a'", "{organization: a}", "R.attr.organisation"),
        ("has(R.attr.organisation)", "{organization: a}", "R.attr.organisation"),
        ("request.resource.attr['organisation'] == 'a'", "{organization: a}", "organisation"),
        ("P.attr.x.exists(t, t == R.attr.tenent)", "{tenant: a}", "R.attr.tenent"),
        ("R.attr.owner.nmae == 'a'", "{owner: {name: a}}", "R.attr.owner.nmae"),
        ("V.same", "{organization: a}", "R.attr.organisation"),
        # Whoever else asks may pass it.
        ("R.attr.published", "{organization: a}", ""),
        ("R.attr.organization == 'a'", "{organization: a}", ""),
        ("R.attr.owner.nmae == 'a'", '{owner: "${extra}"}', ""),
        ("R.attr.list[0].nmae == 'a'", "{list: [{name: a}]}", ""),
        ("P.attr.x.exists(R, R.attr.organisation == 'a')", "{organization: a}", ""),
        ("R.attr[P.attr.organisation] == 'a'", "{organization: a}", ""),
        ("R.attr.organisation == 'a'", "{}", ""),
    ],
)
def test_an_attribute_that_no_route_passes_is_found_where_one_is_nearly_it(
    folder: Folder, expression: str, attr: str, expected: str
) -> None:
    policy(folder, expression, variables={"local": {"same": "R.attr.organisation == P.id"}})
    folder.asks(attr=attr)
    found = [one for one in folder.lint() if one.code == "unpassed-attribute"]
    assert [expected in one.message for one in found] == ([True] if expected else [])


def test_the_hint_names_what_routes_pass_and_the_place_is_where_it_is_read(folder: Folder) -> None:
    policy(folder, "P.id != 'x' && R.attr.organisation == 'a'")
    folder.asks(attr="{organization: a}")
    [finding] = folder.lint()
    line = (folder.path / "policies" / "document.json").read_text().splitlines()
    text = line[finding.place.line - 1][finding.place.column - 1 :]
    assert text.startswith("R.attr.organisation")
    assert finding.help == "did you mean `organization`?"


def test_what_one_of_several_routes_passes_or_the_schema_declares_is_known(folder: Folder) -> None:
    policy(folder, "R.attr.organisation == R.attr.organization")
    folder.write(
        "rules/two.yaml",
        """\
        version: 1
        routes:
          - id: two
            match: {path: /two, methods: [GET]}
            resource: {kind: document, id: "1", attr: {organisation: a}}
            action: view
        """,
    )
    folder.asks(attr="{organization: a}")
    assert folder.codes() == []
    (folder.path / "rules" / "two.yaml").unlink()
    assert folder.codes() == ["unpassed-attribute"]
    declared = {"type": "object", "properties": {"organisation": {}, "organization": {}}}
    policy(folder, "R.attr.organisation == R.attr.organization", schemas=schema(folder, declared))
    assert folder.codes() == []


def test_where_a_kind_may_be_any_nothing_is_said_of_what_is_read(folder: Folder) -> None:
    policy(folder, "R.attr.organisation == 'a'")
    folder.asks("${path.id}", attr="{organization: a}")
    assert folder.codes() == []


@pytest.mark.parametrize(
    ("attr", "problem", "hint"),
    [
        ("{organization: a}", "", ""),
        ('{organization: "${path.id}", level: 1, state: open}', "", ""),
        ('{organization: a, level: "${path.id}"}', "", ""),
        ('{organization: a, owner: "${extra}"}', "", ""),
        ("{organization: a, owner: {id: b}}", "", ""),
        ("{organisation: a}", "has no `organisation`", "did you mean `organization`?"),
        ("{organization: a, colour: b}", "has no `colour`", "known here: "),
        ("{level: 1}", "requires `organization`", ""),
        ("{}", "requires `organization`", ""),
        ("{organization: 1}", "wants a string for `organization`, and not a number", ""),
        ("{organization: a, level: high}", "wants a number for `level`, and not a string", ""),
        ("{organization: a, state: ajar}", 'has only "open", "shut" for `state`', ""),
        ("{organization: a, owner: {}}", "requires `id`", ""),
        ("{organization: a, owner: {idd: b, id: c}}", "has no `idd`", ""),
    ],
)
def test_what_the_schema_of_a_resource_refuses_is_found_in_the_route(
    folder: Folder, attr: str, problem: str, hint: str
) -> None:
    policy(folder, schemas=schema(folder))
    folder.asks(attr=attr)
    found = folder.lint()
    assert [one.code.value for one in found] == (["refused-attribute"] if problem else [])
    for one in found:
        assert one.message.endswith(problem)
        assert one.help.startswith(hint)
        assert one.place.line == 5


def test_a_route_without_attributes_lacks_what_is_required(folder: Folder) -> None:
    policy(folder, schemas=schema(folder))
    folder.asks()
    assert folder.codes() == ["refused-attribute"]


def test_each_of_several_checks_is_held_to_its_schema(folder: Folder) -> None:
    policy(folder, schemas=schema(folder))
    folder.write(
        "rules/one.yaml",
        """\
        version: 1
        routes:
          - id: one
            match: {path: /one, methods: [GET]}
            checks:
              - {resource: {kind: document, id: "1", attr: {organization: a}}, action: view}
              - {resource: {kind: document, id: "2", attr: {organisation: a}}, action: view}
        """,
    )
    [finding] = folder.lint()
    assert (finding.code, finding.place.line) == ("refused-attribute", 7)


def test_an_action_that_is_not_held_to_the_schema_is_not_held_to_it_here(folder: Folder) -> None:
    policy(folder, schemas=schema(folder, ignoreWhen={"actions": ["vi*"]}))
    folder.asks(attr="{organisation: a}")
    assert folder.codes() == []
    policy(folder, schemas=schema(folder, ignoreWhen={"actions": ["edit"]}))
    assert folder.codes() == ["refused-attribute"]


def test_which_of_several_schemas_counts_is_not_guessed(folder: Folder) -> None:
    policy(folder, schemas=schema(folder))
    policy(folder, scope="acme")
    folder.asks(attr="{organisation: a}")
    assert folder.codes() == []


@pytest.mark.parametrize("text", ["", "[", "true", "a: 1\n---\nb: 2\n"])
def test_a_schema_that_cannot_be_read_says_nothing_of_routes(folder: Folder, text: str) -> None:
    policy(folder, schemas=schema(folder))
    folder.write("policies/_schemas/document.json", text)
    folder.asks(attr="{organisation: a}")
    assert folder.codes() == []


JSON: Final = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*CLOSED["properties"], "id", "idd"]), inner, max_size=4)  # type: ignore[misc] # a dict
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["organization", "level", "state", "owner", "x"]), JSON))
def test_what_a_validator_takes_is_never_refused(attr: dict[str, Any]) -> None:
    from jsonschema import Draft202012Validator  # noqa: PLC0415 - of this test alone

    document = load_yaml(json.dumps(CLOSED), "document.json")
    written = {key: compile_value(value, (), _text) for key, value in attr.items()}
    found = list(refusals(Node(document, (), document.value), written))
    if Draft202012Validator(CLOSED).is_valid(attr):
        assert found == []


def _text(_: object, text: str) -> Any:  # noqa: ANN401 - what a template of a constant is
    return _Constant(text)


class _Constant:
    def __init__(self, text: str) -> None:
        self.constant = text


def test_a_scope_that_varies_is_noted_where_each_needs_a_policy(folder: Folder) -> None:
    policy(folder)
    policy(folder, scope="acme")
    folder.asks(scope='"${path.id}"')
    # Of a PDP elsewhere it is not known.
    assert folder.codes() == []
    folder.write("authorizer.yaml", STRICT)
    [finding] = folder.lint()
    assert (finding.code, finding.severity) == ("varying-scope", "note")
    assert "pdp.embedded.lenient_scope_search" in finding.help
    folder.write("authorizer.yaml", STRICT.replace("}}", ", lenient_scope_search: true}}"))
    assert folder.codes() == []


def test_a_scope_that_varies_where_no_policy_has_one_is_always_denied(folder: Folder) -> None:
    policy(folder)
    folder.asks(scope='"${path.id}"')
    folder.write("authorizer.yaml", STRICT)
    [finding] = folder.lint()
    assert (finding.code, finding.severity) == ("unknown-scope", "warning")


def test_a_constant_scope_and_none_do_not_vary(folder: Folder) -> None:
    policy(folder)
    policy(folder, scope="acme")
    folder.write("authorizer.yaml", STRICT)
    folder.asks(scope="acme")
    assert folder.codes() == []
    folder.asks()
    assert folder.codes() == []
