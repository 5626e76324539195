"""What the tests of the server share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from serving import Service


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    """Run a server with default settings, on free ports."""
    async with serving() as running:
        yield running
