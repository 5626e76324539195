"""Each attribute that a policy can read is listed, by the expression that reads it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from identityschemas import schema_of, with_traits

from authorizer.expressions.cel import Type, Vocabulary
from authorizer.kratos.added import Added, FromTrait, Made, Source
from authorizer.kratos.attributes import Attribute, attributes
from authorizer.kratos.report import as_json, as_markdown, as_text
from authorizer.kratos.selectable import selected
from authorizer.kratos.writers import Writer, Writers

CLOSED = Writers(Writer.ADMINISTRATOR, Writer.ADMINISTRATOR)


def listed(*schemas: Any, writers: Writers = CLOSED) -> dict[str, Attribute]:  # noqa: ANN401 - JSON
    return {entry.name: entry for entry in attributes(schemas, writers)}


def types(**traits: Any) -> dict[str, str]:  # noqa: ANN401 - schemas
    return {
        name.removeprefix("P.attr."): " | ".join(entry.types)
        for name, entry in listed(with_traits(**traits)).items()
        if not name.startswith("P.attr.auth")
    }


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "string"}, "string"),
        ({"type": ["integer", "null"]}, "integer | null"),
        ({}, "any"),
        (True, "any"),
        ({"enum": ["a", 1, None]}, "string | integer | null"),
        ({"const": True}, "boolean"),
        ({"anyOf": [{"type": "string"}, {"type": "number"}]}, "string | number"),
        ({"type": "array"}, "array"),
        ({"type": "array", "items": {"type": "string"}}, "array of string"),
        ({"type": "array", "items": {}}, "array of any"),
    ],
)
def test_a_type_is_what_the_schema_says(schema: Any, expected: str) -> None:  # noqa: ANN401 - JSON
    assert types(t=schema) == {"t": expected}


def test_what_is_nested_is_listed_at_any_depth() -> None:
    place = {"type": "object", "properties": {"zip-code": {"type": "string"}, "in": {}}}
    assert types(home=place, homes={"type": "array", "items": place}) == {
        "home": "object",
        'home["zip-code"]': "string",
        'home["in"]': "any",
        "homes": "array of object",
        'homes[]["zip-code"]': "string",
        'homes[]["in"]': "any",
    }


def test_a_definition_that_holds_itself_is_gone_into_once() -> None:
    schema = schema_of(
        {"properties": {"boss": {"$ref": "#/definitions/person"}}},
        definitions={
            "person": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "boss": {"$ref": "#/definitions/person"},
                },
            }
        },
    )
    names = [name for name in listed(schema) if not name.startswith("P.attr.auth")]
    assert names == ["P.attr.boss", "P.attr.boss.name", "P.attr.boss.boss"]
    assert listed(schema)["P.attr.boss.boss"].types == ["object"]


def test_required_is_what_every_schema_demands() -> None:
    home = {"type": "object", "properties": {"city": {}, "zip": {}}, "required": ["city"]}
    first = with_traits(org={}, team={}, home=home, required=("org", "team", "home"))
    second = with_traits(2, org={}, team={}, home=home, required=("org", "home"))
    third = with_traits(3, org={}, team={}, required=("org",))

    optional = with_traits(home=home)

    def required(*schemas: Any) -> set[str]:  # noqa: ANN401 - schemas
        found = listed(*schemas)
        return {name.removeprefix("P.attr.") for name in found if found[name].required}

    ours = {"auth", "auth.profile"}
    assert required(first) == {"org", "team", "home", "home.city"} | ours
    assert required(first, second) == {"org", "home", "home.city"} | ours
    assert required(first, second, third) == {"org"} | ours
    assert required(optional) == ours, "what is in an object that need not be there need not be"


def test_an_attribute_names_each_schema_that_declares_it_and_all_its_types() -> None:
    found = listed(
        with_traits(1, level={"type": "integer"}, org={}), with_traits(2, level={"type": "string"})
    )
    assert found["P.attr.level"].types == ["integer", "string"]
    assert found["P.attr.level"].schemas == ["schema 1 (base64)", "schema 2 (base64)"]
    assert found["P.attr.org"].schemas == ["schema 1 (base64)"]
    assert found["P.attr.auth.session.aal"].schemas == []


def test_a_meaning_is_the_description_or_else_the_title() -> None:
    found = listed(
        schema_of(
            {
                "properties": {
                    "org": {"title": "Org", "description": "Whose"},
                    "team": {"title": "Team"},
                    "code": {"$ref": "#/definitions/code"},
                }
            },
            definitions={"code": {"description": "A code"}},
        )
    )
    meanings = [found[f"P.attr.{name}"].description for name in ("org", "team", "code")]
    assert meanings == ["Whose", "Team", "A code"]


def test_a_trait_of_our_name_is_listed_where_it_can_be_read() -> None:
    names = list(listed(with_traits(auth={"properties": {"profile": {}}}, authority={})))
    assert names[:2] == ["P.attr.authority", "P.attr.auth"]
    assert names[-2:] == [
        "P.attr.auth.identity.traits.auth",
        "P.attr.auth.identity.traits.auth.profile",
    ]


@pytest.mark.parametrize(
    ("writers", "trait", "verified"),
    [
        (Writers(), "unknown", "unknown"),
        (Writers(Writer.SELF_SERVICE, Writer.ADMINISTRATOR), "self-service", "administrator"),
        (Writers(Writer.ADMINISTRATOR, Writer.SELF_SERVICE), "administrator", "self-service"),
    ],
)
def test_who_can_write_depends_on_kratos_for_traits_and_verified_addresses_alone(
    writers: Writers, trait: str, verified: str
) -> None:
    found = listed(with_traits(org={}), writers=writers)
    assert found["P.attr.org"].written_by == trait
    assert found["P.attr.auth.identity.traits"].written_by == trait
    assert found["P.attr.auth.identity.verified_addresses"].written_by == verified
    assert found["P.attr.auth.identity.metadata_public"].written_by == "administrator"
    assert found["P.attr.auth.session.aal"].written_by == "session"
    assert found["P.attr.auth.profile"].written_by == "nobody"


def source(*parts: FromTrait | Made, hands: tuple[str, ...] = (), profile: str = "p") -> Source:
    return Source(profile, parts, hands)


def with_added(*added: Added, writers: Writers = CLOSED, **traits: Any) -> dict[str, Attribute]:  # noqa: ANN401 - schemas
    entries = attributes([with_traits(**traits)], writers, added)
    return {entry.name: entry for entry in entries}


LEVEL = FromTrait(("level",))
NUMBER = Made({"enum": [0]})
INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((LEVEL,), ["integer"]),
        ((LEVEL, NUMBER), ["integer"]),
        ((LEVEL, Made({"enum": ["low"]})), ["integer", "string"]),
        ((Made({}), NUMBER), ["any", "integer"]),
        ((Made({"type": "array", "items": {}}),), ["array of any"]),
        ((FromTrait(("gone",)),), ["any"]),
        ((FromTrait(()),), ["any"]),
    ],
)
def test_what_a_profile_adds_has_the_types_that_it_is_made_of(
    parts: tuple[FromTrait | Made, ...], expected: list[str]
) -> None:
    found = with_added(Added("rank", (source(*parts),), leaves_trait=True), level=INTEGER)
    assert found["P.attr.rank"].types == expected
    assert found["P.attr.rank"].schemas == ["profile p"]
    assert not found["P.attr.rank"].required


def test_what_a_profile_sets_for_every_session_takes_the_place_of_the_trait() -> None:
    open_ = Writers(Writer.SELF_SERVICE, Writer.ADMINISTRATOR)
    added = Added("level", (source(Made({}), hands=("administrator",)),), leaves_trait=False)
    found = with_added(added, writers=open_, level={"properties": {"x": {}}}, levels={})
    assert "P.attr.level.x" not in found
    assert found["P.attr.levels"].written_by == "self-service"
    assert found["P.attr.level"] == Attribute(
        "P.attr.level", Writer.ADMINISTRATOR, ["any"], ["profile p"]
    )


def test_what_a_profile_leaves_to_others_is_both_and_written_by_the_weakest_hand() -> None:
    open_ = Writers(Writer.SELF_SERVICE, Writer.ADMINISTRATOR)
    added = Added("level", (source(Made({"enum": ["low"]})),), leaves_trait=True)
    found = with_added(added, writers=open_, level=INTEGER)["P.attr.level"]
    assert found.types == ["string", "integer"]
    assert found.schemas == ["profile p", "schema 1 (base64)"]
    assert (found.written_by, found.required) == ("self-service", False)


@pytest.mark.parametrize("required", [(), ("level",)])
def test_what_one_profile_sets_and_every_identity_has_is_always_there(
    required: tuple[str, ...],
) -> None:
    added = Added("level", (source(NUMBER),), leaves_trait=True)
    table = attributes([with_traits(level=INTEGER, required=required)], CLOSED, [added])
    assert table[0].required is bool(required)


def test_a_trait_under_another_name_brings_what_it_holds_along() -> None:
    home = {"type": "object", "properties": {"zip-code": {"type": "string"}}}
    added = Added("house", (source(FromTrait(("home",)), hands=("traits",)),), leaves_trait=False)
    found = with_added(added, home=home)
    assert found['P.attr.house["zip-code"]'].types == ["string"]
    assert found['P.attr.house["zip-code"]'].written_by == "administrator"


@pytest.mark.parametrize(
    ("hands", "expected"),
    [
        ((), "nobody"),
        (("nobody", "administrator"), "administrator"),
        (("administrator", "issuer"), "issuer"),
        (("issuer", "session"), "session"),
        (("session", "verification"), "unknown"),
        (("traits", "administrator"), "self-service"),
    ],
)
def test_what_several_hands_make_is_as_weak_as_the_weakest(
    hands: tuple[str, ...], expected: str
) -> None:
    writers = Writers(Writer.SELF_SERVICE, Writer.UNKNOWN)
    added = Added("x", (source(NUMBER, hands=hands),), leaves_trait=True)
    assert with_added(added, writers=writers)["P.attr.x"].written_by == expected


KEYS = st.sampled_from(["in", "true", "as", "package", "a-b", "1a", '"\\'])


@given(key=st.text() | KEYS)
def test_the_expression_reads_what_has_that_name(key: str) -> None:
    (reference,) = Vocabulary({"x": Type.ANY}).compile(selected("x", key)).references
    assert (reference.name, reference.keys) == ("x", (key,))


TABLE = [
    Attribute("P.attr.a", Writer.UNKNOWN, ["string", "null"], ["a.json"], description="B |\nc"),
    Attribute("P.attr.auth", Writer.NOBODY, ["object"]),
]


def test_the_table_is_aligned_for_a_terminal() -> None:
    assert as_text(TABLE).splitlines() == [
        "ATTRIBUTE    TYPE           REQUIRED  SCHEMA  WRITTEN BY",
        "P.attr.a     string | null  yes       a.json  unknown: give --kratos-config",
        "P.attr.auth  object         yes       -       nobody",
    ]


def test_no_bar_and_no_line_break_ends_a_cell_of_markdown() -> None:
    assert as_markdown(TABLE).splitlines() == [
        "| attribute | type | required | schema | written by | meaning |",
        "| --- | --- | --- | --- | --- | --- |",
        "| `P.attr.a` | string \\| null | yes | a.json | unknown: give --kratos-config | B \\| c |",
        "| `P.attr.auth` | object | yes | - | nobody |  |",
    ]


def test_a_program_gets_the_same_in_json() -> None:
    assert json.loads(as_json(TABLE))[0] == {
        "attribute": "P.attr.a",
        "types": ["string", "null"],
        "required": True,
        "schemas": ["a.json"],
        "written_by": "unknown",
        "description": "B |\nc",
    }
