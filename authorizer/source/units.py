"""Durations and sizes, which people write with their unit."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_DURATION: Final = re.compile(r"((?:0|[1-9][0-9]{0,5})(?:\.[0-9]{1,3})?)(ms|s|m|h)")
_SECONDS: Final = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_SIZE: Final = re.compile(r"([1-9][0-9]{0,5})(B|KiB|MiB)")
_BYTES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2}


def seconds(text: str) -> float:
    """Return the seconds of a duration such as `500ms`; raises ValueError for anything else."""
    found = _DURATION.fullmatch(text)
    if found is None:
        msg = "expected a duration, such as 500ms, 2s or 1m"
        raise ValueError(msg)
    # Exact until the end: 0.1s and 100ms are one number.
    return float(Fraction(found[1]) * _SECONDS[found[2]])


def size(text: str) -> int:
    """Return the bytes of a size such as `64KiB`; raises ValueError for anything else."""
    found = _SIZE.fullmatch(text)
    if found is None:
        msg = "expected a size, such as 64KiB or 1MiB"
        raise ValueError(msg)
    return int(found[1]) * _BYTES[found[2]]
