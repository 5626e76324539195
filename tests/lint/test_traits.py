"""A trait is known when some identity schema declares it, wherever in the schema that is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder

TRAITS = {
    "type": "object",
    "properties": {
        "email": {"type": "string"},
        "name": {"type": "object", "properties": {"first": {"type": "string"}}},
        "free": {"type": "object"},
    },
    "allOf": [{"$ref": "#/definitions/work"}],
    "if": {"properties": {"badge": {"type": "string"}}},
    "additionalProperties": False,
}
SCHEMA = {
    "definitions": {"work": {"properties": {"department": {"type": "string"}}}},
    "properties": {"traits": TRAITS},
}


@pytest.mark.parametrize(
    ("expression", "is_known"),
    [
        ("principal.attr.email", True),
        ("principal.attr.name.first", True),
        ("principal.attr.name.last", False),
        ("principal.attr.free.anything", True),
        ("principal.attr.department", True),
        ("principal.attr.badge", True),
        ("principal.attr['departement']", False),
        ("principal.attr.auth.profile", True),
        ("principal.attr.auth.identity.traits.emial", False),
        ("extra.identity.traits.email", True),
        ("extra.identity.traits.emial", False),
        ("extra.identity.id", True),
        ("string(size(principal.attr))", True),
        ("has(extra.identity.traits.emial) ? 'a' : 'b'", False),
        ("principal.attr.region", True),
    ],
)
def test_traits_in_routes(folder: Folder, expression: str, *, is_known: bool) -> None:
    folder.write("identity.json", json.dumps(SCHEMA))
    folder.write(
        "authorizer.yaml",
        """\
        principals:
          profiles:
            staff:
              shape: session
              roles: {always: [user]}
              attr: {region: "${extra.identity.id}"}
        """,
    )
    folder.asks(attr=f'{{it: "${{{expression}}}"}}')
    assert folder.codes() == ([] if is_known else ["unknown-trait"])


def test_traits_in_profiles_are_found_where_they_are_written(folder: Folder) -> None:
    folder.write("identity.json", json.dumps(SCHEMA))
    config = folder.write(
        "authorizer.yaml",
        """\
        principals:
          profiles:
            staff:
              shape: session
              roles: {always: [user]}
              require: ["${extra.identity.traits.emial != ''}"]
        """,
    )
    folder.asks()
    [finding] = folder.lint()
    assert finding.code == "unknown-trait"
    assert finding.help == "did you mean `email`?"
    line = config.read_text().splitlines()[finding.place.line - 1]
    assert line[finding.place.column - 1 :].startswith("extra.identity.traits.emial")


def test_a_schema_that_describes_no_traits_is_not_one(folder: Folder) -> None:
    folder.write("identity.json", '{"properties": {}}')
    folder.asks()
    assert folder.codes() == ["unreadable-file"]
