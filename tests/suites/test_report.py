"""What is said of a run: in the terminal, and to CI."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from authorizer.routing.compile import compile_rules
from authorizer.source.document import Place
from authorizer.source.yaml import load_yaml
from authorizer.suites.case import Case, Difference, Result, Status
from authorizer.suites.coverage import Coverage, measure
from authorizer.suites.identities import NOBODY
from authorizer.suites.junit import junit
from authorizer.suites.question import pose
from authorizer.suites.report import Progress, report

RULES = """
version: 1
routes:
  - {id: read, match: {path: /a, methods: [GET, HEAD]}, preflight: allow, effect: allow}
  - {id: write, match: {path: /a, methods: [POST]}, preflight: allow, effect: allow}
  - {id: rest, match: {path: "/{x...}", methods: ["*"]}, effect: deny}
  - {id: mapped, match: {path: /b, methods: [OPTIONS]}, preflight: allow, effect: allow}
  - {id: knock, match: {path: /b, methods: [GET]}, preflight: allow, effect: allow}
"""
TABLE = compile_rules([load_yaml(RULES, "rules.yaml")])


def result(
    status: Status = Status.PASSED,
    *differences: Difference,
    name: str = "A promise",
    file: str = "one.yaml",
    touched: tuple[str, str] | None = None,
) -> Result:
    case = Case(name, Place(file, 7, 5), pose(NOBODY, "GET", "/a"), {})
    return Result(case, status, differences, "why", touched, 0.25)


def text(*results: Result, coverage: Coverage | None = None) -> str:
    return "\n".join(report(results, coverage, 1.5))


def test_a_line_for_each_suite_has_a_character_for_each_case() -> None:
    progress = Progress()
    shown = [
        progress.after(each)
        for each in (
            result(),
            result(Status.FAILED),
            result(Status.UNDECIDED, file=str(Path.cwd() / "rules" / "tests" / "two.yaml")),
        )
    ]
    assert "".join(shown) == "one.yaml .F\nrules/tests/two.yaml u"


def test_a_failure_says_where_it_is_and_what_differs() -> None:
    failed = result(
        Status.FAILED,
        Difference("route", "item", None),
        Difference("checks", [{"action": "view"}], [{"action": "edit"}]),
    )
    assert text(failed).splitlines() == [
        "",
        "FAILED A promise",
        "one.yaml:7:5: GET http://localhost/a",
        "  route",
        "    expected  item",
        "    got       nothing",
        "  checks (- expected, + got)",
        "      [",
        "        {",
        '    -     "action": "view"',
        '    +     "action": "edit"',
        "        }",
        "      ]",
        "  detail    why",
        "",
        "1 failed in 1.50 s",
    ]


def test_the_last_line_counts_and_says_what_undecided_means() -> None:
    assert text(result(), result(), result(Status.FAILED)).endswith("2 passed, 1 failed in 1.50 s")
    undecided = "1 undecided in 1.50 s; undecided: a policy decides, and no PDP was asked"
    assert text(result(Status.UNDECIDED)).endswith(undecided)


def test_nothing_that_is_printed_can_play_with_the_terminal() -> None:
    name = "\x1b[2Jred"
    shown = text(result(Status.FAILED, Difference("route", "\x1b[2J", None), name=name))
    assert all(line.isprintable() for line in shown.splitlines())


def test_what_no_case_touches_is_listed_with_its_place() -> None:
    """HEAD that is mapped counts by itself, and a preflight once for the route that answers it.

    Where a route maps OPTIONS, no preflight is ever answered.
    """
    coverage = measure(TABLE, [result(touched=("read", "GET")), result(touched=("rest", "*"))])
    assert (coverage.routes, coverage.methods, coverage.touched) == (5, 7, 2)
    missed = [(route.id, methods) for route, methods in coverage.missed]
    assert missed == [("read", ("HEAD", "OPTIONS")), ("write", ("POST",)), ("mapped", ("OPTIONS",)),
                      ("knock", ("GET",))]  # fmt: skip
    assert text(result(), coverage=coverage).splitlines()[1:6] == [
        "coverage: 2 of 7 methods of 5 routes (29 %)",
        "  rules.yaml:4:10  read: no case touches HEAD, OPTIONS",
        "  rules.yaml:5:10  write: no case touches POST",
        "  rules.yaml:7:10  mapped: no case touches OPTIONS",
        "  rules.yaml:8:10  knock: no case touches GET",
    ]


@pytest.mark.parametrize("count", range(8))
def test_everything_is_covered_when_nothing_is_missed_and_only_then(count: int) -> None:
    entries = [("read", "GET"), ("read", "HEAD"), ("read", "OPTIONS"), ("write", "POST"),
               ("rest", "*"), ("mapped", "OPTIONS"), ("knock", "GET")]  # fmt: skip
    coverage = measure(TABLE, [result(Status.FAILED, touched=each) for each in entries[:count]])
    assert (coverage.percent == 100.0) is (count == len(entries)) is not bool(coverage.missed)


def test_without_a_route_there_is_nothing_to_miss() -> None:
    assert measure(compile_rules([]), []).percent == 100.0


def test_junit_has_a_suite_for_each_file_and_a_case_for_each_case() -> None:
    document = junit(
        [
            result(),
            result(Status.FAILED, Difference("route", "a", "b"), name="bad \x00 <name>"),
            result(Status.UNDECIDED, file="two.yaml"),
        ]
    )
    root = ET.fromstring(document)  # noqa: S314 - what we have just written
    totals = {"tests": "3", "failures": "1", "errors": "0", "skipped": "1", "time": "0.750"}
    assert (root.tag, root.attrib) == ("testsuites", totals)
    one, two = root
    assert (one.get("name"), one.get("tests"), one.get("failures")) == ("one.yaml", "2", "1")
    good, bad = one
    assert good.attrib == {
        "classname": "one.yaml",
        "name": "A promise",
        "file": "one.yaml",
        "line": "7",
        "time": "0.250",
    }
    assert list(good) == []
    assert bad.get("name") == "bad \\x00 <name>"
    (failure,) = bad
    assert (failure.tag, failure.get("message")) == ("failure", "not as expected: route")
    assert "one.yaml:7:5" in str(failure.text)
    (skipped,) = two[0]
    assert skipped.tag == "skipped"
    assert "no PDP was asked" in str(skipped.get("message"))
