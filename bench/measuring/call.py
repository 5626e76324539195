"""The PDP asked by our own calls (authorizer/rpc), with requests that are there already.

    python -m bench.measuring.call HOST:PORT FILE IN_FLIGHT SECONDS AT_ONCE

As `bench.measuring.stub`, which asks the same by gRPC's library: what is between the two is what
that library costs. It reads an answer no further than its effect, as the stub's client does.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from cerbos.response.v1 import response_pb2

from authorizer.config.addresses import parse_target
from authorizer.pdp.channel import SERVICE, open_channel
from bench.measuring import stub

if TYPE_CHECKING:
    from collections.abc import Sequence


async def main(target: str, groups: Sequence[Sequence[Any]], in_flight: int, seconds: float) -> str:
    """Ask by our own calls; return and raise as `stub.asked`."""
    channel = open_channel(parse_target(target))
    method = channel.method(f"/{SERVICE}/CheckResources")

    async def check(message: Any) -> Any:  # noqa: ANN401 - Cerbos's messages have no types
        said = await channel.call(method, message.SerializeToString(), seconds=stub.TIMEOUT)
        return response_pb2.CheckResourcesResponse.FromString(said)

    try:
        return await stub.asked(check, groups, in_flight, seconds)
    finally:
        await channel.close()


if __name__ == "__main__":
    target, path, in_flight, seconds, at_once = sys.argv[1:]
    groups = stub.read(Path(path), int(at_once))
    print(uvloop.run(main(target, groups, int(in_flight), float(seconds))))
