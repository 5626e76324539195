"""What Cerbos refuses in an expression is shown where it stands, with what was meant."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from authorizer.lint.conditions import Scope
from authorizer.lint.refusals import refusals

if TYPE_CHECKING:
    from lintfolder import Folder

POLICY = """\
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: document
  version: default
  variables: {{local: {{same_org: "true"}}}}
  rules:
    - actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: {}
"""
FORMS = [
    "true && {}",
    "'true && {}'",
    "true &&\n            {}",
    ">-\n            true &&\n\n            {}",
    "|\n            true &&\n              {}",
]
# An expression, what is faulty in it, and what is said to do.
FAULTS = [
    ('P.role == "x"', "P.role", "did you mean `P.roles`?"),
    ("P.traits.x == 1", "P.traits", "write `P.attr.x`"),
    ("principal.attr.x == 1", "principal", "did you mean `P`?"),
    ("p.attr.x == 1", "p.attr", "did you mean `P`?"),
    ("R.owner == P.id", "R.owner", "write `R.attr.owner`"),
    ("same_org", "same_org", "did you mean `V.same_org`?"),
    ('P.attr.x.endswith("a")', "endswith", "did you mean `endsWith`?"),
    ("Has(P.attr.x)", "Has", "did you mean `has`?"),
    ("runtime.derivedRoles == []", "runtime", "`runtime.effectiveDerivedRoles`"),
    ('P.roles == "a"', '== "a"', "write `… in …`"),
    ('P.attr.x in "acme"', "in ", "`in` takes a list"),
    ('P.attr.x == "P.role" || P.role == "a"', 'P.role == "a"', "did you mean `P.roles`?"),
]


def program() -> Path:
    own = Path(__file__).parents[2] / ".tools" / "bin" / "cerbos"
    found = str(own) if own.exists() else shutil.which("cerbos")
    assert found is not None, "run `make setup`: cerbos is not installed"
    return Path(found)


@pytest.mark.integration
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("expression", "fault", "hint"), FAULTS)
def test_what_the_program_refuses_is_shown_at_the_faulty_name(
    folder: Folder, form: str, expression: str, fault: str, hint: str
) -> None:
    text = POLICY.format(form.format(expression))
    folder.write("policies/one.yaml", text)
    folder.route("/a")
    [finding] = folder.lint(cerbos=program())
    assert finding.code == "invalid-policy"
    shown = text.splitlines()[finding.place.line - 1][finding.place.column - 1 :]
    assert shown.startswith(fault)
    assert hint in finding.help


@pytest.mark.integration
@pytest.mark.parametrize("form", ["P.idd == '1'", ">-\n      P.idd\n      == '1'"])
def test_what_is_refused_in_a_variable_is_shown_there(folder: Folder, form: str) -> None:
    text = POLICY.format("V.same_org").replace(
        '{local: {same_org: "true"}}', f"\n   local:\n    same_org: {form}"
    )
    folder.write("policies/one.yaml", text)
    folder.route("/a")
    [finding] = folder.lint(cerbos=program())
    shown = text.splitlines()[finding.place.line - 1][finding.place.column - 1 :]
    assert shown.startswith("P.idd")
    assert finding.help == "did you mean `P.id`?"


@pytest.mark.integration
def test_what_was_found_in_an_expression_already_is_not_told_again(folder: Folder) -> None:
    folder.write("policies/one.yaml", POLICY.format(">-\n            true &&\n            V.nope"))
    folder.route("/a")
    [finding] = folder.lint(cerbos=program())
    assert (finding.code, finding.place.line) == ("unknown-variable", 14)


def test_each_reason_in_a_message_is_told_once() -> None:
    message = (
        "Invalid expression `P.role == t || t`: [undefined field 'role', "
        "undeclared reference to 't' (in container ''), "
        "undeclared reference to 't' (in container '')]"
    )
    assert [found[0] for found in refusals(message, "P.role == t || t", Scope())] == [0, 10]


def test_a_message_about_something_else_is_left_alone() -> None:
    assert list(refusals("Undefined variable 'x'", "V.x", Scope())) == []
