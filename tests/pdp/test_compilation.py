"""What `cerbos compile` says of a set of policies."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from authorizer.errors import Problem
from authorizer.pdp.compilation import compile_policies, read_problems

ROOT = Path("/policies")


def test_a_compile_error_has_its_file_line_and_column() -> None:
    error = {
        "file": "a.yaml",
        "error": "invalid expression",
        "description": "Invalid expression `x`: undeclared reference",
        "position": {"line": 12, "column": 11, "path": "$.resourcePolicy"},
    }
    output = json.dumps({"compileErrors": {"errors": [error]}})
    assert list(read_problems(output, ROOT)) == [
        Problem("/policies/a.yaml", 12, 11, "Invalid expression `x`: undeclared reference")
    ]


def test_a_file_that_cannot_be_read_has_its_place() -> None:
    failure = {
        "file": "bad.yaml",
        "error": "sequence end token ']' not found",
        "error_details": {"position": {"line": 1, "column": 6}},
    }
    output = json.dumps({"lintErrors": {"load_failures": [failure]}})
    assert list(read_problems(output, ROOT)) == [
        Problem("/policies/bad.yaml", 1, 6, "sequence end token ']' not found")
    ]


def test_other_kinds_are_told_by_their_name_and_what_is_switched_off_is_no_problem() -> None:
    report = {
        "lintErrors": {
            "disabled_defs": [{"file": "off.yaml"}],
            "missing_scopes": ["resource.document.vdefault/acme"],
            "duplicate_defs": [{"file": "b.yaml", "other_file": "a.yaml", "policy": "document"}],
            "missing_imports": [{"importing_file": "c.yaml", "desc": "roles 'x' not found"}],
        }
    }
    assert [str(problem) for problem in read_problems(json.dumps(report), ROOT)] == [
        "/policies/b.yaml: duplicate defs: file b.yaml, other_file a.yaml, policy document",
        "/policies/c.yaml: roles 'x' not found",
    ]


def test_what_is_not_json_holds_no_problems() -> None:
    assert list(read_problems("cerbos: error: no such directory", ROOT)) == []


@pytest.mark.integration
async def test_the_real_program_finds_what_is_wrong(cerbos: Path, policies: Path) -> None:
    assert await compile_policies(cerbos, policies, environment={}) == ()
    (policies / "a.yaml").write_text("bad: [\n")
    (problem,) = await compile_policies(cerbos, policies, environment={})
    assert (problem.source, problem.line) == (str(policies / "a.yaml"), 1)
    document = (policies / "document.yaml").read_text()
    (policies / "a.yaml").write_text(document)
    (problem,) = await compile_policies(cerbos, policies, environment={})
    assert "duplicate" in problem.message
    (policies / "a.yaml").unlink()
    (policies / "document.yaml").write_text(document.replace("R.attr.organization", "nope()"))
    (problem,) = await compile_policies(cerbos, policies, environment={})
    assert "nope" in problem.message
    assert problem.line == 13
    (problem,) = await compile_policies(cerbos, policies / "gone", environment={})
    assert "no such file" in problem.message
