"""docs/reliability.md: its table, written from what the faults did."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from authorizer.source.marked import replaced

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faults.asking import Figures
    from faults.passage import Passage
    from faults.trial import Outcome

BEGIN: Final = "<!-- begin: written by python -m faults -->"
END: Final = "<!-- end: written by python -m faults -->"
CHAIN_BEGIN: Final = "<!-- begin: the chain, written by python -m faults -->"
CHAIN_END: Final = "<!-- end: the chain, written by python -m faults -->"


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the matrix as Markdown."""
    return "\n".join(_lines(outcomes))


def chain_table(passages: Iterable[Passage]) -> str:
    """Return what callers of Oathkeeper saw, as Markdown."""
    return "\n".join(_chain_lines(passages))


def refreshed(page: str, outcomes: Iterable[Outcome], passages: Iterable[Passage]) -> str:
    """Return the page with both tables between their markers; raises ValueError without them."""
    page = replaced(page, BEGIN, END, table(outcomes))
    return replaced(page, CHAIN_BEGIN, CHAIN_END, chain_table(passages))


def faults_of(page: str) -> list[str]:
    """Return the names of the faults that a page has rows for."""
    inside = page.partition(BEGIN)[2].partition(END)[0]
    return re.findall(r"^\| ([^|]+?) \|", inside, re.MULTILINE)[2:]


def _lines(outcomes: Iterable[Outcome]) -> Iterator[str]:
    outcomes = list(outcomes)
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
            _milliseconds(during, 0.5),
            _milliseconds(during, 0.99),
            calls,
            f"{outcome.recovery:.1f}",
        )
        yield f"| {' | '.join(cells)} |"
    lags = sorted(outcome.lag * 1000 for outcome in outcomes)
    yield ""
    yield (
        f"The asker's own timers were late, at the p99, by {lags[len(lags) // 2]:.1f} ms or less "
        f"in half of the rows, and by {lags[-1]:.1f} ms in the worst."
    )


def _chain_lines(passages: Iterable[Passage]) -> Iterator[str]:
    yield (
        "| the only PDP | by | callers | got | questions a request | p50 ms | slowest ms | "
        "before: p50 ms | recovery s |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for done in passages:
        cells = (
            done.fault,
            done.entrance.value,
            str(len(done.during.answers)),
            ", ".join(str(status) for status in sorted(done.statuses)),
            ", ".join(str(times) for times in sorted(done.questions)),
            _milliseconds(done.during, 0.5),
            _milliseconds(done.during, 1),
            _milliseconds(done.usual, 0.5),
            f"{done.recovery:.1f}",
        )
        yield f"| {' | '.join(cells)} |"


def _milliseconds(figures: Figures, share: float) -> str:
    return f"{figures.percentile(share) * 1000:.0f}"
