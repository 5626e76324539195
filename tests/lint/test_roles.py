"""A role that is a slip away from one that somebody has is told, and no other name is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder

PROFILE = """\
principals:
  profiles:
    kratos:
      shape: session
      roles:
        always: [member]
        from: ["${has(extra.identity.metadata_public.x) ? ['payer'] : ['viewer']}"]
        map: {boss: manager}
"""


def policy(folder: Folder, *, roles: str = "user", parent: str = "user", name: str = "x") -> None:
    folder.write("authorizer.yaml", PROFILE)
    folder.route("/a")
    definition = {"name": name, "parentRoles": [parent]}
    folder.policy("roles.json", derivedRoles={"name": "some", "definitions": [definition]})
    rule = {"actions": ["view"], "effect": "EFFECT_ALLOW", "roles": [roles]}
    derived = {"actions": ["view"], "effect": "EFFECT_ALLOW", "derivedRoles": [name]}
    folder.policy(
        "one.json",
        resourcePolicy={
            "resource": "document",
            "version": "default",
            "importDerivedRoles": ["some"],
            "rules": [rule, derived],
        },
    )


@pytest.mark.parametrize(
    ("role", "meant"),
    [
        *(("users", "user"), ("User", "user"), ("clients", "client"), ("delegat", "delegate")),
        *(("anonymuos", "anonymous"), ("memeber", "member"), ("paier", "payer")),
        *(("viewr", "viewer"), ("mananger", "manager")),
        *(("user", ""), ("*", ""), ("payer", ""), ("manager", ""), ("reviewer", "")),
        *(("service", ""), ("editor", ""), ("superuser", ""), ("us", "")),
    ],
)
def test_a_slip_is_told_with_the_role_that_was_meant(folder: Folder, role: str, meant: str) -> None:
    expected = [("unknown-role", f"did you mean `{meant}`?")] if meant else []
    for roles, parent in ((role, "user"), ("user", role)):
        policy(folder, roles=roles, parent=parent)
        assert [(one.code.value, one.help) for one in folder.lint()] == expected


def test_a_derived_role_that_no_rule_names_rightly_is_told_too(folder: Folder) -> None:
    policy(folder, roles="owner", name="owner")
    file = folder.path / "policies" / "one.json"
    file.write_text(file.read_text().replace("derivedRoles", "roles"))
    assert set(folder.codes()) == {"unknown-role"}


def test_a_derived_role_among_roles_is_told(folder: Folder) -> None:
    policy(folder, roles="owner", name="owner")
    [finding] = folder.lint()
    assert finding.code == "unknown-role"
    assert "`derivedRoles`" in finding.help
