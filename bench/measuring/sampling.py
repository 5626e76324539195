"""Where a running program spends its CPU: py-spy looks at it from outside, 250 times a second.

A profiler inside would be told late: what C code spends on its own, it adds to whatever Python
runs next.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.measuring.programs import Running

PY_SPY: Final = Path(sys.executable).parent / "py-spy"
_RATE: Final = 250  # a second
_MAIN: Final = "MainThread"


def require_py_spy() -> None:
    """Exit with what to do where py-spy is not installed."""
    if not PY_SPY.exists():
        sys.exit("py-spy is not installed beside this Python: install the development packages")


@contextmanager
def sampling(program: Running, folder: Path) -> Iterator[Counter[str]]:
    """Fill the counter, when the context ends, with the samples of the main thread by stack.

    A stack is calls, the innermost last, separated by `;`. A thread that waits is not sampled.
    Exits where py-spy may not look.
    """
    stacks: Counter[str] = Counter()
    noted, log = folder / "stacks", folder / "py-spy.log"
    command = [
        str(PY_SPY), "record", "--pid", str(program.pid), "--rate", str(_RATE), "--threads",
        "--duration", "3600", "--format", "raw", "--output", str(noted),
    ]  # fmt: skip
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as spy:
        try:
            yield stacks
        finally:
            spy.send_signal(signal.SIGINT)
    if not noted.exists():
        hint = "run as root, or allow it with: sysctl kernel.yama.ptrace_scope=0"
        sys.exit(f"py-spy cannot look at another process ({hint})\n{log.read_text()}")
    stacks.update(read(noted.read_text()))


def read(text: str) -> Counter[str]:
    """Return the samples of the main thread in what py-spy wrote as `raw`."""
    stacks: Counter[str] = Counter()
    for line in text.splitlines():
        stack, _, count = line.rpartition(" ")
        thread, _, calls = stack.partition(";")
        if thread.endswith(_MAIN):
            stacks[calls] += int(count)
    return stacks
