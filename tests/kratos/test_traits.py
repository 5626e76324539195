"""Traits are found through references and branches; only what always applies is certain."""

from __future__ import annotations

from identityschemas import schema_of, with_traits

from authorizer.kratos.traits import traits_of


def test_traits_come_in_the_order_of_the_file() -> None:
    traits = traits_of(with_traits(b={}, a={}, required=("a",)))
    assert [(trait.name, trait.required) for trait in traits.values()] == [
        ("b", False),
        ("a", True),
    ]


def test_a_reference_and_all_of_are_gone_through() -> None:
    schema = schema_of(
        {"allOf": [{"$ref": "#/definitions/base"}, {"properties": {"org": {}}}]},
        definitions={"base": {"properties": {"email": {}}, "required": ["email", "org"]}},
    )
    traits = traits_of(schema)
    assert {name: trait.required for name, trait in traits.items()} == {"email": True, "org": True}
    assert all(trait.always and not trait.sometimes for trait in traits.values())


def test_what_a_branch_declares_or_demands_is_not_certain() -> None:
    traits = traits_of(
        schema_of(
            {
                "oneOf": [{"properties": {"a": {}}, "required": ["a"]}, {"properties": {"b": {}}}],
                "if": {"properties": {"not": {}}},
                "then": {"properties": {"c": {}}},
                "else": {"properties": {"d": {}}},
            }
        )
    )
    assert list(traits) == ["a", "b", "c", "d"]
    assert all(
        trait.sometimes and not trait.always and not trait.required for trait in traits.values()
    )


def test_what_stands_beside_a_reference_does_not_count() -> None:
    """In draft 7, a reference is all of its schema."""
    schema = schema_of(
        {"$ref": "#/definitions/base", "properties": {"ignored": {}}},
        definitions={"base": {"properties": {"email": {}}}},
    )
    assert list(traits_of(schema)) == ["email"]


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = schema_of({"allOf": [{"$ref": "#/properties/traits"}], "properties": {"a": {}}})
    assert list(traits_of(schema)) == ["a"]
