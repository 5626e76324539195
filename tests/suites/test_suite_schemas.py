"""The schemas of suites: every key explains itself to an editor, and none is forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from authorizer.contract.outcome import TABLE
from authorizer.model import Allow, Deny, Reason
from authorizer.source.schema import load_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

TESTS: dict[str, Any] = load_schema("authorizer.suites", "tests.schema.json").definition
IDENTITIES: dict[str, Any] = load_schema("authorizer.suites", "identities.schema.json").definition


def keys(node: object, definitions: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        for name, inner in node.get("properties", {}).items():
            named = definitions.get(str(inner.get("$ref", "")).removeprefix("#/$defs/"), {})
            yield name, {**named, **inner}
        for inner in node.values():
            yield from keys(inner, definitions)
    elif isinstance(node, list):
        for inner in node:
            yield from keys(inner, definitions)


@pytest.mark.parametrize("schema", [TESTS, IDENTITIES], ids=["tests", "identities"])
def test_every_key_is_described(schema: dict[str, Any]) -> None:
    found = list(keys(schema, schema["$defs"]))
    assert len(found) > 4
    assert [name for name, node in found if not node.get("description")] == []


def test_an_identity_is_the_same_in_both_files() -> None:
    assert TESTS["$defs"]["identity"] == IDENTITIES["$defs"]["identity"]


def test_every_reason_that_a_decision_can_have_may_be_expected() -> None:
    expect = TESTS["$defs"]["expect"]["properties"]
    decided = {reason for reason, (kind, _) in TABLE.items() if kind in (Allow, Deny)}
    assert set(expect["reason"]["enum"]) == {reason.value for reason in decided}
    denied = {reason.value for reason in decided if TABLE[reason][0] is Deny}
    assert set(expect["would_be"]["enum"]) == denied
    assert Reason.OBSERVED.value in expect["reason"]["enum"]
