"""What was found, for a terminal: dots, differences, coverage, a last line."""

from __future__ import annotations

import difflib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from authorizer.instrumentation.safe_text import printable
from authorizer.source.names import short_name, short_place
from authorizer.suites.case import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from authorizer.suites.case import Difference, Result
    from authorizer.suites.coverage import Coverage

_MARKS: Final = {Status.PASSED: ".", Status.FAILED: "F", Status.UNDECIDED: "u"}


class Progress:
    """A line for each suite, a character for each case."""

    def __init__(self) -> None:
        self._file = ""

    def after(self, result: Result) -> str:
        """Return what to write when a case is done."""
        file = result.case.place.source
        begin = "" if file == self._file else ("\n" if self._file else "") + short_name(file) + " "
        self._file = file
        return begin + _MARKS[result.status]


def report(results: Sequence[Result], coverage: Coverage | None, seconds: float) -> Iterator[str]:
    """Yield the lines that follow the dots; `coverage` is None where it was not measured."""
    for result in results:
        if result.status is Status.FAILED:
            yield ""
            yield from map(printable, describe_failure(result))
    if coverage is not None:
        yield ""
        yield from _describe_coverage(coverage)
    yield ""
    yield _summary(results, seconds)


def describe_failure(result: Result) -> Iterator[str]:
    """Yield what is not as expected in a case, with its place."""
    case = result.case
    yield f"FAILED {case.name}"
    yield f"{short_place(case.place)}: {case.request.method} {case.request.url}"
    for difference in result.differences:
        yield from _describe_difference(difference)
    if result.detail:
        yield f"  detail    {result.detail}"


def _describe_difference(difference: Difference) -> Iterator[str]:
    if not isinstance(difference.expected, (list, dict)):
        yield f"  {difference.key}"
        yield f"    expected  {_shown(difference.expected)}"
        yield f"    got       {_shown(difference.got)}"
        return
    yield f"  {difference.key} (- expected, + got)"
    expected, got = _pretty(difference.expected), _pretty(difference.got)
    for line in difflib.ndiff(expected, got):
        if not line.startswith("?"):
            yield f"    {line}"


def _shown(value: object) -> str:
    return "nothing" if value is None else str(value)


def _pretty(value: Any) -> list[str]:  # noqa: ANN401 - whatever JSON can say
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True).splitlines()


def _describe_coverage(coverage: Coverage) -> Iterator[str]:
    yield (
        f"coverage: {coverage.touched} of {coverage.methods} methods of {coverage.routes} routes"
        f" ({coverage.percent:.0f} %)"
    )
    for route, methods in coverage.missed:
        yield f"  {short_place(route.place)}  {route.id}: no case touches {', '.join(methods)}"


def _summary(results: Sequence[Result], seconds: float) -> str:
    counts = Counter(result.status for result in results)
    shown = [f"{counts[status]} {status.value}" for status in Status if counts[status]]
    line = f"{', '.join(shown) or 'no cases'} in {seconds:.2f} s"
    if counts[Status.UNDECIDED]:
        line += "; undecided: a policy decides, and no PDP was asked"
    return line
