"""Whatever hangs on a trait that people write themselves is told, with who writes it and where."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder

    from authorizer.lint.finding import Finding

SCHEMA = {
    "properties": {
        "traits": {
            "properties": {
                "org": {"type": "string"},
                "level": {"type": "integer"},
                "groups": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["org", "level", "groups"],
            "additionalProperties": False,
        }
    }
}


def kratos(folder: Folder, *, registration: bool = False, settings: bool = False) -> None:
    folder.write("identity.json", json.dumps(SCHEMA))
    folder.write(
        "kratos.yml",
        f"""\
        selfservice:
          flows: {{registration: {{enabled: {str(registration).lower()}}}}}
          methods: {{profile: {{enabled: {str(settings).lower()}}}}}
        """,
    )


def policy(folder: Folder, expression: str, **more: object) -> None:
    rule = {
        "actions": ["view", "edit"],
        "effect": "EFFECT_ALLOW",
        "roles": ["user"],
        "condition": {"match": {"expr": expression}},
    }
    content = {"resource": "document", "version": "default", "rules": [rule | more]}
    folder.policy("document.json", resourcePolicy=content)


def found(folder: Folder) -> list[Finding]:
    return [finding for finding in folder.lint() if finding.code == "self-written-authority"]


@pytest.mark.parametrize(
    "expression", ["P.attr.org == 'a'", "'org' in P.attr && P.attr['org'] == 'a'"]
)
@pytest.mark.parametrize("effect", ["EFFECT_ALLOW", "EFFECT_DENY"])
def test_a_rule_that_hangs_on_a_trait_is_told(folder: Folder, expression: str, effect: str) -> None:
    kratos(folder, settings=True)
    policy(folder, expression, effect=effect)
    folder.asks()
    [finding] = found(folder)
    assert finding.message == (
        "people write the trait `org` themselves, and so decide about `document` (edit, view)"
    )
    switch = folder.path / "kratos.yml:3:23"
    assert finding.help == (
        f"turn off the settings method `profile` ({switch}), "
        "or decide by `metadata_public`, which administrators write"
    )


def test_both_flows_are_named(folder: Folder) -> None:
    kratos(folder, registration=True, settings=True)
    policy(folder, "P.attr.org == 'a'")
    folder.asks()
    [finding] = found(folder)
    assert finding.help.startswith("turn off registration (")
    assert ") and the settings method `profile` (" in finding.help


@pytest.mark.parametrize("written", [True, False])
def test_nothing_is_said_where_only_administrators_write_or_nobody_knows(
    folder: Folder, *, written: bool
) -> None:
    kratos(folder)
    policy(folder, "P.attr.org == 'a'")
    folder.asks(scope='"${principal.attr.org}"')
    if not written:
        (folder.path / "kratos.yml").unlink()
    assert found(folder) == []


@pytest.mark.parametrize(
    "expression",
    [
        "P.attr.auth.session.aal == 'aal2'",
        "P.attr.auth.identity.metadata_public == {}",
        "R.attr.org == 'a'",
        "P.attr.gro == 'a'",
    ],
)
def test_what_people_do_not_write_is_not_told(folder: Folder, expression: str) -> None:
    kratos(folder, registration=True)
    policy(folder, expression)
    folder.asks()
    assert found(folder) == []


def test_all_traits_once_more_are_the_same_traits(folder: Folder) -> None:
    kratos(folder, registration=True)
    policy(folder, "P.attr.auth.identity.traits.org == 'a'")
    folder.asks()
    assert ["`org`" in finding.message for finding in found(folder)] == [True]


def test_a_derived_role_is_told_where_it_reads_with_all_that_it_decides(folder: Folder) -> None:
    kratos(folder, registration=True)
    role = {
        "name": "member",
        "parentRoles": ["user"],
        "condition": {"match": {"expr": "V.is_member"}},
    }
    local = {"is_member": "P.attr.org == R.attr.org"}
    derived = {"name": "d", "variables": {"local": local}, "definitions": [role]}
    folder.policy("derived.json", derivedRoles=derived)
    for kind in "abcde":
        rule = {"actions": ["view"], "effect": "EFFECT_ALLOW", "derivedRoles": ["member"]}
        policy = {"resource": kind, "version": "default", "importDerivedRoles": ["d"]}
        folder.policy(f"{kind}.json", resourcePolicy={**policy, "rules": [rule]})
    folder.asks("a")
    [finding] = found(folder)
    assert finding.place.source.endswith("derived.json")
    assert finding.message.endswith("decide about `a` (view); `b` (view); `c` (view); 2 more")


REQUIRING = """roles: {always: [user]}
              require: ["${extra.identity.traits.level > 2}"]"""


def profile(folder: Folder, text: str) -> None:
    folder.write(
        "authorizer.yaml",
        f"""\
        principals:
          profiles:
            kratos:
              shape: session
              {text}
        """,
    )


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('roles: {from: ["${extra.identity.traits.groups}"]}', "give themselves roles"),
        (
            REQUIRING,
            "let themselves in",
        ),
    ],
)
def test_a_profile_that_takes_authority_from_traits_is_told(
    folder: Folder, text: str, what: str
) -> None:
    kratos(folder, settings=True)
    profile(folder, text)
    folder.asks()
    [finding] = found(folder)
    assert finding.message.endswith(f"themselves, and so {what}")
    assert finding.place.source.endswith("authorizer.yaml")


def test_what_a_profile_makes_of_a_trait_is_no_better(folder: Folder) -> None:
    kratos(folder, settings=True)
    profile(
        folder,
        "roles: {always: [user]}\n"
        '              attr: {team: "${extra.identity.traits.org}", id: "${extra.id}"}',
    )
    policy(folder, "P.attr.team == 'a' && P.attr.id == 'b'")
    folder.asks()
    assert [finding.message.partition(" themselves")[0] for finding in found(folder)] == [
        "people write the trait `org`"
    ]


@pytest.mark.parametrize("key", ["scope", "policy_version"])
def test_a_question_that_hangs_on_a_trait_is_told(folder: Folder, key: str) -> None:
    kratos(folder, registration=True)
    folder.asks(**{key: '"${principal.attr.org}"'})
    [finding] = found(folder)
    assert (
        finding.message == "people write the trait `org` themselves, and so what the PDP is asked"
    )


def test_a_file_that_is_no_configuration_of_kratos_is_told(folder: Folder) -> None:
    folder.write("kratos.yml", "a: 1\n")
    folder.asks()
    assert folder.codes() == ["unreadable-file"]
