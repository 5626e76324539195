"""What starting costs, and what the rules hold in memory.

    .venv/bin/python bench/start.py [--rounds 5]

Prints: how long `authorizer --help` takes; how long `authorizer serve` takes from its start to its
first decision, beside a PDP that runs already; and the memory that it has then.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.measuring import programs, workloads

if TYPE_CHECKING:
    from collections.abc import Sequence

SIZES: Final = (1_000, 10_000)  # routes


@dataclass(frozen=True)
class Start:
    """Seconds until the first decision, and MiB of memory after it, by number of routes."""

    routes: int
    seconds: float
    mebibytes: float


@dataclass(frozen=True)
class Starts:
    """Seconds that `--help` takes, and what `serve` takes."""

    help: float
    serve: tuple[Start, ...]


def measure(
    folder: Path, pdp: programs.Running, *, rounds: int, sizes: Sequence[int] = SIZES
) -> Starts:
    """Return the medians of all rounds."""
    helps = []
    served: dict[int, list[Start]] = {routes: [] for routes in sizes}
    for routes in sizes:
        own = folder / f"start{routes}"
        own.mkdir()
        programs.write_rules(own, routes)
    for _ in range(rounds):
        begun = time.perf_counter()
        subprocess.run([programs.AUTHORIZER, "--help"], stdout=subprocess.DEVNULL, check=True)
        helps.append(time.perf_counter() - begun)
        for routes, starts in served.items():
            starts.append(_serve(folder / f"start{routes}", pdp, routes))
    return Starts(
        statistics.median(helps),
        tuple(
            Start(
                routes,
                statistics.median(start.seconds for start in starts),
                statistics.median(start.mebibytes for start in starts),
            )
            for routes, starts in served.items()
        ),
    )


def _serve(folder: Path, pdp: programs.Running, routes: int) -> Start:
    begun = time.perf_counter()
    with programs.authorizer(folder, pdp) as running:
        (body,) = workloads.workloads(routes)["hot"].bodies(1, 0)
        while not _decides(running, body):
            time.sleep(0.005)
        return Start(routes, time.perf_counter() - begun, running.resident())


def _decides(running: programs.Running, body: bytes) -> bool:
    connection = HTTPConnection("127.0.0.1", running.port, timeout=5)
    with suppress(OSError, HTTPException):
        connection.request("POST", "/authorize", body, {"Content-Type": "application/json"})
        status = connection.getresponse().status
        connection.close()
        return status == HTTPStatus.OK
    return False


def table(starts: Starts) -> str:
    """Return what was measured in Markdown."""
    lines = [
        "| what | time | memory |",
        "| --- | ---: | ---: |",
        f"| `authorizer --help` | {starts.help * 1e3:.0f} ms | |",
        *(
            f"| `authorizer serve`, {one.routes:,} routes, to the first decision | "
            f"{one.seconds * 1e3:.0f} ms | {one.mebibytes:.0f} MiB |"
            for one in starts.serve
        ),
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, programs.pdp(Path(name)) as pdp:
        print(table(measure(Path(name), pdp, rounds=options.rounds)))


if __name__ == "__main__":
    main()
