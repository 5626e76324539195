"""docs/reliability.md: its table, written from what the faults did."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from authorizer.source.marked import replaced

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faults.trial import Outcome

BEGIN: Final = "<!-- begin: written by python -m faults -->"
END: Final = "<!-- end: written by python -m faults -->"


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the matrix as Markdown."""
    return "\n".join(_lines(outcomes))


def refreshed(page: str, outcomes: Iterable[Outcome]) -> str:
    """Return the page with the matrix between its markers; raises ValueError without them."""
    return replaced(page, BEGIN, END, table(outcomes))


def faults_of(page: str) -> list[str]:
    """Return the names of the faults that a page has rows for."""
    inside = page.partition(BEGIN)[2].partition(END)[0]
    return re.findall(r"^\| ([^|]+?) \|", inside, re.MULTILINE)[2:]


def _lines(outcomes: Iterable[Outcome]) -> Iterator[str]:
    yield "| fault | wrong | undecided | p50 ms | p99 ms | calls a question | recovery s |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for outcome in outcomes:
        during = outcome.during
        errors = during.errors
        total = sum(errors.values())
        share = f"{100 * total / len(during.answers):.0f} %" if total else "none"
        reasons = ", ".join(f"`{reason}`" for reason in sorted(errors))
        calls = "" if outcome.attempts is None else f"{outcome.attempts:.2f}"
        cells = (
            outcome.fault.name,
            f"{len(outcome.whole.wrong)} of {len(outcome.whole.answers)}",
            f"{share} {reasons}".strip(),
            f"{during.percentile(0.5) * 1000:.0f}",
            f"{during.percentile(0.99) * 1000:.0f}",
            calls,
            f"{outcome.recovery:.1f}",
        )
        yield f"| {' | '.join(cells)} |"
