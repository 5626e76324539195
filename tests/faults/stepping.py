"""The wall clock of one process, to be stepped while it runs.

Real is the step that the process sees: whatever in it asks libc for the time, be it Python, gRPC or
OpenSSL, gets the stepped one from one moment to the next, and the monotonic clock goes on. Not
stepped are the kernel (a timer that is set for a moment of the wall clock; the authorizer sets
none), the times of files, and other processes, a Go program that is its child included.
"""

from __future__ import annotations

import os
import struct
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMPILER: Final = os.environ.get("CC", "cc")
_SOURCE: Final = Path(__file__).with_name("stepped_clock.c")
_SECONDS: Final = struct.Struct("q")


class WallClock:
    """The wall clock of a process that is started with `environ`."""

    def __init__(self, folder: Path) -> None:
        """Build what it takes, in the folder. Needs `COMPILER`."""
        library = folder / "stepped_clock.so"
        subprocess.run(
            [COMPILER, "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", library, _SOURCE],
            check=True,
        )
        self._offset = folder / "offset"
        self._offset.write_bytes(_SECONDS.pack(0))
        self.environ: Mapping[str, str] = {
            "LD_PRELOAD": str(library),
            "STEPPED_CLOCK": str(self._offset),
        }

    @contextmanager
    def stepped(self, seconds: int) -> Iterator[None]:
        """Step it, and step it back when the context is left."""
        self._write(seconds)
        try:
            yield
        finally:
            self._write(0)

    def _write(self, seconds: int) -> None:
        # In place: the process has the file mapped.
        with self._offset.open("r+b") as file:
            file.write(_SECONDS.pack(seconds))
