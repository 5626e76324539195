"""What a reload of 10,000 routes costs the requests beside it, in a running `authorizer serve`.

    .venv/bin/python bench/reload.py [--routes 10000] [--rounds 5]

One caller asks without a break, on one connection: for a while with nothing else going on, then
from the moment a changed file is saved until it decides; round after round. Prints both.
"""

from __future__ import annotations

import argparse
import http.client
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

COMMAND: Final = Path(sys.executable).parent / "authorizer"
# No route asks the PDP, so that nobody has to answer there.
CONFIG: Final = """\
server: {listen: '127.0.0.1:0'}
admin: {listen: '127.0.0.1:0'}
pdp: {endpoints: ['127.0.0.1:9'], insecure_plaintext: true}
"""
IDLE: Final = 3_000  # requests


def save(folder: Path, edition: str, routes: int) -> None:
    """Save a file of routes whose ids begin with `edition`, as editors do: beside, then over it."""
    written = [
        {
            "id": f"{edition}.{number}",
            "match": {"path": f"/things{number}/{{id}}", "methods": ["GET"]},
            "effect": "allow",
        }
        for number in range(routes)
    ]
    beside = folder / "rules.tmp"
    beside.write_text(json.dumps({"version": 1, "routes": written}))
    beside.replace(folder / "rules" / "a.yaml")


class Caller:
    """Asks on one connection, and remembers how many milliseconds each answer took."""

    def __init__(self, address: str, routes: int) -> None:
        host, port = address.rsplit(":", 1)
        self.connection = http.client.HTTPConnection(host, int(port), timeout=20)
        self.routes = routes
        self.asked = 0

    def ask(self) -> tuple[float, str]:
        """Return the milliseconds until the answer was there, and the edition that gave it."""
        self.asked += 1
        url = f"http://api.example.test/things{self.asked * 7 % self.routes}/1"
        content = json.dumps({"subject": "ann", "method": "GET", "url": url})
        begun = time.perf_counter()
        headers = {"Content-Type": "application/json"}
        self.connection.request("POST", "/authorize", content, headers)
        answer = self.connection.getresponse()
        answer.read()
        took = (time.perf_counter() - begun) * 1_000
        return took, answer.headers["X-Authorizer-Route"].partition(".")[0]


def ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """Return the address that `serve` listens on, once its log says so."""
    while process.poll() is None:
        for line in log.read_bytes().split(b"\n")[:-1]:
            event = json.loads(line)
            if event["event"] == "authorizer.ready":
                return str(event["listen"])
        time.sleep(0.05)
    sys.exit("authorizer serve did not start")


def percentiles(took: list[float]) -> tuple[float, float, float]:
    """Return p50, p99 and the slowest."""
    took = sorted(took)
    return took[len(took) // 2], took[len(took) * 99 // 100], took[-1]


def measure(folder: Path, routes: int, rounds: int) -> dict[str, list[tuple[float, float, float]]]:
    """Return p50, p99 and the slowest of each round, alone and beside a reload."""
    results: dict[str, list[tuple[float, float, float]]] = {"alone": [], "beside a reload": []}
    log = folder / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen([COMMAND, "serve"], cwd=folder, stdout=out) as process,
    ):
        try:
            caller = Caller(ready(process, log), routes)
            for number in range(1, rounds + 1):
                results["alone"].append(percentiles([caller.ask()[0] for _ in range(IDLE)]))
                save(folder, f"edition{number}", routes)
                took = []
                edition = ""
                while edition != f"edition{number}":
                    milliseconds, edition = caller.ask()
                    took.append(milliseconds)
                results["beside a reload"].append(percentiles(took))
        finally:
            process.send_signal(signal.SIGTERM)
    return results


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--routes", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "rules").mkdir()
        (folder / "authorizer.yaml").write_text(CONFIG)
        save(folder, "edition0", options.routes)
        results = measure(folder, options.routes, options.rounds)
    print("| requests | p50 | p99 | slowest |\n| --- | ---: | ---: | ---: |")
    for name, rounds in results.items():
        p50, p99, slowest = (statistics.median(each) for each in zip(*rounds, strict=True))
        print(f"| {name} | {p50:.2f} ms | {p99:.2f} ms | {slowest:.2f} ms |")


if __name__ == "__main__":
    main()
