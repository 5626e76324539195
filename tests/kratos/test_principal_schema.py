"""The principal schema accepts what the identity schemas accept, and what the authorizer adds."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identityschemas import schema_of, with_traits
from jsonschema import Draft7Validator, Draft202012Validator
from sessions import NOW, session

from authorizer.kratos.principal_schema import auth_schema, principal_schema, rendered
from authorizer.principals.identity import Identity
from authorizer.principals.session import identify

REPOSITORY = Path(__file__).parents[2]
AUTH = {"profile": "kratos"}
DEFINITIONS = {
    "code": {"type": "string", "minLength": 2},
    "tree": {
        "properties": {"below": {"items": {"$ref": "#/definitions/tree"}}, "n": {"minimum": 1}}
    },
}
NAMES = st.sampled_from(["n", "below", "x"])
LEAVES: st.SearchStrategy[Any] = st.one_of(
    st.booleans(),
    st.sampled_from(["string", "integer", "number", "boolean", "null", "object", "array"]).map(
        lambda name: {"type": name}
    ),
    st.lists(st.sampled_from(["string", "integer", "null"]), min_size=1, unique=True).map(
        lambda names: {"type": names, "ory.sh/kratos": {"verification": {"via": "email"}}}
    ),
    st.sampled_from(sorted(DEFINITIONS)).map(
        lambda name: {"$ref": f"#/definitions/{name}", "type": "null"}
    ),
    st.sampled_from(
        [
            {"exclusiveMinimum": 2},
            {"enum": [1, "a", None]},
            {"const": [1]},
            {"minItems": 2, "uniqueItems": True},
            # A draft 7 reader knows none of these.
            {"prefixItems": [False], "unevaluatedProperties": False, "$id": "http://x.test/y"},
            {"dependentRequired": {"n": ["x"]}, "contains": {"type": "null"}, "minContains": 2},
        ]
    ),
)


def _larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    some = st.lists(inner, min_size=1, max_size=2)
    named = st.dictionaries(NAMES, inner, max_size=2)
    return st.one_of(
        st.fixed_dictionaries({"properties": named, "additionalProperties": inner}),
        st.fixed_dictionaries({"properties": named, "required": st.lists(NAMES, unique=True)}),
        st.fixed_dictionaries({"items": some, "additionalItems": inner}),
        st.fixed_dictionaries({"items": some}),
        st.fixed_dictionaries(
            # The judge stumbles over `additionalItems` beside `items` that is true or false.
            {"items": inner.filter(lambda items: isinstance(items, dict)), "additionalItems": inner}
        ),
        st.fixed_dictionaries({"dependencies": st.just({"n": ["x"]}) | named}),
        st.fixed_dictionaries({"if": inner, "then": inner, "else": inner}),
        *(st.fixed_dictionaries({key: some}) for key in ("allOf", "anyOf", "oneOf")),
        *(st.fixed_dictionaries({key: inner}) for key in ("not", "contains", "propertyNames")),
        named.map(lambda each: {"patternProperties": {f"^{key}$": each[key] for key in each}}),
    )


SCHEMAS = st.recursive(LEAVES, _larger, max_leaves=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "abc", 1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def accepts(schema: dict[str, Any], attr: dict[str, Any]) -> bool:
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema).is_valid(attr)


@given(trait=SCHEMAS, value=VALUES)
def test_a_trait_is_accepted_exactly_where_its_identity_schema_accepts_it(
    trait: Any,  # noqa: ANN401 - a schema
    value: Any,  # noqa: ANN401 - JSON
) -> None:
    """Whatever changed its meaning from draft 7 to draft 2020-12 is said in the later's words."""
    identity = schema_of({"properties": {"t": trait}}, definitions=DEFINITIONS)
    in_kratos = Draft7Validator(identity.traits.document.value).is_valid({"traits": {"t": value}})  # type: ignore[arg-type] # a mapping
    assert accepts(principal_schema([identity]), {"t": value, "auth": AUTH}) == in_kratos


@given(first=SCHEMAS, second=SCHEMAS, value=VALUES)
def test_a_trait_of_several_schemas_may_be_what_one_of_them_accepts(
    first: Any,  # noqa: ANN401 - a schema
    second: Any,  # noqa: ANN401 - a schema
    value: Any,  # noqa: ANN401 - JSON
) -> None:
    schemas = [
        schema_of({"properties": {"t": trait}}, definitions=DEFINITIONS)
        for trait in (first, second)
    ]
    attr = {"t": value, "auth": AUTH}
    assert accepts(principal_schema(schemas), attr) == any(
        accepts(principal_schema([schema]), attr) for schema in schemas
    )


def test_equal_types_of_several_schemas_are_one_and_others_alternatives() -> None:
    made = principal_schema(
        [
            with_traits(org={"type": "string"}, level={"type": "integer"}),
            with_traits(org={"type": "string"}, level={"type": "string"}),
        ]
    )
    assert made["properties"]["org"] == {"type": "string"}
    assert made["properties"]["level"] == {"anyOf": [{"type": "integer"}, {"type": "string"}]}


def test_definitions_of_one_name_stay_apart() -> None:
    reference = {"properties": {"t": {"$ref": "#/definitions/code", "title": "A code"}}}
    made = principal_schema(
        [
            schema_of(reference, definitions={"code": {"type": "string"}}),
            schema_of(reference, definitions={"code": {"type": "integer"}}),
        ]
    )
    assert made["properties"]["t"]["anyOf"] == [
        {"title": "A code", "$ref": "#/$defs/code"},
        {"title": "A code", "$ref": "#/$defs/code-2"},
    ]
    assert made["$defs"] == {"code": {"type": "string"}, "code-2": {"type": "integer"}}


def test_a_trait_that_is_declared_twice_fits_both() -> None:
    made = principal_schema(
        [
            schema_of(
                {
                    "properties": {"n": {"minimum": 1}},
                    "allOf": [{"properties": {"n": {"maximum": 3}}}],
                }
            )
        ]
    )
    accepted = [accepts(made, {"n": value, "auth": AUTH}) for value in (0, 1, 3, 4)]
    assert accepted == [False, True, True, False]


def test_a_trait_of_branches_fits_one_of_them() -> None:
    branches = [{"properties": {"t": {"type": kind}}} for kind in ("string", "integer")]
    made = principal_schema([schema_of({"oneOf": branches})])
    assert [accepts(made, {"t": value, "auth": AUTH}) for value in ("a", 1, None)] == [
        True,
        True,
        False,
    ]


def test_nobody_has_to_have_a_trait() -> None:
    made = principal_schema([with_traits(org={"type": "string"}, required=("org",))])
    assert accepts(made, {"auth": {"profile": "anonymous"}})
    assert not accepts(made, {"org": "acme"})
    assert not accepts(made, {"org": "acme", "auth": {}})


def test_a_trait_that_no_schema_declares_is_refused_only_when_closed() -> None:
    schemas = [with_traits(org={})]
    attr = {"org": "acme", "project": "apollo", "auth": AUTH}
    assert accepts(principal_schema(schemas), attr)
    assert not accepts(principal_schema(schemas, closed=True), attr)
    assert accepts(principal_schema(schemas, closed=True), {"org": "acme", "auth": AUTH})


def test_what_other_profiles_say_under_auth_is_accepted() -> None:
    made = principal_schema([with_traits(org={})], closed=True)
    assert accepts(made, {"auth": {"profile": "staff", "scopes": ["read"]}})


def test_a_trait_of_our_name_is_only_among_the_traits() -> None:
    made = principal_schema(
        [schema_of({"properties": {"auth": {"type": "string"}, "": {"type": "integer"}}})]
    )
    assert list(made["properties"]) == ["auth"]
    attr: dict[str, Any] = {"auth": {**AUTH, "identity": {"traits": {"auth": "x", "": 1}}}}
    assert accepts(made, attr)
    attr["auth"]["identity"]["traits"]["auth"] = 1
    assert not accepts(made, attr)


def test_auth_is_described_as_a_session_makes_it_no_more_and_no_less() -> None:
    whole = session(
        identity={
            "organization_id": "o",
            "metadata_public": {"roles": []},
            "verifiable_addresses": [{"value": "ann@acme.test", "verified": True}],
        }
    )
    bare = session(
        without=("authenticator_assurance_level", "authentication_methods", "authenticated_at")
    )
    auth = auth_schema()
    closed = {
        **auth,
        "additionalProperties": False,
        "properties": {
            "profile": auth["properties"]["profile"],
            **{
                part: {
                    **auth["properties"][part],
                    "additionalProperties": False,
                    "required": list(auth["properties"][part]["properties"]),
                }
                for part in ("session", "identity")
            },
        },
    }
    for extra in (whole, bare):
        found = identify("ann", extra, NOW)
        assert isinstance(found, Identity)
        Draft202012Validator(closed).validate({"profile": "kratos", **found.auth})


def test_who_can_write_what_is_not_in_what_cerbos_reads() -> None:
    assert "x-written-by" not in rendered(principal_schema([with_traits(org={})]))


def test_printing_keeps_every_letter_and_ends_with_a_line_break() -> None:
    text = rendered(principal_schema([with_traits(stadt={"title": "Größe"})]))
    assert "Größe" in text
    assert text.endswith("}\n")


@pytest.mark.integration
def test_the_real_pdp_holds_principals_to_what_is_referred_to(tmp_path: Path) -> None:
    """References, tuples and a definition that refers to itself mean in Cerbos what they say."""
    identity = schema_of(
        {
            "properties": {
                "code": {"$ref": "#/definitions/code"},
                "tree": {"$ref": "#/definitions/tree"},
                "pair": {"items": [{"type": "string"}, {"type": "integer"}]},
            }
        },
        definitions=DEFINITIONS,
    )
    attrs: dict[str, dict[str, Any]] = {
        "good": {"code": "ab", "tree": {"below": [{"n": 1}]}, "pair": ["a", 1]},
        "nobody": {},
        "short": {"code": "a"},
        "deep": {"tree": {"below": [{"below": [{"n": 0}]}]}},
        "swapped": {"pair": [1, "a"]},
    }
    (tmp_path / "_schemas").mkdir()
    (tmp_path / "_schemas" / "principal.json").write_text(rendered(principal_schema([identity])))
    policy = {
        "apiVersion": "api.cerbos.dev/v1",
        "resourcePolicy": {
            "resource": "thing",
            "version": "default",
            "schemas": {"principalSchema": {"ref": "cerbos:///principal.json"}},
            "rules": [{"actions": ["view"], "effect": "EFFECT_ALLOW", "roles": ["user"]}],
        },
    }
    suite = {
        "name": "Principals",
        "principals": {
            name: {"id": name, "roles": ["user"], "attr": {**attr, "auth": AUTH}}
            for name, attr in attrs.items()
        },
        "resources": {"thing": {"kind": "thing", "id": "1"}},
        "tests": [
            {
                "name": "Only what fits",
                "input": {"principals": [*attrs], "resources": ["thing"], "actions": ["view"]},
                "expected": [
                    {
                        "principals": ["good", "nobody"],
                        "resources": ["thing"],
                        "actions": {"view": "EFFECT_ALLOW"},
                    }
                ],
            }
        ],
    }
    (tmp_path / "thing.yaml").write_text(json.dumps(policy))
    (tmp_path / "thing_test.yaml").write_text(json.dumps(suite))
    cerbos = REPOSITORY / ".tools" / "bin" / "cerbos"
    assert cerbos.exists(), "run `make setup`: cerbos is not installed"
    done = subprocess.run(
        [cerbos, "compile", tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
