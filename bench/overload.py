"""Overload: four times what can be decided, and what becomes of it with the limit and without.

    PYTHONPATH=tests .venv/bin/python bench/overload.py [--rounds 3] [--seconds 10] [--quick]

In each round, for each way of serving: a real `authorizer serve` is started anew beside a real PDP,
with everything on. How much a closed loop (wrk) gets is found first, and then the most decisions a
second that an open loop (vegeta) gets, at rates about that. Then the same at the same rates, while
at another door so much is asked that four times the most is sent in all: vegeta, the PDP and the
server share the cores, and what the sending takes is lost to both sides of this comparison. Then
vegeta asks four times the most, whatever is answered. It is served as it is shipped, and without
the limit on what is worked on at once. At the same rate a bare aiohttp handler refuses everything.
And by our own clock, a refusal is timed from when its bytes are there to when its answer is
written.

Prints tables, writes them with every number to bench/overload.json, and puts them between the marks
in docs/performance-overload.md. `--quick` proves that it works, in two minutes, and writes
nothing. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import asdict
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from authorizer.source.marked import replaced
from bench.measuring import loads, overload, programs, refusals, workloads
from bench.measuring.machine import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.measuring.overload import Capacity, Overload
    from bench.measuring.programs import Running

RESULTS: Final = programs.ROOT / "bench" / "overload.json"
PAGE: Final = programs.ROOT / "docs" / "performance-overload.md"
BEGIN: Final = "<!-- measured by bench/overload.py -->"
END: Final = "<!-- end -->"
TIMES: Final = 4
ROUTES: Final = 1_000
IN_FLIGHT: Final = 64  # of the closed loop
SATURATION: Final = 3.0  # seconds of it
# Rates at which the most is looked for, as shares of what the closed loop got; seconds of each.
STEPS: Final = (0.6, 0.8, 0.9, 1.0, 1.1)
STEP: Final = 3.0
# More than the principals that are kept: each question is of somebody new.
PEOPLE: Final = 20_000
SHIPPED: Final = "as shipped"
UNLIMITED: Final = "without the limit"
REFUSER: Final = "a bare handler that refuses"
SERVED: Final[Mapping[str, Mapping[str, object]]] = {
    SHIPPED: {},
    UNLIMITED: {"max_in_flight": 1_000_000, "max_connections": 1_000_000},
}
# What is wanted of what is shipped: its name, of what, the bound, and whether that is the most.
GOALS: Final[Sequence[tuple[str, Callable[[Overload], float], str, float, str]]] = (
    (
        "decisions, of the most",
        lambda one: 100 * one.became.goodput / one.capacity.most,
        "≥",
        80,
        " %",
    ),
    (
        "decisions, of the most beside as much load elsewhere",
        lambda one: 100 * one.became.goodput / one.capacity.beside,
        "≥",
        80,
        " %",
    ),
    ("accepted: p99", lambda one: one.became.accepted.p99, "≤", 500, " ms"),
    ("refused: p50", lambda one: one.became.refused.p50, "≤", 5, " ms"),
    ("refused: p99", lambda one: one.became.refused.p99, "≤", 5, " ms"),
)


class Round:
    """One after the other: each way of serving, and the bare handler."""

    def __init__(self, folder: Path, pdp: Running, door: Running, seconds: float) -> None:
        self._folder = folder
        self._pdp = pdp
        self._door = door
        self._seconds = seconds
        bodies = workloads.workloads(ROUTES)["distinct"].bodies(PEOPLE, 1)
        self._asked = folder / "asked"
        self._asked.write_bytes(b"\n".join(bodies))
        # Each load goes on where the last one ended, with people of whom nothing is kept.
        self._bodies = cycle(bodies)

    def measure(self, names: Sequence[str]) -> dict[str, Overload]:
        """Measure these ways of serving in this order, and then the bare handler."""
        found = {name: self._serve(name) for name in names}
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        with programs.handler(folder, "refuse") as running:
            rate = TIMES * found[SHIPPED].capacity.most
            found[REFUSER] = self._overload(running, rate, overload.Capacity())
        return found

    def _serve(self, name: str) -> Overload:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        programs.write_rules(folder, ROUTES)
        with programs.authorizer(folder, self._pdp, SERVED[name]) as running:
            closed = loads.closed(running, self._asked, IN_FLIGHT, seconds=SATURATION).throughput
            rates = [share * closed for share in STEPS]
            most = max(self._decided(running, rate) for rate in rates)
            sent = TIMES * most
            beside = max(self._decided(running, rate, max(0.0, sent - rate)) for rate in rates)
            running.forget_log()
            return self._overload(running, sent, overload.Capacity(closed, most, beside))

    def _decided(self, running: Running, rate: float, elsewhere: float = 0.0) -> float:
        """Return the decisions a second at a rate, while others are asked at the other door."""
        hits = self._attack(running, rate, STEP, elsewhere).hits()
        return overload.became([hit for hit in hits if hit.url == _url(running)]).goodput

    def _attack(
        self, running: Running, rate: float, seconds: float, elsewhere: float = 0.0
    ) -> loads.Measured:
        """Ask it at one rate and the other door at another, evenly mixed."""
        total = rate + elsewhere
        there = loads.vegeta_target(_url(self._door), next(self._bodies))
        targets = (
            loads.vegeta_target(_url(running), next(self._bodies))
            if overload.chosen(number, rate / total)
            else there
            for number in range(min(round(total * seconds), TIMES * PEOPLE))
        )
        return loads.Measured(targets, f"-rate={round(total)}/s", f"-duration={seconds}s")

    def _overload(self, running: Running, rate: float, capacity: Capacity) -> Overload:
        attack = self._attack(running, rate, self._seconds)
        attack.wait_for_answer()
        pids = {"target": running.pid, "pdp": self._pdp.pid, "vegeta": attack.pid}
        cores = programs.cores(pids, self._seconds)
        hits = attack.hits()
        recovery = (
            overload.recovered(running, next(self._bodies), hits[-1].at) if capacity.most else 0.0
        )
        return overload.Overload(capacity, overload.became(hits), cores, recovery, running.peak())


def _url(running: Running) -> str:
    return f"http://{running.address}/authorize"


def goals(rounds: Sequence[Mapping[str, Overload]]) -> str:
    """Return the table of what is wanted."""
    lines = ["| what | wanted | as shipped | |", "| --- | ---: | ---: | --- |"]
    for name, figure, sign, bound, unit in GOALS:
        values = sorted(figure(a_round[SHIPPED]) for a_round in rounds)
        median = statistics.median(values)
        reached = median <= bound if sign == "≤" else median >= bound
        shown = f"{median:.1f} ({values[0]:.1f}-{values[-1]:.1f}){unit}"
        verdict = "" if reached else "not reached"
        lines.append(f"| {name} | {sign} {bound}{unit} | {shown} | {verdict} |")
    return "\n".join(lines)


_COLUMNS: Final[Sequence[tuple[str, Callable[[Overload], float], str]]] = (
    ("closed loop", lambda one: one.capacity.closed, ".0f"),
    ("the most", lambda one: one.capacity.most, ".0f"),
    ("the same beside as much load elsewhere", lambda one: one.capacity.beside, ".0f"),
    ("asked a second", lambda one: one.became.offered, ".0f"),
    ("decided", lambda one: one.became.goodput, ".0f"),
    ("p50 ms", lambda one: one.became.accepted.p50, ".1f"),
    ("p99", lambda one: one.became.accepted.p99, ".0f"),
    ("refused: p50 ms", lambda one: one.became.refused.p50, ".1f"),
    ("p99", lambda one: one.became.refused.p99, ".1f"),
    ("recovery s", lambda one: one.recovery, ".2f"),
    ("MiB", lambda one: one.peak, ".0f"),
    ("its cores", lambda one: one.cores["target"], ".2f"),
    ("the PDP's", lambda one: one.cores["pdp"], ".2f"),
    ("vegeta's", lambda one: one.cores["vegeta"], ".2f"),
)


def figures(rounds: Sequence[Mapping[str, Overload]]) -> str:
    """Return the table of what was measured: medians over the rounds."""
    lines = [
        f"| | {' | '.join(name for name, _, _ in _COLUMNS)} | others |",
        f"| --- |{' ---: |' * len(_COLUMNS)} --- |",
    ]
    for name in rounds[0]:
        ones = [a_round[name] for a_round in rounds]
        cells = [
            format(statistics.median(figure(one) for one in ones), spec)
            for _, figure, spec in _COLUMNS
        ]
        lines.append(f"| {name} | {' | '.join(cells)} | {_others(ones)} |")
    return "\n".join(lines)


def _others(ones: Sequence[Overload]) -> str:
    """Return the share of what was neither decided nor refused, by kind."""
    asked = sum(one.became.accepted.count + one.became.refused.count for one in ones)
    asked += sum(sum(one.became.others.values()) for one in ones)
    kinds = sorted({kind for one in ones for kind in one.became.others})
    shares = ((kind, sum(one.became.others.get(kind, 0) for one in ones) / asked) for kind in kinds)
    return ", ".join(f"{share:.1%} {kind}" for kind, share in shares) or "none"


def measure(options: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """Return the page, and the numbers."""
    begun = time.monotonic()
    measured: list[dict[str, Overload]] = []
    with (
        tempfile.TemporaryDirectory() as name,
        programs.pdp(Path(name)) as pdp,
        programs.door(Path(name)) as door,
    ):
        a_round = Round(Path(name), pdp, door, options.seconds)
        for number in range(options.rounds):
            names = list(SERVED)
            measured.append(a_round.measure(names[::-1] if number % 2 else names))
            spent = time.monotonic() - begun
            print(f"round {number + 1} of {options.rounds}: {spent:.0f} s", flush=True)
    own = refusals.measure()
    page = "\n\n".join(
        (
            f"{machine()}; {options.rounds} rounds of {options.seconds:g} s each",
            goals(measured),
            figures(measured),
            f"By our own clock a refusal takes {own * 1e6:.1f} µs.",
        )
    )
    results = {
        "machine": machine(),
        "seconds": options.seconds,
        "own": own,
        "rounds": [{name: asdict(one) for name, one in found.items()} for found in measured],
    }
    return page, results


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of each load")
    parser.add_argument("--quick", action="store_true", help="one short round; write nothing")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 2.0
    loads.require_wrk()
    page, results = measure(options)
    print(page)
    if not options.quick:
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.write_text(replaced(PAGE.read_text(), BEGIN, END, page))


if __name__ == "__main__":
    main()
