"""Calls of a test, and what becomes of them."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from authorizer.rpc.channel import Channel
from authorizer.rpc.status import CallFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from authorizer.config.addresses import Address


@asynccontextmanager
async def channel_to(target: Address, **options: Any) -> AsyncIterator[Channel]:  # noqa: ANN401
    channel = Channel(target, **options)
    try:
        yield channel
    finally:
        await channel.close()


async def call(channel: Channel, content: bytes = b"?", *, seconds: float = 20) -> bytes:
    return await channel.call(channel.method("/s/M"), content, seconds=seconds)


async def failed(channel: Channel, content: bytes = b"?", *, seconds: float = 20) -> CallFailed:
    with pytest.raises(CallFailed) as caught:
        await call(channel, content, seconds=seconds)
    return caught.value
