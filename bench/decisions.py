"""What a decision costs, beside what it cannot cost less than.

    .venv/bin/python bench/decisions.py [--rounds 5] [--seconds 1.5] [--quick]

A real `authorizer serve` with everything on, a real PDP and a real Oathkeeper, on loopback, asked
by wrk (closed loop) and vegeta (open loop). In the same run, one after the other and round after
round, what is asked is: the authorizer; the PDP itself, by its generated stub; and an aiohttp
handler that does nothing. Times depend on the machine; what counts are the ratios to these floors.

Prints tables, writes them with every number to bench/decisions.json, puts them between the marks in
docs/performance.md, and draws its pictures. `--quick` proves that all of it works, in a minute, and
writes nothing. Linux only: it reads /proc.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.source.marked import replaced
from bench import start
from bench.measuring import loads, phases, plot, programs, report, rounds, workloads
from bench.measuring.held import held
from bench.measuring.machine import machine
from bench.measuring.sampling import require_py_spy, sampling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.measuring.rounds import Everything, Figure, Key
    from bench.measuring.workloads import Workload

RESULTS: Final = programs.ROOT / "bench" / "decisions.json"
# Where a decision went before much of it was saved: `profile` and `held` of `distinct`, as in
# RESULTS, and what version, machine and date that is of.
FORMER: Final = programs.ROOT / "bench" / "decisions-before.json"
DOCS: Final = programs.ROOT / "docs"
BEGIN: Final = "<!-- measured by bench/decisions.py -->"
END: Final = "<!-- end -->"
IN_FLIGHT: Final = (1, 16, 64)
PROFILED: Final = ("distinct", "session", "page", "hot", rounds.CACHED)


def profile(everything: Everything, workload: Workload, in_flight: int) -> dict[str, float]:
    """Return the microseconds of CPU that a decision takes, by part."""
    folder = everything.folder / f"profiled {workload.name}"
    folder.mkdir()
    programs.write_rules(folder, rounds.ROUTES)
    asked = folder / "asked"
    seconds = everything.seconds * 2
    # More than anybody answers.
    bodies = workload.bodies(round(8_000 * (1 + everything.seconds + seconds)), 9_999)
    asked.write_bytes(b"\n".join(bodies))
    with programs.authorizer(folder, everything.pdp) as running:
        loads.closed(running, asked, in_flight, seconds=everything.seconds)
        main, everyone = running.cpu_of_main(), running.cpu()
        with sampling(running, folder) as samples:
            answers = loads.closed(running, asked, in_flight, seconds=seconds).answers
        main, everyone = running.cpu_of_main() - main, running.cpu() - everyone
    a_microsecond = 1e6 / answers
    others = everyone - main
    return phases.by_part(samples, main=main * a_microsecond, others=others * a_microsecond)


def write(page: str, pictures: Mapping[str, str], results: Mapping[str, object]) -> None:
    """Write the numbers, the pictures, and the page between the marks."""
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    for name, picture in pictures.items():
        (DOCS / name).write_text(picture)
    path = DOCS / "performance.md"
    path.write_text(replaced(path.read_text(), BEGIN, END, page))


def as_data(measured: Sequence[Mapping[Key, Figure]]) -> list[dict[str, object]]:
    """Return every number of every round."""
    return [
        {**asdict(key), "rounds": [asdict(a_round[key]) for a_round in measured]}
        for key in measured[0]
    ]


def measure(options: argparse.Namespace) -> tuple[str, dict[str, str], dict[str, object]]:
    """Return the page, the pictures, and the numbers."""
    begun = time.monotonic()
    measured: list[Mapping[Key, Figure]] = []
    with (
        tempfile.TemporaryDirectory() as name,
        rounds.everything(Path(name), options.seconds, options.routes) as everything,
    ):
        asking = rounds.Rounds(everything, IN_FLIGHT)
        asking.calibrate()
        for number in range(options.rounds):
            measured.append(asking.measure(backwards=number % 2 == 1))
            spent = time.monotonic() - begun
            print(f"round {number + 1} of {options.rounds}: {spent:.0f} s", flush=True)
        known = workloads.workloads(rounds.ROUTES)
        parts = {name: profile(everything, known[name], rounds.GROWING_AT) for name in PROFILED}
        memory = held(asking.snapshot, known["distinct"].bodies(200, 0))
        sizes = sorted({rounds.ROUTES, max(options.routes)})
        starts = start.measure(Path(name), everything.pdp, rounds=options.rounds, sizes=sizes)
    former = json.loads(FORMER.read_text())
    page = "\n\n".join(
        (
            f"{machine()}; {options.rounds} rounds of {options.seconds:g} s each",
            "### Against the floors",
            report.against_floors(measured),
            report.own_cpu_says(measured),
            "### Where it goes",
            report.by_part(parts, memory),
            "### Before and now",
            f"*Before* is {former['of']}, on: {former['machine']}.",
            report.since(
                {"before": former["profile"], "now": parts["distinct"]},
                {"before": former["held"], "now": memory},
            ),
            "### More processes",
            report.more_processes(measured),
            "### By workload",
            report.figures(measured),
            "### By load",
            report.open_loop(measured),
            "### Start and memory",
            start.table(starts),
        )
    )
    title = f"CPU of one decision in the authorizer, {rounds.GROWING_AT} in flight"
    widest = max(sum(spent.values()) for spent in (parts["distinct"], former["profile"]))
    pictures = {
        "performance-decision.svg": plot.waterfall(title, "µs", parts["distinct"], widest),
        "performance-decision-before.svg": plot.waterfall(
            f"{title}, before", "µs", former["profile"], widest
        ),
        "performance-throughput.svg": report.throughputs(measured),
    }
    results = {
        "machine": machine(),
        "seconds": options.seconds,
        "rounds": options.rounds,
        "figures": as_data(measured),
        "profile": parts,
        "held": memory,
        "start": asdict(starts),
    }
    return page, pictures, results


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each run")
    parser.set_defaults(routes=rounds.MORE_ROUTES)
    parser.add_argument("--quick", action="store_true", help="one short round; write nothing")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds, options.routes = 1, 0.4, [10]
    loads.require_wrk()
    require_py_spy()
    page, pictures, results = measure(options)
    print(page)
    if not options.quick:
        write(page, pictures, results)


if __name__ == "__main__":
    main()
