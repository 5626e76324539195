"""Building what lives long, and deciding, beside Python's garbage collector.

The collector stops everything while it looks through what lives. While a large table is built it
would do so again and again (0.2 s at a time with 10,000 routes, 3 s with 100,000), and find
nothing: what is read and compiled refers to itself nowhere, and goes as soon as nobody needs it.
So does what a decision is made with, unless its caller hangs up.

Freezing what was built freezes all else that lives then. What of that is garbage later, and refers
to itself, is found only when all that is frozen is looked through: once much of it may be such.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# How many containers there are more than at its last look when the collector looks at the new
# ones. Python's own 700 are few: requests that come at a time are some thousands, which go when
# they are answered. Of a decision of *distinct* (docs/performance.md), looking took 49 us with 32
# in flight and 128 with 128; now 3 and 27. One look is longer for that, by a millisecond or so.
_MANY: Final = 10_000
# One part in so many of what is frozen may be garbage.
_PARTS: Final = 8


@dataclass(slots=True)
class _Frozen:
    """Counts of what is frozen: what the last build made, and the least that was beside that."""

    built: int = 0
    least: int = 0


_frozen: Final = _Frozen()


@contextmanager
def uncollected() -> Iterator[None]:
    """Build with the collector off, in the whole process; it never looks at what was built.

    What a failed build left behind is the collector's again.
    """
    was_enabled = gc.isenabled()
    _look_through()
    # What is frozen below is hardly ever collected: so no garbage may be left then. This looks
    # through little, as what was built before is frozen.
    gc.collect()
    before = gc.get_freeze_count() + len(gc.get_objects())
    gc.disable()
    try:
        yield
        gc.freeze()
        _frozen.built = max(0, gc.get_freeze_count() - before)
        _give_back()
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Have the collector look seldom, in the whole process: for one that decides."""
    before = gc.get_threshold()
    gc.set_threshold(_MANY, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _look_through() -> None:
    """Collect what is frozen, if so much has come to it that nobody builds anew.

    That may be garbage, or live: many more connections. It takes as long as it takes to look at
    all that lives: 45 ms with few routes, 160 ms with 10,000.
    """
    frozen = gc.get_freeze_count()
    others = max(0, frozen - _frozen.built)
    if 0 < _frozen.least < others - frozen // _PARTS:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        _frozen.least = gc.get_freeze_count() - _frozen.built
    else:
        _frozen.least = min(_frozen.least or others, others)


def _give_back() -> None:
    """Give the system what building took and left: glibc keeps it (2 MiB of 10,000 routes)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries have none
    if trim is not None:
        trim(0)
