"""Names in policies are defined where they are used, and asked about by routes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder


def resource(expression: str = "true", **more: object) -> dict[str, object]:
    rule = {
        "actions": ["view"],
        "effect": "EFFECT_ALLOW",
        "roles": ["user"],
        "condition": {"match": {"expr": expression}},
    }
    return {"resource": "document", "version": "default", "rules": [rule]} | more


@pytest.mark.parametrize(
    ("expression", "is_found"),
    [
        ("V.own", False),
        ("variables.own", False),
        ("V.shared", False),
        ("C.one == 1", False),
        ("constants.two == 2", False),
        ("V.onw", True),
        ("[1].exists(n, V.onw == n)", True),
        ("C.own == 1", True),
        ("constants.tow == 2", True),
        ("R.attr.V.onw", False),
    ],
)
def test_a_variable_or_constant_that_a_policy_lacks_is_found(
    folder: Folder, expression: str, *, is_found: bool
) -> None:
    folder.policy("v.json", exportVariables={"name": "vs", "definitions": {"shared": "true"}})
    folder.policy("c.json", exportConstants={"name": "cs", "definitions": {"two": 2}})
    policy = resource(
        expression,
        variables={"import": ["vs"], "local": {"own": "true"}},
        constants={"import": ["cs"], "local": {"one": 1}},
    )
    folder.policy("document.json", resourcePolicy=policy)
    folder.asks()
    assert folder.codes() == ["unknown-variable"] * is_found


def test_nothing_is_said_of_variables_that_an_unknown_import_may_have(folder: Folder) -> None:
    policy = resource("V.anything", variables={"import": ["gone"]})
    folder.policy("document.json", resourcePolicy=policy)
    folder.policy("v.json", exportVariables={"name": "vs", "definitions": {"shared": "V.other"}})
    folder.asks()
    assert folder.codes() == []


@pytest.mark.parametrize(
    ("imported", "code"),
    [("known", "unknown-derived-roles"), ("gone", "unknown-derived-roles"), ("other", None)],
)
def test_a_derived_role_that_no_import_defines_is_found_once(
    folder: Folder, imported: str, code: str | None
) -> None:
    for name, role in (("known", "member"), ("other", "membre")):
        definitions = [{"name": role, "parentRoles": ["user"]}]
        folder.policy(f"{name}.json", derivedRoles={"name": name, "definitions": definitions})
    rule = {"actions": ["view"], "effect": "EFFECT_ALLOW", "derivedRoles": ["membre"]}
    policy = resource() | {"importDerivedRoles": [imported], "rules": [rule]}
    folder.policy("document.json", resourcePolicy=policy)
    folder.asks()
    assert folder.codes() == ([code] if code else [])


@pytest.mark.parametrize(
    ("kind", "action", "codes"),
    [
        ("document", "view", []),
        ("document", "veiw", ["unasked-action"]),
        ("document", "archive", []),
        ("docment", "view", ["unasked-kind"]),
        ("invoice", "view", []),
    ],
)
def test_what_looks_like_something_misspelled_that_routes_ask_about_is_noted(
    folder: Folder, kind: str, action: str, codes: list[str]
) -> None:
    folder.policy("document.json", resourcePolicy=resource())
    rules = [{"actions": [action], "effect": "EFFECT_ALLOW", "roles": ["user"]}]
    folder.policy("other.json", resourcePolicy=resource(rules=rules) | {"resource": kind})
    folder.asks()
    assert folder.codes() == codes


def test_what_no_policy_knows_is_told_of_the_route_alone(folder: Folder) -> None:
    rules = [{"actions": ["veiw"], "effect": "EFFECT_ALLOW", "roles": ["user"]}]
    folder.policy("document.json", resourcePolicy=resource(rules=rules))
    folder.asks()
    assert folder.codes() == ["unknown-action"]


def test_nothing_is_unasked_where_a_route_could_ask_about_anything(folder: Folder) -> None:
    folder.policy("document.json", resourcePolicy=resource())
    folder.policy("other.json", resourcePolicy=resource() | {"resource": "docment"})
    folder.asks(kind="${path.id}")
    assert folder.codes() == []
