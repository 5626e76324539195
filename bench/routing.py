"""How matching grows with the number of routes: what a table costs to load, to hold and to ask.

    .venv/bin/python bench/routing.py [--sizes 10,1000] [--rounds 15]

Tables of 10 to 100,000 routes in files, as people have them, through the loader and compiler of
`serve`. Two families: literal paths, and paths with captures and `{id}:verb` that share their
beginnings. Times depend on the machine; what counts are the ratios to the table of ten routes,
asked in turn with the others in the same run.

Prints a table, writes it with every number to bench/routing.json, and puts it between the marks in
docs/performance-routing.md.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.collection import uncollected
from authorizer.routing.compile import compile_rules
from authorizer.routing.files import read_rules
from authorizer.routing.reading import Ambiguous, locate
from authorizer.routing.table import Matched
from authorizer.source.marked import replaced
from bench.measuring.machine import machine

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authorizer.routing.reading import Address
    from authorizer.routing.table import RouteTable

ROOT: Final = Path(__file__).parent.parent
RESULTS: Final = ROOT / "bench" / "routing.json"
PAGE: Final = ROOT / "docs" / "performance-routing.md"
BEGIN: Final = "<!-- measured by bench/routing.py -->"
END: Final = "<!-- end -->"
SIZES: Final = (10, 1_000, 10_000, 100_000)
A_FILE: Final = 500  # routes
A_ROUND: Final = 1_000  # requests of each kind
KINDS: Final = ("hit", "near miss", "miss")


@dataclass(frozen=True)
class Probe:
    """A route's path, one URL path that it owns, and one that fits all of it but the last text."""

    pattern: str
    hit: str
    near: str


def literal(number: int) -> Probe:
    """Return the n-th of ever more literal paths: 25 in a section, 20 sections in an area."""
    path = f"/api/v1/area{number // 500}/section{number // 25 % 20}/item{number % 25}"
    return Probe(path, path, f"{path}x")


def parameters(number: int) -> Probe:
    """Return the n-th of ever more paths with captures; ten for each kind of thing."""
    things = f"/v1/orgs/{{org}}/things{number // 10}"
    inside = f"{things}/{{id}}"
    pattern = (
        things,
        inside,
        f"{inside}:archive",
        f"{inside}:restore",
        f"{inside}/parts",
        f"{inside}/parts/{{part:int}}",
        f"{inside}/parts/{{part:slug}}",
        f"{inside}/parts/{{part}}:move",
        f"{inside}/parts/{{part:int}}/files/{{name...}}",
        f"{inside}/history/{{year:int}}",
    )[number % 10]
    hit = pattern
    values = {"{org}": "acme", "{id}": "9a-7", "{part:int}": "12", "{part:slug}": "left-door",
              "{part}": "12", "{name...}": "plans/one.pdf", "{year:int}": "2024"}  # fmt: skip
    for capture, value in values.items():
        hit = hit.replace(capture, value)
    near = f"{hit}/No_thing"
    if number % 10 == 0:
        near = f"{hit}/9a-7/No_thing"
    elif number % 10 == 8:  # noqa: PLR2004 - the tail, which takes whatever follows
        near = hit.replace("files", "folders")
    return Probe(pattern, hit, near)


FAMILIES: Final[dict[str, Callable[[int], Probe]]] = {
    "literal": literal,
    "parameters": parameters,
}


@dataclass
class Measured:
    """One table: seconds to load, MiB it holds, and microseconds a match at p50 and p99 by kind."""

    family: str
    routes: int
    seconds: float
    mebibytes: float
    p50: dict[str, float]
    p99: dict[str, float]


def write_rules(folder: Path, probes: Sequence[Probe]) -> None:
    """Write rule files with a route for each path."""
    for start in range(0, len(probes), A_FILE):
        routes = [
            {
                "id": f"route{number}",
                "match": {"path": probe.pattern},
                "resource": {
                    "kind": f"kind{number // 10}",
                    "id": "${path.id}" if "{id}" in probe.pattern else "all",
                    "attr": {"seen": "${request.path}"},
                },
                "actions": {"GET": "view", "PATCH": "edit"},
            }
            for number, probe in enumerate(probes[start : start + A_FILE], start)
        ]
        lines = ["version: 1", "routes:", *(f"  - {json.dumps(route)}" for route in routes)]
        (folder / f"{start}.yaml").write_text("\n".join(lines) + "\n")


def resident() -> float:
    """Return the MiB of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def load(probes: Sequence[Probe]) -> tuple[RouteTable, float, float]:
    """Return the table of these paths, the seconds that it took, and the MiB that it holds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rules(folder, probes)
        gc.collect()
        before, start = resident(), time.perf_counter()
        with uncollected():  # as `serve` does
            table = compile_rules(read_rules([folder]))
        seconds = time.perf_counter() - start
        gc.collect()
        return table, seconds, resident() - before


def addresses(family: str, probes: Sequence[Probe], a_round: int) -> dict[str, list[Address]]:
    """Return the URLs of a round by kind, spread over the whole table in any order.

    Each round has its own: those that were asked before would be in the processor's cache.
    """
    chosen = random.Random(a_round).choices(probes, k=A_ROUND)  # noqa: S311 - not a secret
    beside = "/api/v2/area0/section0/item0" if family == "literal" else "/v1/users/{0}/things0"
    paths = {
        "hit": [probe.hit for probe in chosen],
        "near miss": [probe.near for probe in chosen],
        "miss": [beside.format(number) for number in range(A_ROUND)],
    }
    return {kind: list(map(address, each)) for kind, each in paths.items()}


def address(path: str) -> Address:
    """Return the address of a path on the one host."""
    found = locate(f"http://api.example.test{path}")
    if isinstance(found, Ambiguous):
        sys.exit(f"{path}: {found.detail}")
    return found


def microseconds(table: RouteTable, asked: Sequence[Address]) -> tuple[float, float]:
    """Return p50 and p99 of a round."""
    clock, match = time.perf_counter_ns, table.match
    took = []
    for one in asked:
        start = clock()
        match(one, "GET")
        took.append(clock() - start)
    took.sort()
    return took[len(took) // 2] / 1_000, took[len(took) * 99 // 100] / 1_000


def measure(family: str, sizes: Sequence[int], rounds: int) -> list[Measured]:
    """Load a table of each size, then ask them in turn, round after round."""
    load([FAMILIES[family](0)])  # which also loads what compiles expressions
    tables: list[RouteTable] = []
    measured: list[Measured] = []
    paths = []
    for size in sizes:
        probes = [FAMILIES[family](number) for number in range(size)]
        table, seconds, mebibytes = load(probes)
        tables.append(table)
        measured.append(Measured(family, size, seconds, mebibytes, {}, {}))
        paths.append(probes)
        check(table, addresses(family, probes, rounds))
    taken: dict[tuple[int, str], list[tuple[float, float]]] = {}
    for a_round in range(rounds):
        for number, table in enumerate(tables):
            asked = addresses(family, paths[number], a_round)
            for kind in KINDS:
                took = microseconds(table, asked[kind])
                taken.setdefault((number, kind), []).append(took)
    for (number, kind), each in taken.items():
        measured[number].p50[kind] = statistics.median(p50 for p50, _ in each)
        measured[number].p99[kind] = statistics.median(p99 for _, p99 in each)
    return measured


def check(table: RouteTable, asked: dict[str, list[Address]]) -> None:
    """Stop where a kind of request is not what it is called."""
    for kind, each in asked.items():
        for one in each:
            if isinstance(table.match(one, "GET"), Matched) is not (kind == "hit"):
                sys.exit(f"{one.path} is no {kind}")


def report(measured: Sequence[Measured]) -> str:
    """Return the table in Markdown: times, and in brackets their ratio to the smallest table's."""
    columns = [f"{kind} {percentile}" for kind in KINDS for percentile in ("p50", "p99")]
    lines = [
        f"| paths | routes | load | memory | {' | '.join(columns)} |",
        f"| --- | ---: | ---: | ---: |{' ---: |' * len(columns)}",
    ]
    smallest = {one.family: one for one in reversed(measured)}
    for one in measured:
        base = smallest[one.family]
        cells = [
            f"{here[kind]:.1f} µs ({here[kind] / there[kind]:.2f})"
            for kind in KINDS
            for here, there in ((one.p50, base.p50), (one.p99, base.p99))
        ]
        amounts = f"{one.seconds:.2f} s | {one.mebibytes:.1f} MiB"
        lines.append(f"| {one.family} | {one.routes:,} | {amounts} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)), help="numbers of routes")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    measured = []
    for family in FAMILIES:
        # A process for each, so that none measures what another left behind.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as own:
            measured += own.submit(measure, family, sizes, options.rounds).result()
    table = report(measured)
    print(table)
    if tuple(sizes) == SIZES:
        results = {"machine": machine(), "tables": [asdict(one) for one in measured]}
        RESULTS.write_text(json.dumps(results, indent=2) + "\n")
        PAGE.write_text(replaced(PAGE.read_text(), BEGIN, END, f"{machine()}\n\n{table}"))


if __name__ == "__main__":
    main()
