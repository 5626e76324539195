"""Waiting for a condition, with a bound, instead of sleeping."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def until(condition: Callable[[], object], *, within: float = 5.0) -> None:
    """Return once `condition` holds; fail the test when it does not within `within` seconds."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "the condition did not come to hold in time"
        time.sleep(0.002)


async def eventually(condition: Callable[[], object], *, within: float = 5.0) -> None:
    """Do as `until`, while the event loop runs on."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, "the condition did not come to hold in time"
        await asyncio.sleep(0.002)
