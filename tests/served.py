"""`authorizer serve` as a process of its own, in a folder with rules and policies."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cerbosserver import DOCUMENTS
from polling import PATIENCE, until
from sessions import session

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND: Final = Path(sys.executable).parent / "authorizer"
FREE_PORTS: Final = "server: {listen: '127.0.0.1:0'}\nadmin: {listen: '127.0.0.1:0'}\n"
EMBEDDED: Final = FREE_PORTS + "pdp: {embedded: {policies: policies}}\n"
# Deadlines of a service that is asked for its answers, and not for how soon they come: a machine
# that stalls for as long as the shipped ones must not change them.
PATIENT: Final = {
    "AUTHORIZER__SERVER__DEADLINE": f"{PATIENCE}s",
    "AUTHORIZER__SERVER__MAX_WAIT": f"{PATIENCE}s",
    "AUTHORIZER__PDP__ATTEMPT_TIMEOUT": f"{PATIENCE}s",
}
RULES: Final = """\
version: 1
routes:
  - id: documents.item
    match: {path: "/orgs/{org}/documents/{id}", methods: [GET]}
    resource: {kind: document, id: "${path.id}", attr: {organization: "${path.org}"}}
    action: view
  - id: open
    match: {path: /open, methods: [GET]}
    effect: allow
"""


def prepare(folder: Path, config: str = EMBEDDED) -> Path:
    """Put a configuration, rules and policies into a folder, and return it."""
    for name in ("rules", "policies"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "authorizer.yaml").write_text(config)
    (folder / "rules" / "a.yaml").write_text(RULES)
    (folder / "policies" / "document.yaml").write_text(DOCUMENTS)
    return folder


def save(path: Path, text: str) -> None:
    """Save as editors do: beside it, then over it."""
    beside = path.with_suffix(".tmp")
    beside.write_text(text)
    beside.replace(path)


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment without settings of ours, and with `more`.

    Temporary files go into `folder`, so that nothing is left of what is killed.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AUTHORIZER")}
    return {**kept, "TMPDIR": str(folder), **more}


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end."""
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def body(path: str = "/orgs/acme/documents/1", **keys: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return what Oathkeeper sends for Ann of acme; `keys` are laid over it."""
    extra = session({"organization": "acme"}, expires_at="2099-01-01T00:00:00Z")
    asked = {"subject": "ann", "method": "GET", "url": f"http://api.acme.test{path}"}
    return json.dumps({**asked, "profile": "kratos", "extra": extra, **keys}).encode()


@dataclass(frozen=True, repr=False)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        """Say what a failed assertion has to show before it cuts the rest: the reason."""
        reason = self.headers.get("X-Decision-Reason", "")
        return f"Answer({self.status}, {reason!r}, {self.body!r})"

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        return self.headers["X-Decision-Reason"]


@dataclass
class Served:
    """A running `authorizer serve`.

    It is `PATIENT`, whatever its configuration says, unless a test is about those times.
    """

    folder: Path
    arguments: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    patient: bool = True
    process: subprocess.Popen[bytes] = field(init=False)
    ready: dict[str, Any] = field(init=False)

    def start(self) -> None:
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            self.process = subprocess.Popen(
                [COMMAND, "serve", *self.arguments],
                cwd=self.folder,
                env=environment(self.folder, {**(PATIENT if self.patient else {}), **self.environ}),
                stdout=out,
                stderr=err,
            )
        until(lambda: self.process.poll() is not None or self.events("authorizer.ready"))
        assert self.process.poll() is None, self.stderr
        (self.ready,) = self.events("authorizer.ready")

    def stop(self) -> int:
        """Ask it to stop, and return its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=2 * PATIENCE)

    def kill(self) -> None:
        """Kill it. What it started has to go by itself."""
        self.process.kill()
        self.process.wait()

    def kill_one(self, pid: int, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a worker of it."""
        assert pid in self.worker_pids().values()
        os.kill(pid, number)

    def end(self) -> None:
        """Stop it if it still runs, by all means."""
        try:
            self.stop()
        finally:
            self.kill()

    @property
    def stderr(self) -> str:
        return (self.folder / "err").read_text()

    def decisions_of(self, worker: int) -> int:
        """Return how many decisions a worker has logged so far."""
        events = self.events("authorization.decision")
        return sum(event["worker"] == worker for event in events)

    def worker_pids(self) -> dict[int, int]:
        """Return the process ids of the workers by their numbers, as they were last ready."""
        return {event["number"]: event["pid"] for event in self.events("worker.ready")}

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the events of a name that were logged so far."""
        lines = (self.folder / "out").read_bytes().split(b"\n")[:-1]
        return [event for line in lines if (event := json.loads(line))["event"] == name]

    @property
    def embedded_pid(self) -> int:
        """The process id of its only child."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        (pid,) = children.read_text().split()
        return int(pid)

    def connection(self, *, admin: bool = False) -> http.client.HTTPConnection:
        host, port = self.ready["admin" if admin else "listen"].rsplit(":", 1)
        return http.client.HTTPConnection(host, int(port), timeout=2 * PATIENCE)

    def ask(self, content: bytes | None = None, **headers: str) -> Answer:
        headers = {"Content-Type": "application/json", **headers}
        return self._answer("POST", "/authorize", content or body(), headers)

    def get(self, path: str, *, admin: bool = False) -> Answer:
        return self._answer("GET", path, admin=admin)

    def metric(self, name: str) -> float:
        """Return the value of a metric, its labels included in the name."""
        for line in self.get("/metrics", admin=True).body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        message = f"there is no metric {name}"
        raise AssertionError(message)

    def _answer(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        admin: bool = False,
    ) -> Answer:
        connection = self.connection(admin=admin)
        try:
            connection.request(method, path, content, dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, dict(response.getheaders()), response.read())
        finally:
            connection.close()
