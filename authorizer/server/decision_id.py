"""Names for decisions."""

from __future__ import annotations

import os
import time
from typing import Final

_VERSION: Final = 0x7 << 76
_VARIANT: Final = 0b10 << 62
_RANDOM: Final = (1 << 76) - 1 ^ 0b11 << 62


def new_decision_id() -> str:
    """Return a new UUID of version 7 (RFC 9562): sorted as text, ids are sorted by time."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big") & _RANDOM
    text = f"{milliseconds << 80 | _VERSION | _VARIANT | random:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
