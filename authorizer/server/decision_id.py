"""Names for decisions."""

from __future__ import annotations

import time
from random import getrandbits


def new_decision_id() -> str:
    """Return a new UUID of version 7 (RFC 9562): sorted as text, ids are sorted by time.

    It is a name and no secret. To ask the system for its random bytes takes 10 us where other
    threads wait for the interpreter, as that is handed over; these have been seeded by it, in each
    process anew.
    """
    milliseconds = time.time_ns() // 1_000_000
    random = getrandbits(74)
    return (
        f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}-7{random >> 62:03x}"
        f"-{0x8000 | random >> 48 & 0x3FFF:04x}-{random & 0xFFFFFFFFFFFF:012x}"
    )
