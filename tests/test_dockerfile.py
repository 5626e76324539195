"""The image keeps its promises: pinned, not root, nothing in it that installs or builds."""

from __future__ import annotations

import fnmatch
import http.server
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "Dockerfile"


@dataclass
class Stage:
    """A stage of the Dockerfile, with its instructions as (name, arguments)."""

    parent: str
    name: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [arguments for name, arguments in self.instructions if name == instruction]


def read() -> tuple[dict[str, str], list[Stage]]:
    """Return the Dockerfile's global arguments and its stages in order."""
    code = "".join(
        line for line in DOCKERFILE.read_text().splitlines(keepends=True) if line[0] != "#"
    )
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in code.replace("\\\n", " ").splitlines():
        if not line.strip():
            continue
        name, rest = line.split(maxsplit=1)
        if name == "FROM":
            parent, _, stage = rest.split()
            stages.append(Stage(parent, stage))
        elif not stages:
            key, value = rest.split("=", 1)
            arguments[key] = value
        else:
            stages[-1].instructions.append((name, rest))
    return arguments, stages


ARGUMENTS, STAGES = read()
BY_NAME = {stage.name: stage for stage in STAGES}
BASE = BY_NAME["base"]


def test_every_base_image_is_pinned_by_a_tag_that_says_a_version() -> None:
    for stage in STAGES:
        image = re.sub(r"\$\{(\w+)\}", lambda found: ARGUMENTS[found[1]], stage.parent)
        if image in BY_NAME:
            continue
        _, _, tag = image.partition(":")
        assert re.match(r"\d", tag), image
        assert "latest" not in tag


def test_what_is_built_by_default_is_the_service_without_a_pdp() -> None:
    assert (STAGES[-1].parent, STAGES[-1].instructions) == ("base", [])
    assert BY_NAME["with-pdp"].parent == "base"


def test_it_runs_as_a_number_that_is_not_root() -> None:
    (user,) = BASE.all("USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    after = BASE.instructions[BASE.instructions.index(("USER", user)) :]
    assert not [name for name, _ in after if name == "RUN"]


def test_nothing_in_it_installs_or_builds_and_nothing_in_it_writes() -> None:
    (run,) = BASE.all("RUN")
    assert "pip uninstall --yes" in run
    assert "apt-get" not in DOCKERFILE.read_text()
    assert "PYTHONDONTWRITEBYTECODE=1" in " ".join(BASE.all("ENV"))
    assert "compileall" in " ".join(BY_NAME["build"].all("RUN"))


def test_everything_from_outside_comes_by_hash() -> None:
    for stage in STAGES:
        for command in " ".join(stage.all("RUN")).split("&&"):
            if re.search(r"\bpip\b.* install ", command):
                assert "--require-hashes" in command or "--no-index" in command
            assert not re.search(r"\bnpm (i|install)\b|curl|wget", command)


def test_it_starts_the_service() -> None:
    assert BASE.all("ENTRYPOINT") == ['["authorizer"]']
    assert BASE.all("CMD") == ['["serve"]']


def test_what_is_copied_is_there_and_not_ignored() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = [
        source.rstrip("/")
        for stage in STAGES
        for arguments in stage.all("COPY")
        if not arguments.startswith("--from")
        for source in arguments.split()[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert any(source == rule or source.startswith(f"{rule}/") for rule in allowed), source
    for secret in (".git", ".venv", ".env", "authorizer.yaml"):
        assert not any(fnmatch.fnmatch(secret, rule) for rule in allowed)


def test_what_it_imports_as_a_proof_needs_all_that_a_decision_needs() -> None:
    """Whatever is missing in the image shows when it is built."""
    (proof,) = re.findall(r'python -c "import ([^"]+)"', DOCKERFILE.read_text("utf-8"))
    shown = "import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"import {proof}; {shown}"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(done.stdout.split())
    for folder in ("wiring", "server", "supervisor", "instrumentation"):
        modules = {path.stem for path in (ROOT / "authorizer" / folder).glob("[!_]*.py")}
        assert {f"authorizer.{folder}.{name}" for name in modules} - loaded == set()


@contextmanager
def service(status: int) -> Iterator[int]:
    """Answer `GET /health/alive` with `status`; yield the port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/health/alive" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def health_check(port: int) -> int:
    (check,) = BASE.all("HEALTHCHECK")
    python, *arguments = json.loads(check.partition("CMD ")[2])
    assert python == "python"
    assert "8081" in arguments[-1]
    arguments[-1] = arguments[-1].replace("8081", str(port))
    environment = {"http_proxy": "http://127.0.0.1:9"}
    return subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, env=environment, timeout=30
    ).returncode


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_the_health_check_says_what_the_service_says(status: int, code: int) -> None:
    with service(status) as port:
        assert health_check(port) == code


def test_the_health_check_fails_where_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # and does not listen
        assert health_check(bound.getsockname()[1]) == 1


def test_the_linter_has_no_complaint() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which(
        "hadolint"
    )
    if hadolint is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [hadolint, DOCKERFILE], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (0, "")
