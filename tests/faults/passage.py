"""The whole chain while its PDP is gone: what Oathkeeper's callers see, and what we are asked."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from chain import Entrance
from faults.asking import Asker, Figures, Request
from faults.outages import killed, stopped
from faults.rig import DEADLINE
from faults.trial import NOISE
from polling import until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from chain import Chain
    from faults.outages import Program

    Fault: TypeAlias = Callable[[Program], AbstractContextManager[None]]

# Open to everyone, by the policy: the PDP is asked, Kratos is not.
PATH: Final = "/public/acme/documents/handbook"
# What the way through Oathkeeper may add to the deadline, in seconds.
ADDED: Final = 0.1
# What Oathkeeper makes of our 501.
_STATUS: Final = 500
_ALLOWED: Final = 200
_RATE: Final = 50
_DURING: Final = 2.0
_RECOVERY: Final = 10.0
# More than are asked in all that time.
_REQUESTS: Final = 2000


PDP_FAULTS: Final[Mapping[str, Fault]] = {"killed": killed, "stopped (SIGSTOP)": stopped}


@dataclass(frozen=True, slots=True)
class Passage:
    """What callers were told during an outage. `usual` is what they were told before it.

    `questions` is how many times the authorizer was asked for a request: so many → how often.
    `recovery` and `lag` are seconds, as in `Outcome`.
    """

    fault: str
    entrance: Entrance
    usual: Figures
    during: Figures
    questions: Counter[int]
    recovery: float
    lag: float

    @property
    def statuses(self) -> Counter[int]:
        """What callers got, how often."""
        return Counter(answer.status for answer in self.during.answers)

    @property
    def late(self) -> float:
        """How many seconds after what is promised the last answer came; 0 for none."""
        return max(0.0, self.during.percentile(1) - DEADLINE - ADDED)

    @property
    def is_noise(self) -> bool:
        """Whether a promise was broken that the machine may have broken, as in `Outcome`."""
        return self.lag > NOISE and _ALLOWED not in self.statuses and bool(judge_passage(self))


def passage(chain: Chain, fault: str, entrance: Entrance) -> Passage:
    """Ask through Oathkeeper while the PDP is gone.

    What may have been the machine is tried once more.
    """
    done = _passage(chain, fault, entrance)
    return _passage(chain, fault, entrance) if done.is_noise else done


def judge_passage(done: Passage) -> list[str]:
    """Return which promises were broken."""
    broken = []
    if set(done.statuses) != {_STATUS}:
        broken.append(f"callers got {done.statuses}")
    if set(done.questions) != {1}:
        broken.append(f"so many questions a request, so often: {done.questions}")
    if done.late:
        broken.append(
            f"the last answer came after {done.during.percentile(1):.3f} s; "
            f"the asker was late by {done.lag:.3f} s"
        )
    return broken


def _passage(chain: Chain, fault: str, entrance: Entrance) -> Passage:
    ids = [str(uuid.uuid4()) for _ in range(_REQUESTS)]
    address = chain.proxy if entrance is Entrance.PROXY else f"127.0.0.1:{chain.ports.api}"
    requests = [Request(_text(chain, entrance, request_id), allowed=True) for request_id in ids]
    with Asker(address, requests, rate=_RATE) as asker:
        begun = time.monotonic()
        asker.recovered(begun, within=_RECOVERY)
        started = time.monotonic()
        with PDP_FAULTS[fault](chain.programs["cerbos"]):
            # What was asked just before may have been decided or not.
            gone = time.monotonic()
            time.sleep(_DURING)
            ended = time.monotonic()
            asker.settled()
        healed = time.monotonic()
        recovery = asker.recovered(healed, within=_RECOVERY)
        asker.settled()
    during = asker.between(gone, ended)
    return Passage(
        fault,
        entrance,
        asker.between(begun, started),
        during,
        _questions(chain, [ids[answer.number] for answer in during.answers]),
        recovery,
        asker.lag(gone, ended),
    )


def _text(chain: Chain, entrance: Entrance, request_id: str) -> str:
    seen = f"127.0.0.1:{chain.ports.proxy}"
    if entrance is Entrance.PROXY:
        return f"GET {PATH} HTTP/1.1\r\nHost: {seen}\r\nX-Request-Id: {request_id}\r\n\r\n"
    return (
        f"GET /decisions{PATH} HTTP/1.1\r\nHost: oathkeeper\r\nX-Request-Id: {request_id}\r\n"
        f"X-Forwarded-Host: {seen}\r\nX-Forwarded-Proto: http\r\n\r\n"
    )


def _questions(chain: Chain, ids: list[str]) -> Counter[int]:
    """Count the decisions that were logged about each of these requests."""
    log = chain.programs["authorizer"].log

    def logged() -> Counter[str]:
        whole = log.read_text().rpartition("\n")[0].splitlines()
        events = (json.loads(line) for line in whole if line.startswith("{"))
        return Counter(event["request_id"] for event in events if event.get("request_id"))

    # It is written a moment after the answer, in the order of decisions; a line that is missing
    # is a broken promise, and not for here.
    last = ids[-1]
    until(lambda: last in logged())
    found = logged()
    return Counter(found[request_id] for request_id in ids)
