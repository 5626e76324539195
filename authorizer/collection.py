"""Building what lives long, and deciding, beside Python's garbage collector.

The collector stops everything while it looks through what lives. While a large table is built it
would do so again and again (0.2 s at a time with 10,000 routes, 3 s with 100,000), and find
nothing: what is read and compiled refers to itself nowhere, and goes as soon as nobody needs it.
So does what a decision is made with, unless its caller hangs up.
"""

from __future__ import annotations

import ctypes
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

# How many containers there are more than at its last look when the collector looks at the new
# ones. Python's own 700 are few: requests that come at a time are some thousands, which go when
# they are answered. Of a decision of *distinct* (docs/performance.md), looking took 49 us with 32
# in flight and 128 with 128; now 3 and 27. One look is longer for that, by a millisecond or so.
_MANY: Final = 10_000


@contextmanager
def uncollected() -> Iterator[None]:
    """Build with the collector off, in the whole process; it never looks at what was built.

    What a failed build left behind is the collector's again.
    """
    was_enabled = gc.isenabled()
    # What is frozen below is never collected: so no garbage may be left then. This looks through
    # little, as what was built before is frozen.
    gc.collect()
    gc.disable()
    try:
        yield
        gc.freeze()
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


def _give_back() -> None:
    """Give the system what building took and left: glibc keeps it (2 MiB of 10,000 routes)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other libraries have none
    if trim is not None:
        trim(0)
