"""What the tests of the supervisor share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Mapping


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Look after workers on the event loop that `authorizer serve` runs."""
    return {"uvloop": uvloop.new_event_loop}
