"""A policy that a PDP would refuse is found in the files, with or without the program."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from authorizer.cli.main import main
from authorizer.errors import ConfigError, Problem
from authorizer.pdp import binary

if TYPE_CHECKING:
    from lintfolder import Folder

POLICY = """\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: document
  version: default
  rules:
    - actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
"""
DERIVED = """\
apiVersion: api.cerbos.dev/v1
derivedRoles:
  name: owners
  definitions:
    - name: owner
      parentRoles: [user]
"""
ROLE = """\
apiVersion: api.cerbos.dev/v1
rolePolicy:
  role: user
  rules:
    - resource: document
      allowActions: [view]
"""
PRINCIPAL = """\
apiVersion: api.cerbos.dev/v1
principalPolicy:
  principal: ada
  version: default
  rules:
    - resource: document
      actions: [{action: view, effect: EFFECT_ALLOW}]
"""
CONDITION = "condition: {match: {all: {of: [{expr: R.attr.open}]}}}\n      roles: [user]"
# A policy, a part of it, what stands there instead, what is said of it, its line and the hint.
SLIPS = [
    (POLICY, "EFFECT_ALLOW", "EFFECT_ALOW", "expected EFFECT_", 7, "`EFFECT_ALLOW`"),
    (POLICY, "actions", "acitons", "unknown key `acitons`", 6, "`actions`"),
    (POLICY, "apiVersion", "apiVerison", "unknown key `apiVerison`", 1, "`apiVersion`"),
    (POLICY, "cerbos.dev/v1", "cerbos.dev/v2", "expected `api.cerbos.dev/v1`", 1, ""),
    (POLICY, "resourcePolicy", "resourcePolcy", "unknown key `res", 2, "`resourcePolicy`"),
    (POLICY, "  version: default\n", "", "`version` is missing", 2, ""),
    (POLICY, "      effect: EFFECT_ALLOW\n", "", "`effect` is missing", 6, ""),
    (POLICY, "[user]", "user", "expected a list, found a string", 8, ""),
    (POLICY, "[view]", "[]", "expected at least 1 item", 6, ""),
    (POLICY, "document", '""', "expected a text", 3, ""),
    (POLICY, "  rules:", "  variables:\n  rules:", "expected a mapping, found nothing", 5, ""),
    (POLICY, "  rules:", "  scopePermissions: ANY\n  rules:", "expected SCOPE_", 5, ""),
    (POLICY, "  rules:", "  variables: {lcal: {}}\n  rules:", "unknown key `lcal`", 5, "`local`"),
    (POLICY, "roles: [user]", CONDITION.replace("expr", "exrp"), "unknown key `exrp`", 8, "`expr`"),
    (POLICY, "roles: [user]", CONDITION.replace("of:", "off:"), "unknown key `off`", 8, "`of`"),
    (POLICY, "roles: [user]", "condition: {match: {}}\n      roles: [user]", "one of `all`", 8, ""),
    (DERIVED, "parentRoles", "parentRole", "unknown key `parentRole`", 6, "`parentRoles`"),
    (DERIVED, "      parentRoles: [user]\n", "", "`parentRoles` is missing", 5, ""),
    (ROLE, "allowActions", "allowAction", "unknown key `allowAction`", 6, "`allowActions`"),
    (PRINCIPAL, "EFFECT_ALLOW", "ALLOW", "expected EFFECT_ALLOW or EFFECT_DENY", 7, ""),
]
# What Cerbos reads, though nobody writes it.
ODD = [
    (POLICY, "  version: default", "  version: 1"),
    (POLICY, "  rules:", "  import_derived_roles: []\n  rules:"),
    (POLICY, "EFFECT_ALLOW", "1"),
    (POLICY, "  rules:", "  schemas: {}\n  rules:"),
    (POLICY, "  rules:", "  variables: {local: {a: 1}}\n  rules:"),
    (POLICY, "  rules:", "  constants: {local: {a: [1, {b: null}]}}\n  rules:"),
    (POLICY, "apiVersion", "$schema: https://example.com\napiVersion"),
    (POLICY, "apiVersion", "metadata: {annotations: {team: 1}, hash: 2}\napiVersion"),
    (DERIVED, "parentRoles", "parent_roles"),
    (ROLE, "allowActions", "allow_actions"),
]


def program() -> Path:
    own = Path(__file__).parents[2] / ".tools" / "bin" / "cerbos"
    found = str(own) if own.exists() else shutil.which("cerbos")
    assert found is not None, "run `make setup`: cerbos is not installed"
    return Path(found)


def missing(_: str | None) -> Path:
    raise ConfigError([Problem("pdp.embedded.cerbos", 0, 0, "it is not here")])


def written(folder: Folder, text: str) -> None:
    folder.write("policies/one.yaml", text)
    folder.route("/a")


@pytest.mark.parametrize(("text", "part", "slip", "message", "line", "hint"), SLIPS)
def test_a_slip_is_found_at_its_line_with_what_was_meant(  # noqa: PLR0913, PLR0917 - a table's columns
    folder: Folder, text: str, part: str, slip: str, message: str, line: int, hint: str
) -> None:
    assert part in text
    written(folder, text.replace(part, slip))
    [finding] = folder.lint()
    assert (finding.code, finding.severity) == ("invalid-policy", "error")
    assert finding.message.startswith(message)
    assert (finding.place.line, hint in finding.help) == (line, True)


@pytest.mark.integration
@pytest.mark.parametrize(("text", "part", "slip"), [slip[:3] for slip in SLIPS])
def test_the_program_refuses_what_is_found_and_adds_nothing_to_it(
    folder: Folder, text: str, part: str, slip: str
) -> None:
    written(folder, text.replace(part, slip))
    assert folder.lint(cerbos=program()) == folder.lint()
    policies = folder.path / "policies"
    done = subprocess.run([program(), "compile", policies], capture_output=True, check=False)
    assert done.returncode != 0


@pytest.mark.integration
@pytest.mark.parametrize(("text", "part", "other"), ODD)
def test_what_cerbos_reads_is_no_finding(folder: Folder, text: str, part: str, other: str) -> None:
    assert part in text
    written(folder, text.replace(part, other))
    assert folder.lint(cerbos=program()) == ()


@pytest.mark.integration
@pytest.mark.parametrize(
    ("part", "slip", "line"),
    [
        ("version: default", 'version: "1-0"', 4),  # a name's pattern
        ("      roles: [user]\n", "", 6),  # for nobody
        ("[view]", "[view, view]", 6),
        ("  rules:", "  schemas: {resourceSchema: {ref: cerbos:///x.json}}\n  rules:", 5),
    ],
)
def test_the_program_tells_the_rest(folder: Folder, part: str, slip: str, line: int) -> None:
    written(folder, POLICY.replace(part, slip))
    assert folder.lint() == ()
    [finding] = folder.lint(cerbos=program())
    assert (finding.code, finding.place.line) == ("invalid-policy", line)


@pytest.mark.integration
def test_what_has_a_name_of_its_own_is_not_told_again(folder: Folder) -> None:
    text = POLICY.replace("roles: [user]", "derivedRoles: [owner]")
    written(folder, text)
    assert [finding.code.value for finding in folder.lint(cerbos=program())] == [
        "unknown-derived-roles"
    ]


def test_a_policy_that_is_refused_is_compared_with_nothing(folder: Folder) -> None:
    folder.write("policies/one.yaml", POLICY.replace("actions", "acitons"))
    folder.asks("document", "view")
    assert folder.codes() == ["invalid-policy"]


def test_a_program_that_is_named_and_not_there_is_an_error(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.path)
    written(folder, POLICY)
    assert main(["lint", "--policies", "policies", "--cerbos", "./gone"]) == 2
    assert "./gone is not an executable file" in capsys.readouterr().err


def test_without_a_program_it_is_noted_that_nothing_was_compiled(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.path)
    monkeypatch.setattr(binary, "find_cerbos", missing)
    written(folder, POLICY)
    assert main(["lint", "--policies", "policies"]) == 0
    assert "note: the policies were not compiled: it is not here\n" in capsys.readouterr().err
