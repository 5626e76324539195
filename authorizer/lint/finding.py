"""One finding: something in one place that a person should look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from authorizer.source.document import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from authorizer.errors import Problem
    from authorizer.lint.codes import Code, Severity


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found (`message`), where, and what to do about it (`help`, may be empty)."""

    code: Code
    place: Place
    message: str
    help: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is; the code says it."""
        return self.code.severity

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """What findings are sorted by: their places, then what they say."""
        return (
            self.place.source,
            self.place.line,
            self.place.column,
            self.code.value,
            self.message,
        )


def from_problems(code: Code, problems: Iterable[Problem]) -> Iterator[Finding]:
    """Yield the problems of a source as findings."""
    for problem in problems:
        place = Place(problem.source, problem.line, problem.column)
        yield Finding(code, place, problem.message, problem.hint)


def sorted_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings in the order of their places, each once."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda finding: finding.order))
