"""Whether a process is still there."""

from __future__ import annotations

import os
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
