"""What the tests of the server share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import uvloop
from serving import serving

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Callable, Mapping

    from serving import Service


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Serve on the event loop that `authorizer serve` runs."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """Run a server with default settings, on free ports."""
    async with serving() as running:
        yield running
