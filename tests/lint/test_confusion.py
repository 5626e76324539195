"""Two policies whose conditions a PDP takes for each other are found, and only those."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder

FIRST, SECOND = "R.attr.a == 1", "R.attr.b == 2"


def resource(
    kind: str, operator: str, *texts: str, action: str = "view", effect: str = "EFFECT_ALLOW"
) -> dict[str, object]:
    parts = [{"expr": text} for text in texts or (FIRST, SECOND)]
    condition = {"match": {operator: {"of": parts}}}
    rule = {"actions": [action], "effect": effect, "roles": ["user"], "condition": condition}
    return {"resource": kind, "version": "default", "rules": [rule]}


# The second policy, beside one that wants `all`; whether the two are confused.
SECONDS = [
    (resource("document", "any"), True),
    (resource("document", "none"), True),
    (resource("document", "all"), False),
    (resource("document", "any", SECOND, FIRST), False),
    (resource("document", "any", action="edit"), False),
    (resource("document", "any", effect="EFFECT_DENY"), False),
]


@pytest.mark.parametrize(("policy", "is_confused"), SECONDS)
def test_another_operator_over_the_same_expressions_is_found(
    folder: Folder, policy: dict[str, object], *, is_confused: bool
) -> None:
    folder.policy("a.json", resourcePolicy=resource("report", "all"))
    folder.policy("b.json", resourcePolicy=policy)
    folder.route("/a")
    found = folder.lint()
    assert [finding.code.value for finding in found] == ["confused-conditions"] * is_confused
    for finding in found:
        assert str(folder.path / "policies" / "a.json:") in finding.message
        assert finding.place.source.endswith("b.json")


def test_derived_roles_are_confused_too(folder: Folder) -> None:
    for kind, operator in (("report", "all"), ("document", "any")):
        match = {operator: {"of": [{"expr": FIRST}, {"expr": SECOND}]}}
        role = {"name": f"{kind}er", "parentRoles": ["user"], "condition": {"match": match}}
        folder.policy(f"{kind}er.json", derivedRoles={"name": kind, "definitions": [role]})
        rule = {"actions": ["view"], "effect": "EFFECT_ALLOW", "derivedRoles": [f"{kind}er"]}
        policy = {"resource": kind, "version": "default", "importDerivedRoles": [kind]}
        folder.policy(f"{kind}.json", resourcePolicy={**policy, "rules": [rule]})
    folder.route("/a")
    assert folder.codes() == ["confused-conditions"]


def test_one_policy_by_itself_is_never_confused(folder: Folder) -> None:
    policy = resource("document", "all")
    policy["rules"] = [*policy["rules"], *resource("document", "any")["rules"]]  # type: ignore[misc] # lists
    folder.policy("a.json", resourcePolicy=policy)
    folder.route("/a")
    assert folder.codes() == []


@pytest.mark.integration
@pytest.mark.parametrize(("policy", "is_confused"), SECONDS[:1] + SECONDS[3:5])
def test_a_pdp_confuses_what_lint_says(
    tmp_path: Path, policy: dict[str, object], *, is_confused: bool
) -> None:
    """Where this fails for a newer Cerbos, the check is to go."""
    own = Path(__file__).parents[2] / ".tools" / "bin" / "cerbos"
    cerbos = str(own) if own.exists() else shutil.which("cerbos")
    assert cerbos is not None, "run `make setup`: cerbos is not installed"
    for name, content in (("a", resource("report", "all")), ("b", policy)):
        file = {"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": content}
        (tmp_path / f"{name}.json").write_text(json.dumps(file))
    action = policy["rules"][0]["actions"][0]  # type: ignore[index] # a mapping
    suite = {
        "name": "confusion",
        "principals": {"ada": {"id": "ada", "roles": ["user"]}},
        # One expression is true: `any` allows, `all` denies.
        "resources": {
            kind: {"kind": kind, "id": "1", "attr": {"a": 1, "b": 3}}
            for kind in ("report", "document")
        },
        "tests": [
            {
                "name": kind,
                "input": {"principals": ["ada"], "resources": [kind], "actions": [asked]},
                "expected": [{"principal": "ada", "resource": kind, "actions": {asked: effect}}],
            }
            for kind, asked, effect in (
                ("report", "view", "EFFECT_DENY"),
                ("document", action, "EFFECT_ALLOW"),
            )
        ],
    }
    (tmp_path / "confusion_test.json").write_text(json.dumps(suite))
    done = subprocess.run(
        [cerbos, "compile", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode != 0) is is_confused, done.stdout + done.stderr
