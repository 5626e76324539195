"""Waiting for a condition, with a bound, instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# Seconds, and no promise of anybody's: what has not come by then does not come, also on a machine
# that stalls. Whoever waits for something promised gives the time that is promised.
PATIENCE: Final = 30.0


def until(condition: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Return once `condition` holds; fail the test when it does not within `within` seconds."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "the condition did not come to hold in time"
        time.sleep(0.002)


async def eventually(condition: Callable[[], object], *, within: float = PATIENCE) -> None:
    """Do as `until`, while the event loop runs on."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "the condition did not come to hold in time"
        await asyncio.sleep(0.002)
