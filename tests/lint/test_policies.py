"""What a set of Cerbos policies knows is what a PDP on the same files would know."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder


def resource(kind: str, *actions: str, **more: object) -> dict[str, object]:
    rules = [{"actions": list(actions), "effect": "EFFECT_ALLOW", "roles": ["user"]}]
    return {"resource": kind, "version": "default", "rules": rules} | more


def principal(name: str, *rules: dict[str, object]) -> dict[str, object]:
    return {"principal": name, "version": "default", "rules": list(rules)}


def about(kind: str, action: str) -> dict[str, object]:
    return {"resource": kind, "actions": [{"action": action, "effect": "EFFECT_ALLOW"}]}


# An action in a policy, an action in a question, whether the one is about the other.
WILDCARDS = [
    ("view", "view", True),
    ("view", "views", False),
    ("*", "view:public", True),
    ("view:*", "view:public", True),
    ("view:*", "view", False),
    ("view:*", "view:public:all", False),
    ("view:*:all", "view:public:all", True),
    ("view:**", "view:public:all", True),
    ("v*", "view:public", False),
    ("*w", "view", True),
    ("view:{own,public}", "view:own", False),
    ("view:{own,public}:*", "view:own:a", True),
    ("view:{own,public}:*", "view:other:a", False),
    ("view:?", "view:a", False),
    ("view:?:*", "view:a:b", True),
    ("view:[ab]:*", "view:b:c", True),
    ("view:[!ab]:*", "view:b:c", False),
    ("a.b", "axb", False),
]


@pytest.mark.parametrize(("glob", "action", "is_known"), WILDCARDS)
def test_a_wildcard_in_an_action_stops_at_a_colon(
    folder: Folder, glob: str, action: str, *, is_known: bool
) -> None:
    folder.policy("document.json", resourcePolicy=resource("document", glob))
    folder.asks(action=action)
    assert folder.codes() == ([] if is_known else ["unknown-action"])


@pytest.mark.integration
def test_a_real_pdp_says_the_same_of_wildcards(folder: Folder) -> None:
    own = Path(__file__).parents[2] / ".tools" / "bin" / "cerbos"
    cerbos = str(own) if own.exists() else shutil.which("cerbos")
    assert cerbos is not None, "run `make setup`: cerbos is not installed"
    tests, resources = [], {}
    for number, (glob, action, is_known) in enumerate(WILDCARDS):
        kind = f"kind{number}"
        folder.policy(f"{kind}.json", resourcePolicy=resource(kind, glob))
        resources[kind] = {"kind": kind, "id": "1"}
        effect = "EFFECT_ALLOW" if is_known else "EFFECT_DENY"
        expected = {"principal": "ada", "resource": kind, "actions": {action: effect}}
        asked = {"principals": ["ada"], "resources": [kind], "actions": [action]}
        tests.append({"name": f"{glob} {action}", "input": asked, "expected": [expected]})
    principals = {"ada": {"id": "ada", "roles": ["user"]}}
    suite = {"name": "globs", "principals": principals, "resources": resources, "tests": tests}
    folder.write("policies/globs_test.json", json.dumps(suite))
    done = subprocess.run(
        [cerbos, "compile", "--output=json", str(folder.path / "policies")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["summary"]["testsCount"] == len(WILDCARDS)


def test_a_disabled_policy_knows_nothing(folder: Folder) -> None:
    folder.policy("document.json", resourcePolicy=resource("document", "view"), disabled=True)
    folder.asks()
    assert folder.codes() == ["unknown-kind"]


@pytest.mark.parametrize("name", ["a_test.json", "_schemas/a.json", "testdata/a.json", ".a.json"])
def test_tests_and_schemas_are_no_policies(folder: Folder, name: str) -> None:
    folder.policy("other.json", resourcePolicy=resource("other", "view"))
    folder.policy(name, resourcePolicy=resource("document", "view"))
    folder.asks()
    assert folder.codes() == ["unknown-kind"]


def test_policies_are_found_in_folders_and_in_each_format(folder: Folder) -> None:
    folder.write(
        "policies/deep/er/document.yml",
        """\
        ---
        apiVersion: api.cerbos.dev/v1
        resourcePolicy:
          resource: document
          version: default
          rules: [{actions: [view], effect: EFFECT_ALLOW, roles: [user]}]
        """,
    )
    folder.asks()
    assert folder.codes() == []


def test_principal_policies_know_what_they_name_and_role_policies_only_narrow(
    folder: Folder,
) -> None:
    folder.policy(
        "role.json",
        rolePolicy={"role": "user", "rules": [{"resource": "note", "allowActions": ["view"]}]},
    )
    rules = [about(kind, "edit") for kind in ("memo", "m*o")]
    folder.policy("ada.json", principalPolicy=principal("ada", *rules))
    for kind, action, codes in [
        ("note", "view", ["unknown-kind"]),
        ("memo", "edit", []),
        ("m:o", "edit", []),
        ("memo", "view", ["unknown-action"]),
        ("other", "view", ["unknown-kind"]),
    ]:
        folder.asks(kind, action)
        assert folder.codes() == codes


def test_everything_of_everything_knows_nothing_by_name(folder: Folder) -> None:
    folder.policy("root.json", principalPolicy=principal("root", about("*", "*")))
    folder.policy("document.json", resourcePolicy=resource("document", "view"))
    folder.asks("document", "veiw")
    assert folder.codes() == ["unknown-action"]
    folder.asks("documnet")
    assert folder.codes() == ["unknown-kind"]


def test_a_scope_sees_the_actions_of_the_scopes_above_it_and_no_others(folder: Folder) -> None:
    folder.policy("root.json", resourcePolicy=resource("document", "view"))
    folder.policy("acme.json", resourcePolicy=resource("document", "edit", scope="acme"))
    folder.policy("north.json", resourcePolicy=resource("document", "move", scope="acme.north"))
    for scope, action, codes in [
        ("acme", "view", []),
        ("acme", "edit", []),
        ("acme", "move", ["unknown-action"]),
        ("acme.north", "edit", []),
        ("acme.south", "view", ["unknown-scope"]),
    ]:
        folder.asks(action=action, scope=scope)
        assert folder.codes() == codes, (scope, action)
    # A scope that a request decides may be any of them.
    folder.asks(action="move", scope='"${path.id}"')
    assert folder.codes() == []


def test_a_scope_without_a_policy_is_known_where_the_pdp_looks_above_it(folder: Folder) -> None:
    folder.policy("root.json", resourcePolicy=resource("document", "view"))
    folder.policy("north.json", resourcePolicy=resource("report", "edit", scope="acme.north"))
    folder.write(
        "authorizer.yaml",
        "pdp: {embedded: {policies: policies, lenient_scope_search: true}}\n",
    )
    for kind, scope, action, codes in [
        ("document", "acme", "view", []),
        ("document", "acme", "edit", ["unknown-action"]),
        ("report", "acme.north.one", "edit", []),
        ("report", "acme", "edit", ["unknown-scope"]),
    ]:
        folder.asks(kind, action, scope=scope)
        assert folder.codes() == codes, (kind, scope, action)


def test_a_version_must_be_there(folder: Folder) -> None:
    folder.policy("document.json", resourcePolicy=resource("document", "view", version="v2"))
    folder.asks(policy_version="v2")
    assert folder.codes() == []
    folder.asks(policy_version="v3")
    assert folder.codes() == ["unknown-policy-version"]
    folder.asks()
    [finding] = folder.lint()
    assert "`default`" in finding.message
    assert "`v2`" in finding.help


def test_derived_roles_that_are_there_are_no_finding(folder: Folder) -> None:
    folder.policy(
        "document.json",
        resourcePolicy=resource("document", "view", importDerivedRoles=["owners", "gone"]),
    )
    definitions = [{"name": "owner", "parentRoles": ["user"]}]
    folder.policy("owners.json", derivedRoles={"name": "owners", "definitions": definitions})
    folder.asks()
    [finding] = folder.lint()
    assert (finding.code, "`gone`" in finding.message) == ("unknown-derived-roles", True)


def test_what_a_request_decides_is_left_to_the_request(folder: Folder) -> None:
    folder.policy("document.json", resourcePolicy=resource("document", "view"))
    folder.asks("${path.id}", "anything")
    assert folder.codes() == []
    folder.asks("document", "${request.method}")
    assert folder.codes() == []


def test_a_hint_names_what_was_probably_meant_and_the_place_is_the_word(folder: Folder) -> None:
    folder.policy("document.json", resourcePolicy=resource("document", "view"))
    folder.asks(action="veiw")
    [finding] = folder.lint()
    assert finding.help == "did you mean `view`?"
    assert (finding.place.line, finding.place.column) == (6, 13)
