"""Which processes there are."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path


def gone(pid: int) -> bool:
    """Return whether no such process runs; one that died and was not buried yet runs no more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        # The state follows the program's name, which stands in parentheses (proc_pid_stat(5)).
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False  # no /proc here, or it ended just now: ask again


def children(pid: int) -> list[int]:
    """Return the process ids of the children of a process."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)  # noqa: S607 - on every Linux and macOS
    assert found.returncode in (0, 1), found.stderr  # 1: it has none
    return [int(line) for line in found.stdout.split()]


def memory(pid: int, *, peak: bool = False) -> int:
    """Return the bytes of memory that a process has now, or the most that it has had (Linux)."""
    name = "VmHWM" if peak else "VmRSS"
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def stop(pid: int) -> None:
    """Stop a child as SIGSTOP does, and return when each of its threads has stopped."""
    os.kill(pid, signal.SIGSTOP)
    # The signal arrives later than kill() returns; until then the program may still answer.
    os.waitid(os.P_PID, pid, os.WSTOPPED)


def resume(pid: int) -> None:
    """Let go on what was stopped."""
    os.kill(pid, signal.SIGCONT)
