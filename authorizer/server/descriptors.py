"""Room for connections in the table of files that the process may have open."""

from __future__ import annotations

import resource
from typing import Final

# What we have open ourselves: files that are watched, the PDP's connections, the admin listener's.
_RESERVE: Final = 512


def make_room(connections: int) -> int:
    """Raise our own limit where that is needed and allowed; return how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _RESERVE
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(1, most - _RESERVE)
