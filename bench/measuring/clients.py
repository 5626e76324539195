"""What the clients of ours share: a closed loop, and what it prints."""

from __future__ import annotations

import asyncio
import json
import time
from itertools import cycle
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

_Asked = TypeVar("_Asked")
_WARM_UP: Final = 0.3  # seconds


async def closed_loop(
    ask: Callable[[int, _Asked], Awaitable[None]],
    asked: Sequence[_Asked],
    *,
    in_flight: int,
    seconds: float,
    answers_each: int = 1,
) -> str:
    """Ask with so many at a time, and return the figures as JSON.

    `ask` gets the number of the one who asks, and what. `answers_each` is how many answers one
    brings. Times are milliseconds; `cpu` is the microseconds of this process's CPU an answer.
    """
    turn = cycle(asked)
    took: list[float] = []
    begin = time.perf_counter() + _WARM_UP
    end = begin + seconds

    async def worker(number: int) -> None:
        while (started := time.perf_counter()) < end:
            await ask(number, next(turn))
            if started >= begin:
                took.append(time.perf_counter() - started)

    workers = asyncio.gather(*map(worker, range(in_flight)))
    await asyncio.sleep(_WARM_UP)
    cpu = time.process_time()
    await workers
    cpu = time.process_time() - cpu
    spent = time.perf_counter() - begin
    took.sort()
    answers = len(took) * answers_each
    p50, p90, p99 = (took[len(took) * part // 100] * 1e3 for part in (50, 90, 99))
    return json.dumps(
        {
            "answers": answers,
            "throughput": answers / spent,
            "p50": p50,
            "p90": p90,
            "p99": p99,
            "cpu": cpu / answers * 1e6,
        }
    )
