"""docs/lint.md shows what lint says, and explains everything that it can say."""

from __future__ import annotations

import json
import re

import pytest
from linttranscripts import PAGE, SETS, refreshed, run

from authorizer.lint.codes import Code, Severity


def test_the_page_shows_what_the_command_says() -> None:
    page = PAGE.read_text("utf-8")
    assert refreshed(page) == page, "run `python tests/linttranscripts.py`"


def test_the_bad_sets_have_every_kind_of_finding() -> None:
    outputs = [run(name, "--format", "json")[1] for name in SETS]
    found = {finding["code"] for output in outputs for finding in json.loads(output)["findings"]}
    assert found == set(Code)


def test_every_code_has_its_section_and_every_section_its_code() -> None:
    sections = re.findall(r"^#### `(.*)`$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(Code)
    assert len(set(sections)) == len(sections)


def test_each_finding_in_the_bad_sets_has_a_place_with_a_line() -> None:
    for name in SETS:
        for finding in json.loads(run(name, "--format", "json")[1])["findings"]:
            assert finding["line"] > 0, finding
            assert finding["column"] > 0, finding


@pytest.mark.parametrize("name", SETS)
def test_the_same_files_give_the_same_output(name: str) -> None:
    assert run(name) == run(name)


def test_what_serve_refuses_fails_always_and_warnings_only_when_strict() -> None:
    assert run("refused")[0] == 1
    assert run("uncompiled")[0] == 1
    assert run("chain")[0] == 0
    assert run("chain", "--strict")[0] == 1


def test_only_what_serve_or_nobody_can_read_is_an_error() -> None:
    errors = {code for code in Code if code.severity is Severity.ERROR}
    assert errors == {
        Code.INVALID_CONFIG,
        Code.INVALID_RULES,
        Code.UNREADABLE_FILE,
        Code.INVALID_POLICY,
        Code.INVALID_CONDITION,
        Code.UNKNOWN_DERIVED_ROLES,
        Code.UNKNOWN_VARIABLE,
    }
