"""What the tests of the calls share."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Call on the event loop that `authorizer serve` runs, and on that of the commands."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}
