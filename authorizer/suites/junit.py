"""What was found, as JUnit XML: what CI systems read."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from authorizer.instrumentation.safe_text import printable
from authorizer.source.names import short_name
from authorizer.suites.case import Status
from authorizer.suites.report import describe_failure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.suites.case import Result


def junit(results: Sequence[Result]) -> bytes:
    """Return an XML document with a `testsuite` for each file; undecided cases are `skipped`."""
    root = ET.Element("testsuites", _counts(results))
    for source, group in groupby(results, key=lambda result: result.case.place.source):
        members = list(group)
        suite = ET.SubElement(root, "testsuite", {"name": short_name(source), **_counts(members)})
        for result in members:
            _case(suite, result)
    ET.indent(root)
    return bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)) + b"\n"


def _counts(results: Sequence[Result]) -> dict[str, str]:
    statuses = [result.status for result in results]
    return {
        "tests": str(len(results)),
        "failures": str(statuses.count(Status.FAILED)),
        "errors": "0",
        "skipped": str(statuses.count(Status.UNDECIDED)),
        "time": _seconds(sum(result.seconds for result in results)),
    }


def _case(suite: ET.Element, result: Result) -> None:
    case = result.case
    file = short_name(case.place.source)
    element = ET.SubElement(
        suite,
        "testcase",
        classname=file,
        # XML cannot say every character, and a URL may hold any.
        name=printable(case.name),
        file=file,
        line=str(case.place.line),
        time=_seconds(result.seconds),
    )
    match result.status:
        case Status.FAILED:
            keys = ", ".join(difference.key for difference in result.differences)
            message = f"not as expected: {keys}"
            failure = ET.SubElement(element, "failure", message=message, type="expectation")
            failure.text = "\n".join(map(printable, describe_failure(result)))
        case Status.UNDECIDED:
            message = "a policy decides, and no PDP was asked"
            ET.SubElement(element, "skipped", message=message)
        case Status.PASSED:
            pass


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
