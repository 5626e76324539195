"""Run a program that cannot outlive the process that started it.

Run as a script, by path, so that it starts in 15 ms with nothing but the standard library:

    python -I -S tether.py [--watch] PARENT_PID PROGRAM [ARGUMENT…]

On Linux it asks the kernel to kill it when its parent dies, and becomes the program. Python
offers no safe moment for that between fork and exec while other threads run.
Elsewhere, or with `--watch`, it stays as the program's parent and holds its standard input, a pipe
from its own parent: whatever ends that one closes the pipe, which ends the program.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)
_POLL_SECONDS: Final = 0.2


def main(arguments: Sequence[str]) -> int:
    """Run the program; return its exit status, or do not return at all."""
    watch = arguments[0] == "--watch"
    parent, *program = arguments[1:] if watch else arguments
    if watch or sys.platform != "linux":
        return _watch(program)
    if not die_with(int(parent)):
        return 1
    return os.execv(program[0], program)  # noqa: S606 - no shell is wanted


def die_with(parent: int) -> bool:
    """Have the kernel kill this process when its parent dies (Linux). Return False if it has."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    # It may have died before the kernel was asked; then another one has adopted us.
    return os.getppid() == parent


def _watch(program: Sequence[str]) -> int:
    child = subprocess.Popen(program, stdin=subprocess.DEVNULL)  # noqa: S603 - our own arguments
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while child.poll() is None:
        readable, _, _ = select.select([sys.stdin], [], [], _POLL_SECONDS)
        if readable and not os.read(sys.stdin.fileno(), 1):
            child.kill()
            child.wait()
            return 1
    # The shell's convention for a death by signal, which an exit status alone cannot say.
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
