"""A pipe for a log to write into."""

from __future__ import annotations

import json
import os
from typing import Any


class Pipe:
    """A pipe: `write_end` is what a log writes to; the reading end is never blocking."""

    def __init__(self) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self._open = True

    def read(self) -> bytes:
        """Return all that is in the pipe now."""
        out = b""
        while True:
            try:
                part = os.read(self.read_end, 1 << 20)
            except BlockingIOError:
                return out
            if not part:
                return out
            out += part

    def events(self) -> list[dict[str, Any]]:
        """Return all that is in the pipe now, as one JSON object a line."""
        return [json.loads(line) for line in self.read().splitlines()]

    def fill(self) -> None:
        """Fill the pipe, so that the next write into it blocks."""
        os.set_blocking(self.write_end, False)
        for size in (1 << 16, 1):  # a pipe with less room than a page takes single bytes still
            try:
                while True:
                    os.write(self.write_end, b"x" * size)
            except BlockingIOError:
                pass
        os.set_blocking(self.write_end, True)

    def close_reader(self) -> None:
        """Break the pipe: the next write into it fails with EPIPE."""
        if self._open:
            os.close(self.read_end)
            self._open = False

    def close(self) -> None:
        """Give up both ends."""
        self.close_reader()
        os.close(self.write_end)
