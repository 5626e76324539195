"""A worker of `authorizer serve`, which starts it by itself: `worker PARENT_PID DESCRIPTOR`."""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING

from authorizer import tether
from authorizer.cli.serve import run_to_its_end

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Work on what comes over the socket of this descriptor; return the exit status."""
    parent, descriptor = map(int, arguments)
    # First of all: what follows takes half a second, in which the parent may die.
    if sys.platform == "linux" and not tether.die_with(parent):
        return 1
    connected = socket.socket(fileno=descriptor)

    from authorizer.supervisor.work import work  # noqa: PLC0415 - the half second

    return run_to_its_end(lambda: work(connected))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
