"""A tethered program does not outlive the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from polling import PATIENCE, until
from processes import gone

from authorizer import tether

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

# Starts a program on a tether, as the embedded PDP does, and then waits to be killed.
PARENT = """
import os, subprocess, sys, time
tether, mode, pid_file = sys.argv[1:]
command = [sys.executable, "-I", "-S", tether, *([mode] if mode else []), str(os.getpid())]
program = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
subprocess.Popen([*command, sys.executable, "-c", program, pid_file], stdin=subprocess.PIPE)
time.sleep(600)
"""


LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own tether is Linux's")


@pytest.mark.parametrize("mode", ["--watch", pytest.param("", marks=LINUX)])
def test_it_dies_with_a_parent_that_is_killed(tmp_path: Path, mode: str) -> None:
    pid_file = tmp_path / "pid"
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tether.__file__, mode, str(pid_file)])
    try:
        until(lambda: pid_file.exists() and pid_file.read_text())
        pid = int(pid_file.read_text())
        assert not gone(pid)
    finally:
        parent.kill()
        parent.wait()
    try:
        until(lambda: gone(pid))
    finally:
        if not gone(pid):
            os.kill(pid, signal.SIGKILL)


def run(*arguments: str, parent: int | None = None) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-I", "-S", tether.__file__]
    if arguments[0] == "--watch":
        command, arguments = [*command, "--watch"], arguments[1:]
    return subprocess.Popen(
        [*command, str(parent or os.getpid()), *arguments], stdin=subprocess.PIPE
    )


@pytest.mark.parametrize("watch", [[], ["--watch"]])
def test_its_exit_status_is_the_programs(watch: list[str]) -> None:
    with run(*watch, sys.executable, "-c", "raise SystemExit(7)") as process:
        assert process.wait(PATIENCE) == 7


def test_the_watching_one_passes_a_termination_on(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    program = (
        "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"
    )
    with run("--watch", sys.executable, "-c", program, str(pid_file)) as process:
        until(lambda: pid_file.exists() and pid_file.read_text())
        process.terminate()
        assert process.wait(PATIENCE) == 128 + signal.SIGTERM
    assert gone(int(pid_file.read_text()))


@LINUX
def test_a_parent_that_died_too_early_is_noticed() -> None:
    """The process id that it was given is not its parent's any more: nothing is run."""
    with run(sys.executable, "-c", "raise SystemExit(7)", parent=1) as process:
        assert process.wait(PATIENCE) == 1
