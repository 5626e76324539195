"""The PDP asked by our own calls (authorizer/rpc), with requests that are there already.

    python -m bench.measuring.call HOST:PORT FILE IN_FLIGHT SECONDS AT_ONCE

As `bench.measuring.stub`, which asks the same by gRPC's library: what is between the two is what
that library costs. It reads an answer no further than its effect, as the stub's client does.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from cerbos.effect.v1 import effect_pb2
from cerbos.response.v1 import response_pb2

from authorizer.config.addresses import parse_target
from authorizer.pdp.channel import SERVICE, open_channel
from bench.measuring import stub
from bench.measuring.clients import closed_loop

if TYPE_CHECKING:
    from collections.abc import Sequence


async def main(target: str, groups: Sequence[Sequence[Any]], in_flight: int, seconds: float) -> str:
    """Ask, and return the figures as JSON. Raises where the PDP does not allow."""
    channel = open_channel(parse_target(target))
    method = channel.method(f"/{SERVICE}/CheckResources")

    async def one(message: Any) -> None:  # noqa: ANN401 - Cerbos's messages have no types
        said = await channel.call(method, message.SerializeToString(), seconds=stub.TIMEOUT)
        (result,) = response_pb2.CheckResourcesResponse.FromString(said).results
        if list(result.actions.values()) != [effect_pb2.EFFECT_ALLOW]:
            raise AssertionError(result)

    async def ask(_: int, group: Sequence[Any]) -> None:
        await asyncio.gather(*map(one, group)) if len(group) > 1 else await one(group[0])

    try:
        return await closed_loop(
            ask, groups, in_flight=in_flight, seconds=seconds, answers_each=len(groups[0])
        )
    finally:
        await channel.close()


if __name__ == "__main__":
    target, path, in_flight, seconds, at_once = sys.argv[1:]
    groups = stub.read(Path(path), int(at_once))
    print(uvloop.run(main(target, groups, int(in_flight), float(seconds))))
