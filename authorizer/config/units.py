"""Durations and sizes, which the configuration writes with their unit."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

_QUANTITY: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]+)")
_SECONDS: Final = {
    "ms": Fraction(1, 1000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3600),
}
_BYTES: Final = {"B": 1, "KiB": 1024, "MiB": 1024**2}


def seconds(text: str) -> float:
    """Return the seconds of a duration such as `500ms`; raises ValueError for anything else."""
    return float(_quantity(text, _SECONDS))


def size(text: str) -> int:
    """Return the bytes of a size such as `64KiB`; raises ValueError for anything else."""
    number = _quantity(text, {unit: Fraction(factor) for unit, factor in _BYTES.items()})
    if number.denominator != 1:
        msg = "a size is a whole number of bytes"
        raise ValueError(msg)
    return int(number)


def _quantity(text: str, units: dict[str, Fraction]) -> Fraction:
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in units:
        msg = f"expected a number and one of {', '.join(units)}"
        raise ValueError(msg)
    return Fraction(found[1]) * units[found[2]]
