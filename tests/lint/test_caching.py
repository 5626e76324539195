"""A route whose answers are kept is found where the time decides them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder

ROLES = {
    "name": "roles",
    "definitions": [
        {
            "name": "early",
            "parentRoles": ["user"],
            "condition": {"match": {"expr": "V.early"}},
        }
    ],
    "variables": {"local": {"early": "now().getHours() < 6"}},
}


def asks(folder: Folder, *, kind: str = "document", action: str = "view", cache: str) -> None:
    folder.write(
        "rules/one.yaml",
        f"""\
        version: 1
        routes:
          - id: one
            match: {{path: "/documents/{{id}}", methods: [GET]}}
            resource: {{kind: "{kind}", id: "${{path.id}}"}}
            action: "{action}"
            {cache}
        """,
    )


def policy(folder: Folder, expression: str = "true", rule: Any = None, **more: object) -> None:  # noqa: ANN401 - JSON
    written = {
        "actions": ["view"],
        "effect": "EFFECT_ALLOW",
        "roles": ["user"],
        "condition": {"match": {"expr": expression}},
    } | (rule or {})
    body = {"resource": "document", "version": "default", "rules": [written]} | more
    folder.policy("document.json", resourcePolicy=body)


CACHED = "cache: {ttl: 5s}"


@pytest.mark.parametrize(
    ("expression", "is_found"),
    [
        ("now() > timestamp(R.attr.since)", True),
        ("timestamp(R.attr.since).timeSince() > duration('1h')", True),
        ("R.attr.open || !(P.attr.days.exists(d, now().getDayOfWeek() == d))", True),
        ("V.early", True),
        ("V.twice", True),
        ("timestamp(R.attr.since) < timestamp(R.attr.until)", False),
        ("R.attr.now == P.attr.now", False),
        ("R.attr.text == 'now()'", False),
    ],
)
def test_a_condition_that_reads_the_clock_is_found(
    folder: Folder,
    expression: str,
    is_found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    variables = {"local": {"early": "now().getHours() < 6", "twice": "V.early && V.early"}}
    policy(folder, expression, variables=variables)
    asks(folder, cache=CACHED)
    assert ("cached-time" in folder.codes()) == is_found
    asks(folder, cache="")
    assert "cached-time" not in folder.codes()


def test_a_variable_that_the_rule_does_not_use_is_not_found(folder: Folder) -> None:
    policy(folder, variables={"local": {"early": "now().getHours() < 6"}})
    asks(folder, cache=CACHED)
    assert folder.codes() == []


def test_an_imported_variable_a_derived_role_and_an_output_are_followed(folder: Folder) -> None:
    folder.policy("roles.json", derivedRoles=ROLES)
    exported = {"name": "times", "definitions": {"late": "now().getHours() > 20"}}
    folder.policy("times.json", exportVariables=exported)
    asks(folder, cache=CACHED)
    policy(folder, rule={"roles": [], "derivedRoles": ["early"]}, importDerivedRoles=["roles"])
    assert "cached-time" in folder.codes()
    policy(folder, "V.late", variables={"import": ["times"]})
    assert "cached-time" in folder.codes()
    policy(folder, rule={"output": {"when": {"ruleActivated": "string(now())"}}})
    assert "cached-time" in folder.codes()


@pytest.mark.parametrize(
    ("kind", "action", "is_found"),
    [
        ("document", "view", True),
        ("document", "edit", False),
        ("folder", "view", False),
        ("document", "${request.method}", True),
        ("${path.id}", "view", True),
    ],
)
def test_only_rules_that_the_route_may_reach_count(
    folder: Folder,
    kind: str,
    action: str,
    is_found: bool,  # noqa: FBT001 - a column of the table
) -> None:
    policy(folder, "now().getHours() < 6")
    asks(folder, kind=kind, action=action, cache=CACHED)
    assert ("cached-time" in folder.codes()) == is_found


def test_it_is_told_at_the_routes_own_key_with_the_place_in_the_policy(folder: Folder) -> None:
    policy(folder, "now().getHours() < 6")
    asks(folder, cache=CACHED)
    (finding,) = [one for one in folder.lint() if one.code.value == "cached-time"]
    assert finding.place.source.endswith("rules/one.yaml")
    assert finding.place.line == 7
    assert "`now()`" in finding.message
    assert "document.json" in finding.message
