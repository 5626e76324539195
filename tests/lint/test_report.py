"""Each form of a report carries everything, and nothing in a file can break it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding, sorted_once
from authorizer.lint.places import Sources
from authorizer.lint.report.machine import render_github, render_json
from authorizer.lint.report.text import render_text
from authorizer.source.document import Place

if TYPE_CHECKING:
    from pathlib import Path


def test_the_caret_stands_under_the_place(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text('首: {a: "b c", d: e}\n')
    name = str(file)
    text = render_text([Finding(Code.UNKNOWN_KIND, Place(name, 1, 8), "m", "h")], Sources())
    assert text.splitlines() == [
        "warning[unknown-kind]: m",
        f" --> {name}:1:8",
        "  |",
        '1 | 首: {a: "b c", d: e}',
        "  |         ^^^^^",
        "  = help: h",
        "",
        "1 warning",
    ]


def test_a_place_without_a_line_has_no_excerpt() -> None:
    text = render_text([Finding(Code.INVALID_RULES, Place("rules"), "no rule file")], Sources())
    assert text == "error[invalid-rules]: no rule file\n --> rules\n\n1 error\n"


def test_a_long_line_is_cut_around_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text("x" * 500 + " here " + "y" * 500)
    text = render_text([Finding(Code.UNKNOWN_KIND, Place(str(file), 1, 502), "m")], Sources())
    line, carets = text.splitlines()[3:5]
    assert len(line) < 130
    assert line[carets.index("^") : carets.rindex("^") + 1] == "here"


def test_findings_are_sorted_and_told_once() -> None:
    one = Finding(Code.UNKNOWN_KIND, Place("a", 2, 1), "m")
    two = Finding(Code.UNKNOWN_KIND, Place("a", 10, 1), "m")
    assert sorted_once([two, one, two]) == (one, two)


def test_json_says_all_of_it() -> None:
    finding = Finding(Code.UNKNOWN_KIND, Place("a", 2, 3), "m", "h")
    assert json.loads(render_json([finding])) == {
        "version": 1,
        "findings": [
            {
                "code": "unknown-kind",
                "severity": "warning",
                "file": "a",
                "line": 2,
                "column": 3,
                "message": "m",
                "help": "h",
            }
        ],
    }


def test_github_annotations_are_escaped() -> None:
    finding = Finding(Code.UPSTREAM_PATH, Place("a,b:c%", 2, 3), "50%\nmore", "x:y,z")
    assert render_github([finding]) == (
        "::notice file=a%2Cb%3Ac%25,line=2,col=3,title=upstream-path::50%25%0Amore%0Ahelp: x:y,z\n"
    )


@given(st.text(max_size=20), st.text(max_size=20))
def test_no_text_can_write_a_command_of_its_own(source: str, message: str) -> None:
    finding = Finding(Code.UNKNOWN_KIND, Place(source, 1, 1), message)
    written = render_github([finding])
    assert written.count("\n") == 1
    assert "\r" not in written
    assert written.startswith("::warning file=")


@given(st.text(max_size=60), st.integers(1, 70))
def test_no_file_can_move_the_cursor(line: str, column: int) -> None:
    sources = Sources()
    sources._lines["a"] = [line]
    text = render_text([Finding(Code.UNKNOWN_KIND, Place("a", 1, column), line)], sources)
    assert all(character.isprintable() or character == "\n" for character in text)
    assert len(text.splitlines()) == len(text.split("\n")) - 1
