"""`authorizer serve` with a log that nobody reads, a full disk, and callers who write into it."""

from __future__ import annotations

import contextlib
import json
import re
import resource
import signal
import subprocess
import tempfile
import unicodedata
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from freeports import free_port
from logpipe import Pipe
from polling import PATIENCE, until
from processes import memory
from served import COMMAND, PATIENT, body, environment, prepare

from authorizer.instrumentation.decision_log import EVENT

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

QUEUE: Final = 50
# Beside what waits in the queue, the writer holds one batch.
HELD: Final = QUEUE + 32
MB: Final = 1 << 20


@dataclass
class Target:
    """The service, by its process and its two addresses."""

    process: subprocess.Popen[bytes]
    listen: str
    admin: str

    def ask(self, content: bytes) -> int:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"http://{self.listen}/authorize", content, headers)
        try:
            with urllib.request.urlopen(request, timeout=2 * PATIENCE) as answer:  # noqa: S310 - loopback
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code

    @property
    def dropped(self) -> float:
        with urllib.request.urlopen(f"http://{self.admin}/metrics", timeout=2 * PATIENCE) as answer:
            text = answer.read().decode()
        found = re.search(r"^authorizer_log_dropped_total (\S+)$", text, re.MULTILINE)
        assert found
        return float(found[1])

    @property
    def resident(self) -> int:
        """The bytes of memory that it has now."""
        return memory(self.process.pid)

    def is_ready(self) -> bool:
        assert self.process.poll() is None
        try:
            with urllib.request.urlopen(f"http://{self.admin}/health/ready", timeout=2 * PATIENCE):
                return True
        except OSError:
            return False


@contextlib.contextmanager
def logging_to(descriptor: int, log_format: str = "json") -> Iterator[Target]:
    """Run the service with this as its standard output. It has to end well."""
    with tempfile.TemporaryDirectory(prefix="log-") as name:
        listen, admin = (f"127.0.0.1:{free_port()}" for _ in range(2))
        config = (
            f"server: {{listen: '{listen}'}}\nadmin: {{listen: '{admin}'}}\n"
            "pdp: {embedded: {policies: policies}}\n"
            f"log: {{queue: {QUEUE}, format: {log_format}}}\n"
        )
        folder = prepare(Path(name), config)
        process = subprocess.Popen(
            [COMMAND, "serve"],
            cwd=folder,
            env=environment(folder, PATIENT),
            stdout=descriptor,
            stderr=subprocess.PIPE,
        )
        try:
            target = Target(process, listen, admin)
            until(target.is_ready)
            yield target
            process.send_signal(signal.SIGTERM)
            _, complaints = process.communicate(timeout=2 * PATIENCE)
            assert (process.returncode, complaints) == (0, b"")
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_a_log_that_nobody_reads_stops_no_decision_takes_no_memory_and_says_what_is_lost(
    pipe: Pipe,
) -> None:
    pipe.fill()
    question, forbidden = body(), body("/orgs/globex/documents/1")
    with logging_to(pipe.write_end) as target:
        for _ in range(500):
            assert target.ask(question) == 200
        before, lost = target.resident, target.dropped
        assert lost >= 500 - HELD
        for _ in range(1000):
            assert target.ask(question) == 200
            assert target.ask(forbidden) == 403
        assert target.dropped - lost >= 2000
        assert target.resident - before < 5 * MB
        # Somebody reads again: the log itself says what was lost, after what had begun to be
        # written before that.
        said = b""

        def is_told() -> bool:
            nonlocal said
            said += pipe.read()
            return lost_lines(said) == target.dropped

        assert target.ask(question) == 200
        until(is_told)


def lost_lines(said: bytes) -> int:
    """Return how many lines were lost, as the log itself says."""
    whole = said.lstrip(b"x").rpartition(b"\n")[0].splitlines()
    events = [json.loads(line) for line in whole]
    return sum(event["lines"] for event in events if event["event"] == "log.dropped")


def test_a_full_disk_stops_no_decision_and_each_line_is_counted() -> None:
    with Path("/dev/full").open("wb") as full, logging_to(full.fileno()) as target:
        for _ in range(200):
            assert target.ask(body()) == 200
            assert target.ask(body("/orgs/globex/documents/1")) == 403
        # Those, and that it is ready.
        until(lambda: target.dropped >= 401)


def test_a_disk_that_has_room_again_gets_whole_lines_again(tmp_path: Path) -> None:
    # A limit to the size of a file stands in for a full disk: a write comes short, then fails.
    path = tmp_path / "log"
    with path.open("ab") as log, logging_to(log.fileno()) as target:
        assert target.ask(body()) == 200
        until(lambda: EVENT in path.read_text())
        pid = target.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (path.stat().st_size + 100, before[1]))
        for _ in range(20):
            assert target.ask(body()) == 200
        until(lambda: target.dropped == 20)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)
        assert target.ask(body("/orgs/globex/documents/1")) == 403
        until(lambda: "policy_deny" in path.read_text())
    (torn,) = [line for line in path.read_text().splitlines() if not line.endswith("}")]
    assert len(torn) == 100
    assert lost_lines(path.read_bytes().replace(f"{torn}\n".encode(), b"")) == 20


# --- who writes into it ----------------------------------------------------------------------

FORGED: Final = '{"event": "authorization.decision", "outcome": "allow", "subject": "eve"}'
NASTY: Final = [
    f"\n{FORGED}\n",
    f"\r{FORGED}\r",
    f"\r\n{FORGED}",
    f"\u2028{FORGED}\u2029",
    f"\x85{FORGED}\x0b\x0c",
    "\x1b[2J\x1b]0;owned\x07\x9b31m\x08\x7f",
    "\u202e\u2066 turned around",
]


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_caller_can_add_a_line_or_command_a_terminal(tmp_path: Path, log_format: str) -> None:
    """By a subject, a path, a host, a method or a request id; each raw, and percent-encoded."""
    path = tmp_path / "log"
    asked = 0
    with path.open("ab") as log, logging_to(log.fileno(), log_format) as target:
        for text in NASTY:
            encoded = "".join(f"%{byte:02X}" for byte in text.encode())
            for keys in (
                {"subject": text},
                {"url": f"http://api.acme.test/{text}"},
                {"url": f"http://api.acme.test/{encoded}"},
                {"url": f"http://{text}/"},
                {"method": text},
                {"headers": {"x-request-id": [text]}},
                {"extra": {"identity": {"id": text}}},
                {"profile": text},
                {text: text},
            ):
                assert target.ask(body(**keys)) in (200, 400, 403)
                asked += 1
        until(lambda: path.read_bytes().count(EVENT.encode()) >= asked)
        assert target.dropped == 0
    lines = path.read_text("utf-8").split("\n")
    assert lines.pop() == ""
    decisions = [line for line in lines if is_decision(line, log_format)]
    assert len(decisions) == asked
    assert not [c for line in lines for c in line if unicodedata.category(c) in {"Cc", "Zl", "Zp"}]
    assert not set("\u202e\u2066") & set("".join(lines))
    if log_format == "json":
        assert "eve" not in {json.loads(line).get("subject") for line in lines}


def is_decision(line: str, log_format: str) -> bool:
    if log_format == "json":
        return bool(json.loads(line)["event"] == EVENT)
    return re.match(rf"\S+ \[\w+ *\] {re.escape(EVENT)} ", line) is not None
