"""`make run`: what it prints is so."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chain import Ports
from httpstub import Handler, serving
from polling import PATIENCE, until
from processes import children, gone
from served import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def run(log: Path, listen: str, admin: str) -> subprocess.Popen[bytes]:
    """Start it as `make run` does, but for the addresses; what it prints goes to `log`."""
    addresses = {"AUTHORIZER__SERVER__LISTEN": listen, "AUTHORIZER__ADMIN__LISTEN": admin}
    with log.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, str(ROOT / "tools" / "run.py")],
            env={**os.environ, **PATIENT, **addresses},
            stdout=file,
            stderr=subprocess.STDOUT,
        )


@pytest.mark.integration
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_its_two_lines_show_an_allow_and_a_deny_and_nothing_outlives_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    ports = Ports.free()
    listen = f"127.0.0.1:{ports.authorizer}"
    log = tmp_path / "log"
    running = run(log, listen, f"127.0.0.1:{ports.authorizer_admin}")
    try:
        until(lambda: "Ctrl-C" in log.read_text() or running.poll() is not None)
        lines = re.findall(r"^  (curl .*)$", log.read_text(), re.MULTILINE)
        answers = [subprocess.check_output(shlex.split(line), text=True) for line in lines]
        assert [answer.splitlines()[0] for answer in answers] == [
            "HTTP/1.1 200 OK",
            "HTTP/1.1 403 Forbidden",
        ]
        assert all(listen in line for line in lines)
        started = children(running.pid)
    finally:
        running.send_signal(number)
        assert running.wait(timeout=PATIENCE) == 0
    assert started
    assert all(gone(pid) for pid in started)


@pytest.fixture
def another() -> Iterator[str]:
    """Have something that is ready where the authorizer would listen."""

    class Ready(Handler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

    with serving(Ready) as address:
        yield address


def test_beside_another_it_says_so_and_prints_no_line_that_would_ask_that_one(
    tmp_path: Path, another: str
) -> None:
    log = tmp_path / "log"
    running = run(log, another, "127.0.0.1:0")
    try:
        assert running.wait(timeout=PATIENCE) == 1
    finally:
        running.kill()
    assert f"Something answers at {another} already" in log.read_text()
    assert "curl" not in log.read_text()
