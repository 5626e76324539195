"""A refusal by our own clock: from when its bytes are there to when its answer is written.

Needs `tests` on the path, for a server without programs (tests/serving.py).
"""

from __future__ import annotations

import asyncio
import dataclasses
import statistics
import time
from typing import TYPE_CHECKING, Final

from serving import assemble, settings

from authorizer.instrumentation.metrics import Metrics
from authorizer.instrumentation.thinned import Thinned
from authorizer.server.authorize import Authorizer
from authorizer.server.connection import Limits
from authorizer.server.endpoint import Endpoint
from authorizer.server.replies import refuse_unreadable
from authorizer.server.shedding import Shedding
from authorizer.server.short_way import ShortWay
from bench.measuring.browser import request
from bench.measuring.workloads import workloads

if TYPE_CHECKING:
    from authorizer.server.collaborators import Sink

_BATCHES: Final = 50
_BATCH: Final = 400


class _Transport(asyncio.Transport):
    """Counts what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.answers = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.answers += bytes(data).startswith(b"HTTP/1.1 501 ")

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Do nothing."""


def measure() -> float:
    """Return the seconds that a refusal takes, its metric and its part in the log included."""
    return asyncio.run(_measure())


async def _measure() -> float:
    service = assemble(settings(max_in_flight=1, max_wait=0.0))
    sinks: list[Sink] = [Thinned(service.sink), Metrics(version="")]
    collaborators = dataclasses.replace(service.collaborators, sinks=sinks)
    await collaborators.places.take()
    endpoint = Endpoint(
        {},
        limits=Limits(connections=collaborators.connections, idle_timeout=60, header_timeout=60),
        refuse_unreadable=refuse_unreadable,
        short_way=ShortWay(
            "POST", "/authorize", Authorizer(collaborators), Shedding(collaborators)
        ),
    )
    connection, transport = endpoint(), _Transport()
    connection.connection_made(transport)
    await asyncio.sleep(0)  # until it waits for a request
    (body,) = workloads(1)["distinct"].bodies(1, 0)
    data = request(body)
    took = []
    for _ in range(_BATCHES):
        begun = time.perf_counter()
        for _ in range(_BATCH):
            connection.data_received(data)
        took.append((time.perf_counter() - begun) / _BATCH)
        await asyncio.sleep(0)
    connection.connection_lost(None)
    if transport.answers != _BATCHES * _BATCH:
        msg = "not everything was refused"
        raise AssertionError(msg)
    return statistics.median(took)
