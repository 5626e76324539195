"""Who is killed or stopped for a test is there again for the next one."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faults.outages import killed, stopped
from polling import until

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sleeper:
    """A child that does nothing."""

    def __init__(self) -> None:
        self.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def state(self) -> str:
        """Its letter in proc_pid_stat(5); "" where there is none."""
        if self._process.returncode is not None:
            return ""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]

    def start(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)

    def wait_until_ready(self) -> None:
        until(lambda: self.state == "S")

    def kill(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()


@pytest.fixture
def sleepers() -> Iterator[list[Sleeper]]:
    both = [Sleeper(), Sleeper()]
    yield both
    for one in both:
        one.kill()


def test_who_was_killed_runs_again_whatever_happened_meanwhile(sleepers: list[Sleeper]) -> None:
    with suppress(ZeroDivisionError), killed(*sleepers):
        assert [one.state for one in sleepers] == ["", ""]
        raise ZeroDivisionError
    assert [one.state for one in sleepers] == ["S", "S"]


def test_who_was_stopped_goes_on_whatever_happened_meanwhile(sleepers: list[Sleeper]) -> None:
    with suppress(ZeroDivisionError), stopped(*sleepers):
        assert [one.state for one in sleepers] == ["T", "T"]
        raise ZeroDivisionError
    for one in sleepers:
        one.wait_until_ready()
