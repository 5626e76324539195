"""Load: closed loop with wrk, open loop with vegeta, and clients of our own for the rest.

A closed loop stops the whole run when a request is not answered with 200: a refusal is fast, and
would pass for speed.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - msgspec reads it
from itertools import cycle, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import msgspec

from bench.measuring.programs import ROOT, TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bench.measuring.programs import Running

_LOOK_EVERY: Final = 0.01  # seconds
_SCRIPT: Final = Path(__file__).with_name("closed.lua")
# The host of the URL is what an access rule is matched with.
_HEADERS: Final = ("-H", "Content-Type: application/json", "-H", "Host: api.example.test")


@dataclass(frozen=True)
class Load:
    """What came of a load: answers a second, milliseconds, and the share that was not a 200."""

    answers: int
    throughput: float
    p50: float
    p90: float
    p99: float
    refused: float = 0.0


class Hit(msgspec.Struct):
    """What vegeta notes of one request: what it was, and of its answer what is read here.

    Not its number: vegeta takes the target after that, so that two of its workers may have each
    other's (lib/attack.go, `hit`, v12.13.0).
    `latency` is in nanoseconds; `code` is 0 and `error` says why where there was no answer.
    """

    url: str
    code: int
    timestamp: datetime
    latency: int
    error: str = ""
    headers: dict[str, list[str]] | None = None

    @property
    def at(self) -> float:
        """When it was sent (Unix time)."""
        return self.timestamp.timestamp()

    @property
    def seconds(self) -> float:
        """How long its answer took."""
        return self.latency / 1e9

    @property
    def reason(self) -> str:
        """The authorizer's reason; without one the status, or what the client saw instead."""
        # Of what Go says of a failed request the last part has no addresses.
        said = str(self.code) if self.code else self.error.rpartition(": ")[2]
        return (self.headers or {}).get("X-Decision-Reason", [said])[0]


_HITS: Final = msgspec.json.Decoder(Hit)


def require_wrk() -> str:
    """Return where wrk is; exit with how to install it where it is not."""
    found = shutil.which("wrk")
    if found is None:
        sys.exit("wrk is not on PATH: install it (apt-get install wrk, brew install wrk)")
    return found


def closed(  # noqa: PLR0913 - all but the first three by name
    target: Running,
    lines: Path,
    in_flight: int,
    *,
    seconds: float,
    method: str = "POST",
    path: str = "/authorize",
    fresh_connections: bool = False,
) -> Load:
    """Ask with wrk: as soon as one is answered, the next."""
    headers = [*_HEADERS, *(("-H", "Connection: close") if fresh_connections else ())]
    command = [
        require_wrk(), "-t1", f"-c{in_flight}", "-d1h", "--timeout", "5s",
        *headers, "-s", str(_SCRIPT), f"http://{target.address}{path}", "--", str(lines), method,
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as wrk:
        try:
            _wait_for(wrk, "ready\n")
            time.sleep(seconds)
        finally:
            # It ends at once, and says what it has measured until then.
            wrk.send_signal(signal.SIGINT)
        output = wrk.communicate()[0]
    said = json.loads(output.splitlines()[-1])
    _require(target, said["failed"] == 0 and said["requests"] > 0, f"wrk: {said}")
    throughput = said["requests"] / said["microseconds"] * 1e6
    p50, p90, p99 = (said[name] / 1e3 for name in ("p50", "p90", "p99"))
    return Load(said["requests"], throughput, p50, p90, p99)


def closed_each(
    targets: Sequence[Running], lines: Sequence[Path], in_flight: int, *, seconds: float
) -> Load:
    """Ask each target with a wrk of its own, all at a time, with its share of `in_flight`.

    Answers add up; of the latencies the worst is taken.
    """

    def ask(target: Running, own: Path) -> Load:
        return closed(target, own, in_flight // len(targets), seconds=seconds)

    with ThreadPoolExecutor() as threads:
        found = list(threads.map(ask, targets, lines))
    return Load(
        sum(load.answers for load in found),
        sum(load.throughput for load in found),
        max(load.p50 for load in found),
        max(load.p90 for load in found),
        max(load.p99 for load in found),
    )


def _wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Return when a program has written a line; exit when it ends without."""
    if process.stdout is None or line not in iter(process.stdout.readline, ""):
        sys.exit("wrk ended without a word")


def open_loop(target: Running, bodies: Sequence[bytes], rate: int, *, seconds: float) -> Load:
    """Ask with vegeta: `rate` times a second, whether the ones before are answered or not.

    Where that is more than can be answered, some have no decision by the deadline.
    """
    asked = islice(cycle(bodies), round(rate * seconds))
    url = f"http://{target.address}/authorize"
    targets = "".join(vegeta_target(url, one) for one in asked)
    attack = [
        str(TOOLS / "vegeta"), "attack", "-format=json", f"-rate={rate}/s", f"-duration={seconds}s",
        "-timeout=5s",
    ]  # fmt: skip
    results = subprocess.run(attack, input=targets.encode(), capture_output=True, check=True)
    report = [str(TOOLS / "vegeta"), "report", "-type=json"]
    said = json.loads(subprocess.check_output(report, input=results.stdout))
    p50, p90, p99 = (said["latencies"][name] / 1e6 for name in ("50th", "90th", "99th"))
    refused = 1.0 - said["success"]
    return Load(said["requests"], said["throughput"], p50, p90, p99, refused)


def attack(targets: Iterable[str], *options: str) -> list[Hit]:
    """Ask with vegeta, the targets in turn; return each answer, in the order of asking."""
    return Measured(targets, *options).hits()


class Measured:
    """The same in the background, for as long as the options say.

    What came of it is written to a file, and read when it is over: nobody but vegeta takes of the
    cores for it meanwhile.
    """

    def __init__(self, targets: Iterable[str], *options: str) -> None:
        self._noted = tempfile.TemporaryFile()  # noqa: SIM115 - until it is read
        try:
            self._asking = _attack(targets, self._noted, *options)
        except OSError:
            self._noted.close()
            raise
        self.pid = self._asking.pid

    def wait_for_answer(self) -> None:
        """Return when the first is answered: vegeta has read its targets by then."""
        while not os.fstat(self._noted.fileno()).st_size:
            if self._asking.poll() is not None:
                sys.exit("vegeta ended without an answer")
            time.sleep(_LOOK_EVERY)

    def hits(self) -> list[Hit]:
        """Wait until it is over; return each answer, in the order of asking."""
        with self._noted:
            if self._asking.wait() != 0:
                sys.exit("vegeta failed")
            self._noted.seek(0)
            done = subprocess.run(_ENCODE, stdin=self._noted, capture_output=True, check=True)
        return sorted(map(_HITS.decode, done.stdout.splitlines()), key=lambda hit: hit.timestamp)


class Attack:
    """The same in the background, until it is stopped. Every answer is to be read from `hits`."""

    def __init__(self, targets: Iterable[str], *options: str) -> None:
        self._asking = _attack(targets, subprocess.PIPE, *options)
        self._encoding = subprocess.Popen(
            _ENCODE, stdin=self._asking.stdout, stdout=subprocess.PIPE
        )

    def hits(self) -> Iterator[Hit]:
        """Yield each answer as it comes, until there will be no more."""
        with self._asking, self._encoding:
            yield from map(_HITS.decode, self._encoding.stdout or ())

    def stop(self) -> None:
        """Ask nothing more; what was asked is still answered."""
        self._asking.send_signal(signal.SIGINT)


def _attack(targets: Iterable[str], out: IO[bytes] | int, *options: str) -> subprocess.Popen[bytes]:
    # What takes longer than any deadline has stalled.
    vegeta = str(TOOLS / "vegeta")
    command = [vegeta, "attack", "-format=json", "-timeout=5s", "-max-body=0", *options]
    with tempfile.TemporaryFile() as asked:
        asked.write("".join(targets).encode())
        asked.seek(0)
        return subprocess.Popen(command, stdin=asked, stdout=out)


_ENCODE: Final = (str(TOOLS / "vegeta"), "encode", "-to=json")


def vegeta_target(url: str, body: bytes, **headers: str) -> str:
    """Return a question as vegeta reads it."""
    header = {"Content-Type": ["application/json"], **{name: [headers[name]] for name in headers}}
    content = base64.b64encode(body).decode()
    return json.dumps({"method": "POST", "url": url, "header": header, "body": content}) + "\n"


def client(module: str, target: Running, *arguments: object) -> tuple[Load, float]:
    """Run a client of ours; return what came of it, and its own microseconds of CPU an answer."""
    command = [sys.executable, "-m", f"bench.measuring.{module}", target.address]
    said: dict[str, Any] = json.loads(_run([*command, *map(str, arguments)]))
    cpu = said.pop("cpu")
    return Load(**said), cpu


def _run(command: Sequence[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stderr[-2000:] or done.stdout[-2000:]}")
    return done.stdout


def _require(target: Running, fine: bool, said: str) -> None:  # noqa: FBT001 - a condition
    if not fine:
        log = target.log.read_text(errors="replace")[-1000:]
        sys.exit(f"not everything was answered with 200 ({said}); the log of it ends with\n{log}")
