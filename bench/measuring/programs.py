"""The programs that are measured: started, watched until they answer, stopped by their pid.

Reads /proc for what they cost: Linux only.
"""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench.measuring import workloads

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parents[2]
TOOLS: Final = ROOT / ".tools" / "bin"
AUTHORIZER: Final = Path(sys.executable).parent / "authorizer"
_READY_WITHIN: Final = 60.0  # seconds; a busy machine takes ten
_LOOK_EVERY: Final = 0.01
_PROC: Final = Path("/proc")
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Running:
    """A program that runs, where it listens on loopback, and what it has written."""

    pid: int
    port: int
    log: Path

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def cpu(self) -> float:
        """Return the seconds of CPU that it and its children have used so far.

        That is user and system, all threads; of processes that run still.
        """
        return cpu(self.pid)

    def cpu_of_main(self) -> float:
        """Return the same of its main thread alone."""
        return _cpu(Path(f"/proc/{self.pid}/task/{self.pid}/stat"))

    def resident(self) -> float:
        """Return the MiB of memory that it has."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20

    def peak(self) -> float:
        """Return the MiB of memory that it has had at the most."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        (line,) = [line for line in lines if line.startswith("VmHWM:")]
        return int(line.split()[1]) / 1024

    def forget_log(self) -> None:
        """Empty its log, which grows by megabytes a second. It is appended to."""
        os.truncate(self.log, 0)


def cpu(pid: int) -> float:
    """Return the seconds of CPU that a process and its children have used so far.

    That is user and system, all threads. One that has ended still has them, until it is waited for.
    """
    return sum(_cpu(_PROC / str(one) / "stat") for one in _family(pid))


def cores(pids: Mapping[str, int], seconds: float) -> dict[str, float]:
    """Return the cores that each of these processes takes in the seconds to come."""
    before, begun = {name: cpu(pid) for name, pid in pids.items()}, time.monotonic()
    time.sleep(seconds)
    spent = time.monotonic() - begun
    return {name: (cpu(pid) - before[name]) / spent for name, pid in pids.items()}


def _cpu(stat: Path) -> float:
    fields = _fields(stat)
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _fields(stat: Path) -> list[str]:
    # The name stands in parentheses; after it comes field 3 (proc_pid_stat(5)).
    return stat.read_text().rpartition(")")[2].split()


def _family(pid: int) -> list[int]:
    """Return a process and its children. Not every kernel lists the children of one."""
    found = [pid]
    for folder in _PROC.glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if int(_fields(folder / "stat")[1]) == pid:
                found.append(int(folder.name))
    return found


@contextmanager
def program(
    command: Sequence[str | Path], *, log: Path, port: int, ready: tuple[int, str] | None = None
) -> Iterator[Running]:
    """Run a program while the context lasts; it listens on `port`.

    It is there when `ready`, a port and a path, answers 200; without that, when it accepts
    connections. Exits with the end of its log when it does not start.
    """
    running = start(command, log=log, port=port)
    try:
        _wait(running, ready)
        yield running.program
    finally:
        running.process.terminate()
        try:
            running.process.wait(15)
        except subprocess.TimeoutExpired:
            running.process.kill()
            running.process.wait()


@dataclass(frozen=True)
class Started:
    """A program that may not listen yet, and its process."""

    program: Running
    process: subprocess.Popen[bytes]


def start(command: Sequence[str | Path], *, log: Path, port: int) -> Started:
    """Start a program, and return at once."""
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=log.parent, stdout=out, stderr=out)
    return Started(Running(process.pid, port, log), process)


def _wait(started: Started, ready: tuple[int, str] | None) -> None:
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline and started.process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            if _answers(started.program.port, ready):
                return
        time.sleep(_LOOK_EVERY)
    log = started.program.log
    sys.exit(f"{log.stem} did not start; its log ends with\n{log.read_text()[-2000:]}")


def _answers(port: int, ready: tuple[int, str] | None) -> bool:
    if ready is None:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    connection = http.client.HTTPConnection("127.0.0.1", ready[0], timeout=1)
    try:
        connection.request("GET", ready[1])
        return connection.getresponse().status == http.HTTPStatus.OK
    finally:
        connection.close()


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def pdp(folder: Path) -> Iterator[Running]:
    """Run a real PDP with the one policy, as an embedded one is configured."""
    policies = folder / "policies"
    policies.mkdir(exist_ok=True)
    (policies / "document.yaml").write_text(workloads.POLICY)
    grpc, http_port = free_port(), free_port()
    config = {
        "server": {
            "grpcListenAddr": f"127.0.0.1:{grpc}",
            "httpListenAddr": f"127.0.0.1:{http_port}",
            "apiExplorerEnabled": False,
            "metricsEnabled": False,
        },
        "engine": {"strictEvaluation": True},
        "schema": {"enforcement": "reject"},
        "audit": {"enabled": False},
        "telemetry": {"disabled": True},
        "storage": {"driver": "disk", "disk": {"directory": str(policies)}},
    }
    path = folder / "cerbos.json"
    path.write_text(json.dumps(config))
    command = [str(TOOLS / "cerbos"), "server", f"--config={path}", "--log-level=error"]
    ready = (http_port, "/_cerbos/health")
    with program(command, log=folder / "pdp.log", port=grpc, ready=ready) as running:
        yield running


# Longer than anybody should have them: a service that is full is to show as slow.
PATIENT: Final[Mapping[str, object]] = {"deadline": "5s", "max_wait": "5s"}


def authorizer_arguments(
    folder: Path,
    pdps: Sequence[Running],
    port: int,
    admin: int,
    server: Mapping[str, object] = PATIENT,
) -> list[str]:
    """Write a configuration with everything on, and return the arguments that serve it.

    `server` are more settings of that name.
    """
    config = {
        "server": {"listen": f"127.0.0.1:{port}", **server},
        "admin": {"listen": f"127.0.0.1:{admin}"},
        "pdp": {"endpoints": [pdp.address for pdp in pdps]},
        "rules": {"paths": ["rules"]},
        "log": {"format": "json", "level": "info"},
    }
    path = folder / "authorizer.yaml"
    path.write_text(json.dumps(config))
    return ["serve", "--config", str(path)]


def write_rules(folder: Path, routes: int) -> None:
    """Write the rule file."""
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "all.yaml").write_text(workloads.rules(routes))


@contextmanager
def authorizer(
    folder: Path,
    pdp: Running,
    server: Mapping[str, object] = PATIENT,
    *,
    more_pdps: Sequence[Running] = (),
) -> Iterator[Running]:
    """Run `authorizer serve` on the rules in `folder`; its decision log goes to a file."""
    port, admin = free_port(), free_port()
    arguments = authorizer_arguments(folder, [pdp, *more_pdps], port, admin, server)
    log = folder / "authorizer.log"
    ready = (admin, "/health/ready")
    with program([AUTHORIZER, *arguments], log=log, port=port, ready=ready) as running:
        yield running


@contextmanager
def handler(folder: Path, *more: str) -> Iterator[Running]:
    """Run the bare aiohttp handler, with `more` arguments."""
    port = free_port()
    command = [sys.executable, "-m", "bench.measuring.handler", str(port), *more]
    with program(command, log=folder / "handler.log", port=port) as running:
        yield running


@contextmanager
def door(folder: Path) -> Iterator[Running]:
    """Run what answers anything, for as little as can be."""
    port = free_port()
    command = [sys.executable, "-m", "bench.measuring.door", str(port)]
    with program(command, log=folder / "door.log", port=port) as running:
        yield running


@contextmanager
def oathkeeper(folder: Path, name: str, remote: Running, payload: str) -> Iterator[Running]:
    """Run Oathkeeper, which asks `remote` with one payload; it listens with its decision API."""
    proxy, api, prometheus = free_port(), free_port(), free_port()
    rules = folder / f"{name}.rules.json"
    rule = {
        "id": "all",
        "match": {"url": "http://api.example.test/<.*>", "methods": ["GET"]},
        "authenticators": [{"handler": "anonymous"}],
        "authorizer": {"handler": "remote_json", "config": {"payload": payload}},
        "mutators": [{"handler": "noop"}],
    }
    rules.write_text(json.dumps([rule]))
    config = {
        "serve": {
            "proxy": {"host": "127.0.0.1", "port": proxy},
            "api": {"host": "127.0.0.1", "port": api},
            "prometheus": {"host": "127.0.0.1", "port": prometheus},
        },
        "access_rules": {"repositories": [f"file://{rules}"]},
        "authenticators": {"anonymous": {"enabled": True}},
        "authorizers": {
            "remote_json": {
                "enabled": True,
                "config": {
                    "remote": f"http://{remote.address}/authorize",
                    "payload": "{}",
                    "retry": {"give_up_after": "10ms"},
                },
            }
        },
        "mutators": {"noop": {"enabled": True}},
        "log": {"level": "error"},
    }
    path = folder / f"{name}.json"
    path.write_text(json.dumps(config))
    command = [str(TOOLS / "oathkeeper"), "serve", "--sqa-opt-out", "--config", str(path)]
    # Its own readiness comes before its access rules are read.
    ready = (api, "/rules/all")
    with program(command, log=folder / f"{name}.log", port=api, ready=ready) as running:
        yield running
