"""Ports for programs that cannot be told to take any."""

from __future__ import annotations

import random
import socket
from typing import Final

# Below the range that Linux and macOS take ports from, for clients and for who listens on port 0:
# what is free when we look stays so until a program has it. And not the range of the chain.
_RANGE: Final = range(10_000, 20_000)
_CHANCE: Final = random.SystemRandom()  # hypothesis seeds the other one alike in all processes
_GIVEN: Final[set[int]] = set()


def free_port() -> int:
    """Return a port of loopback that nobody listens on, and another one each time."""
    while True:
        port = _CHANCE.choice(_RANGE)
        if port not in _GIVEN and is_free(port):
            _GIVEN.add(port)
            return port


def is_free(port: int) -> bool:
    """Tell whether nobody listens there.

    Not by connecting: asyncio before 3.12 leaks a connection that comes as its server closes.
    """
    with socket.socket() as probe:
        # Beside open connections of a server that is gone one may bind, beside a server not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
