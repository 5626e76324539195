"""One fault: caused, watched, healed, and judged."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from faults.asking import Asker, Figures
from faults.rig import DEADLINE, MARGIN, Holdings, Service

if TYPE_CHECKING:
    from faults.matrix import Fault
    from faults.rig import Rig

# Seconds.
BEFORE: Final = 0.5
DURING: Final = 2.0
RECOVERY: Final = 5.0
# What is left behind may take so long to be closed.
_CLOSED_WITHIN: Final = 15.0
# What a service that has been asked keeps: connections to its PDPs, and who reads them.
KEPT: Final = Holdings(descriptors=8, tasks=2, processes=0)
# Calls to PDPs for each question: one, a fifth of them again, and a few that the budget reserves.
_MOST_CALLS: Final = 1.25
# By how much an asker is late at the p99 on a machine that has no time for it. Then the others
# that take part have none either.
NOISE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the questions during a fault, and of the service.

    `attempts` is how many calls to PDPs there were for each question, None for an embedded PDP.
    `recovery` is seconds from the end of the fault until every answer was good. `lag` is by how
    many seconds the asker was late meanwhile. `left` is what the service had open afterwards,
    beyond what it had before.
    """

    fault: Fault
    during: Figures
    whole: Figures
    attempts: float | None
    recovery: float
    lag: float
    left: Holdings

    @property
    def late(self) -> float:
        """How many seconds after what is promised the answers came, at the p99; 0 for none."""
        return max(0.0, self.during.percentile(0.99) - DEADLINE - MARGIN)

    @property
    def is_noise(self) -> bool:
        """Whether a promise was broken that the machine may have broken.

        A wrong answer is the fault of no machine.
        """
        return self.lag > NOISE and not self.whole.wrong and bool(judge(self))


def undergo(fault: Fault, rig: Rig) -> Outcome:
    """Cause the fault on a service of its own, and return what became of it.

    What may have been the machine is tried once more.
    """
    outcome = _undergo(fault, rig)
    return _undergo(fault, rig) if outcome.is_noise else outcome


def _undergo(fault: Fault, rig: Rig) -> Outcome:
    scene = fault.prepare(rig)
    with Service(
        rig.folder("service"), scene.pdp, server=scene.server, environ=scene.environ
    ) as service:
        before = service.holdings()
        with Asker(service.listen, trust=scene.trust) as asker:
            asker.recovered(time.monotonic(), within=RECOVERY)
            time.sleep(BEFORE)
            calls = service.attempts()
            started = time.monotonic()
            with scene.cause(service):
                time.sleep(DURING)
                ended = time.monotonic()
                asker.settled()
            healed = time.monotonic()
            recovery = asker.recovered(healed, within=RECOVERY)
            calls = service.attempts() - calls
            asked = len(asker.between(started, time.monotonic()).answers)
        return Outcome(
            fault,
            asker.between(started, ended),
            asker.between(0.0, time.monotonic()),
            calls / asked if calls else None,
            recovery,
            asker.lag(started, ended),
            _left(service, before),
        )


def _left(service: Service, before: Holdings) -> Holdings:
    """Return what is left when all that is on its way out has gone, or is not going to."""
    end = time.monotonic() + _CLOSED_WITHIN
    while True:
        left = service.holdings().beyond(before)
        if not _too_much(left) or time.monotonic() > end:
            return left
        time.sleep(0.02)


def _too_much(left: Holdings) -> bool:
    return (
        left.descriptors > KEPT.descriptors
        or left.tasks > KEPT.tasks
        or left.processes != KEPT.processes
    )


def judge(outcome: Outcome) -> list[str]:
    """Return which promises were broken."""
    fault, during = outcome.fault, outcome.during
    broken = [f"wrong: {answer}" for answer in outcome.whole.wrong]
    if unforeseen := set(outcome.whole.errors) - fault.errors:
        broken.append(f"unforeseen errors: {sorted(unforeseen)}: {outcome.whole.errors}")
    if outcome.late:
        broken.append(
            f"p99 is {during.percentile(0.99):.3f} s, after the deadline; "
            f"the asker was late by {outcome.lag:.3f} s"
        )
    if outcome.attempts is not None and outcome.attempts > _MOST_CALLS:
        broken.append(f"{outcome.attempts:.2f} calls a question: an outage is made worse")
    if _too_much(outcome.left):
        broken.append(f"left behind: {outcome.left}")
    return broken
