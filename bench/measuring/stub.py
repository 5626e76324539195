"""A floor: the PDP's generated stub on grpc.aio, asked with requests that are there already.

    python -m bench.measuring.stub HOST:PORT FILE IN_FLIGHT SECONDS AT_ONCE

FILE holds CheckResourcesRequests, each after its length. AT_ONCE of them are asked together, one
call each, and what is timed is all of them.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc.aio
import uvloop
from cerbos.effect.v1 import effect_pb2
from cerbos.request.v1 import request_pb2
from cerbos.svc.v1 import svc_pb2_grpc

from bench.measuring.clients import closed_loop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

_LENGTH: Final = struct.Struct("<I")
TIMEOUT: Final = 5.0  # seconds


def write(path: Path, requests: Iterable[bytes]) -> None:
    """Write a FILE."""
    with path.open("wb") as out:
        for request in requests:
            out.write(_LENGTH.pack(len(request)) + request)


def read(path: Path, at_once: int) -> list[list[Any]]:
    """Return the messages of a FILE, in groups."""
    content, position, messages = path.read_bytes(), 0, []
    while position < len(content):
        (length,) = _LENGTH.unpack_from(content, position)
        position += _LENGTH.size + length
        one = content[position - length : position]
        messages.append(request_pb2.CheckResourcesRequest.FromString(one))
    return [messages[start : start + at_once] for start in range(0, len(messages), at_once)]


async def asked(
    check: Callable[[Any], Awaitable[Any]],
    groups: Sequence[Sequence[Any]],
    in_flight: int,
    seconds: float,
) -> str:
    """Ask by `check`, and return the figures as JSON. Raises where the PDP does not allow."""
    at_once = len(groups[0])

    async def one(message: Any) -> None:  # noqa: ANN401 - Cerbos's messages have no types
        answer = await check(message)
        (result,) = answer.results
        if list(result.actions.values()) != [effect_pb2.EFFECT_ALLOW]:
            raise AssertionError(answer)

    async def ask(_: int, group: Sequence[Any]) -> None:
        if at_once == 1:
            await one(group[0])
        else:
            await asyncio.gather(*map(one, group))

    return await closed_loop(
        ask, groups, in_flight=in_flight, seconds=seconds, answers_each=at_once
    )


async def main(target: str, groups: Sequence[Sequence[Any]], in_flight: int, seconds: float) -> str:
    """Ask by the stub; return and raise as `asked`."""
    async with grpc.aio.insecure_channel(target) as channel:
        stub = svc_pb2_grpc.CerbosServiceStub(channel)
        check = partial(stub.CheckResources, timeout=TIMEOUT)
        return await asked(check, groups, in_flight, seconds)


if __name__ == "__main__":
    target, path, in_flight, seconds, at_once = sys.argv[1:]
    groups = read(Path(path), int(at_once))
    print(uvloop.run(main(target, groups, int(in_flight), float(seconds))))
