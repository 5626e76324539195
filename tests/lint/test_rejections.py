"""A profile that rejects whoever lacks an optional trait is found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder

TRAITS = {
    "properties": {
        "org": {"type": "string"},
        "level": {"type": "integer"},
        "home": {"type": "object", "properties": {"city": {"type": "string"}}},
    },
    "required": ["org"],
    "additionalProperties": False,
}
T = "extra.identity.traits"


def profile(folder: Folder, shape: str = "session", **more: object) -> None:
    content = {"shape": shape, "roles": {"always": ["staff"]}, **more}
    folder.write("identity.json", json.dumps({"properties": {"traits": TRAITS}}))
    folder.write("authorizer.yaml", json.dumps({"principals": {"profiles": {"own": content}}}))
    folder.asks()


def found(folder: Folder) -> list[tuple[str, str]]:
    return [
        (finding.message, finding.help)
        for finding in folder.lint()
        if finding.code == "unguarded-attribute"
    ]


@pytest.mark.parametrize(
    ("expression", "lacked", "guards"),
    [
        (f"{T}.level", f"{T}.level", f"has({T}.level)"),
        (f"{T}.level > 2 || false", f"{T}.level", f"has({T}.level)"),
        (f"has({T}.org) ? {T}.level : 0", f"{T}.level", f"has({T}.level)"),
        (f"{T}.home.city", f"{T}.home", f"has({T}.home) && has({T}.home.city)"),
        (f"has({T}.home) ? {T}.home.city : ''", f"{T}.home.city", ""),
        (f"has({T}.home.city) ? 'a' : 'b'", f"{T}.home", ""),
    ],
)
def test_a_trait_that_is_read_unasked_is_found(
    folder: Folder, expression: str, lacked: str, guards: str
) -> None:
    profile(folder, attr={"x": f"${{{expression}}}"})
    [(message, help_)] = found(folder)
    assert message == f"`{lacked}` is not always there, and `own` rejects whoever lacks it"
    assert help_.startswith("give a default: has(")
    assert guards in help_


@pytest.mark.parametrize(
    "expression",
    [
        f"{T}.org",
        f"has({T}.level) ? {T}.level : 0",
        f"has({T}.level) && {T}.level > 2",
        f"'level' in {T} ? {T}.level : 0",
        f"has({T}.home) && has({T}.home.city) ? {T}.home.city : ''",
        "extra.identity.metadata_public.level",
        "extra.authenticator_assurance_level",
        f"{T}.lveel",
    ],
)
def test_what_is_asked_for_or_always_there_is_left_alone(folder: Folder, expression: str) -> None:
    profile(folder, attr={"x": f"${{{expression}}}"})
    assert found(folder) == []


def test_an_id_rejects_as_well_and_roles_and_tokens_do_not(folder: Folder) -> None:
    profile(folder, id=f"n-${{{T}.level}}")
    assert len(found(folder)) == 1
    profile(folder, roles={"from": [f"${{[{T}.level]}}"]})
    assert found(folder) == []
    profile(folder, "claims", attr={"x": f"${{{T}.level}}"}, roles={"always": ["delegate"]})
    assert found(folder) == []


def test_without_identity_schemas_nothing_is_known(folder: Folder) -> None:
    profile(folder, attr={"x": f"${{{T}.level}}"})
    (folder.path / "identity.json").unlink()
    assert found(folder) == []
