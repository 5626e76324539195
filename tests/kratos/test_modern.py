"""What draft 7 says in words that draft 2020-12 has other words for."""

from __future__ import annotations

from typing import Any

import pytest
from identityschemas import schema_of

from authorizer.kratos.modern import Modernizer

DEFINITIONS = {"code": {"type": "string"}}


def modern(schema: Any) -> Any:  # noqa: ANN401 - schemas
    node = schema_of({"properties": {"t": schema}}, definitions=DEFINITIONS).traits
    trait = node.get("properties", "t")
    assert trait is not None
    return Modernizer().rewritten(trait)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (
            {"items": [{"type": "string"}], "additionalItems": False},
            {"prefixItems": [{"type": "string"}], "items": False},
        ),
        ({"items": {"type": "string"}, "additionalItems": False}, {"items": {"type": "string"}}),
        ({"additionalItems": False}, {}),
        (
            {"dependencies": {"a": ["b"], "c": {"required": ["d"]}}},
            {
                "dependentRequired": {"a": ["b"]},
                "dependentSchemas": {"c": {"required": ["d"]}},
            },
        ),
        # What stands beside a reference does not count, but for what a person reads.
        (
            {"$ref": "#/definitions/code", "type": "null", "title": "A code"},
            {"title": "A code", "$ref": "#/$defs/code"},
        ),
        # A later draft would begin to read these.
        ({"$id": "http://x.test/", "prefixItems": [False], "unevaluatedItems": False}, {}),
        (
            {"type": "string", "ory.sh/kratos": {"verification": {"via": "email"}}},
            {"type": "string"},
        ),
        # A trait may be called what a keyword is called, and a value may look like a schema.
        (
            {"properties": {"$id": {"$id": "x", "type": "string"}}},
            {"properties": {"$id": {"type": "string"}}},
        ),
        (
            {"const": {"$id": "x"}, "enum": [{"items": []}]},
            {"const": {"$id": "x"}, "enum": [{"items": []}]},
        ),
        (False, False),
    ],
)
def test_each_keyword_is_said_in_the_later_words(schema: Any, expected: Any) -> None:  # noqa: ANN401 - JSON
    assert modern(schema) == expected
