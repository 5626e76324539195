"""One fault: caused, watched, healed, and judged."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faults.asking import Asker, Figures
from faults.rig import DEADLINE, MARGIN, Service
from polling import eventually

if TYPE_CHECKING:
    from faults.matrix import Fault
    from faults.rig import Rig

# Seconds.
BEFORE: Final = 0.5
DURING: Final = 2.0
RECOVERY: Final = 5.0
# What a service that has been asked keeps open: connections to its PDPs.
_KEPT_DESCRIPTORS: Final = 8
# Calls to PDPs for each question: one, a fifth of them again, and a few that the budget reserves.
_MOST_CALLS: Final = 1.25


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the questions during a fault, and of the service.

    `attempts` is how many calls to PDPs there were for each question, None for an embedded PDP.
    `recovery` is seconds from the end of the fault until every answer was good. `lag` is by how
    many seconds the machine made its own timers late meanwhile.
    """

    fault: Fault
    during: Figures
    whole: Figures
    attempts: float | None
    recovery: float
    lag: float


async def undergo(fault: Fault, rig: Rig) -> Outcome:
    """Cause the fault on a service of its own, and return what became of it."""
    scene = await asyncio.to_thread(fault.prepare, rig)
    service = Service(rig.folder("service"), scene.pdp)
    await asyncio.to_thread(service.__enter__)
    try:
        descriptors = service.descriptors()
        async with Asker(service.url) as asker:
            await asker.recovered(time.monotonic(), within=RECOVERY)
            await asyncio.sleep(BEFORE)
            calls = await asyncio.to_thread(service.attempts)
            cause = scene.cause(service)
            started = time.monotonic()
            await asyncio.to_thread(cause.__enter__)
            try:
                await asyncio.sleep(DURING)
                ended = time.monotonic()
                await asker.settled()
            finally:
                await asyncio.to_thread(cause.__exit__, None, None, None)
            healed = time.monotonic()
            recovery = await asker.recovered(healed, within=RECOVERY)
            calls = await asyncio.to_thread(service.attempts) - calls
            asked = len(asker.between(started, time.monotonic()).answers)
        await eventually(
            lambda: service.descriptors() <= descriptors + _KEPT_DESCRIPTORS, within=15
        )
        return Outcome(
            fault,
            asker.between(started, ended),
            asker.between(0.0, time.monotonic()),
            calls / asked if calls else None,
            recovery,
            asker.lag(started, ended),
        )
    finally:
        await asyncio.to_thread(service.__exit__)


def judge(outcome: Outcome) -> list[str]:
    """Return which promises were broken."""
    fault, during = outcome.fault, outcome.during
    broken = [f"wrong: {answer}" for answer in outcome.whole.wrong]
    if unforeseen := set(outcome.whole.errors) - fault.errors:
        broken.append(f"unforeseen errors: {sorted(unforeseen)}: {outcome.whole.errors}")
    # Two processes take part, each of them late by that.
    if (late := during.percentile(0.99)) > DEADLINE + MARGIN + 2 * outcome.lag:
        broken.append(f"p99 is {late:.3f} s, after the deadline")
    if outcome.attempts is not None and outcome.attempts > _MOST_CALLS:
        broken.append(f"{outcome.attempts:.2f} calls a question: an outage is made worse")
    return broken
