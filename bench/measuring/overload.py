"""One overload: open loop, at a rate that nobody can answer, and what became of each request."""

from __future__ import annotations

import http.client
import statistics
import time
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bench.measuring.loads import Hit
    from bench.measuring.programs import Running

# What the authorizer says, and what the bare handler says.
_REFUSALS: Final = frozenset({"overloaded", "503"})
# So many good answers in a row are a recovery.
_STREAK: Final = 20
# How long one of them may take, and how long to wait for the last of them. Seconds.
_PROMPT: Final = 0.1
_PATIENCE: Final = 15.0


@dataclass(frozen=True)
class Latency:
    """How many, and their milliseconds."""

    count: int
    p50: float
    p99: float

    @classmethod
    def of(cls, seconds: Iterable[float]) -> Latency:
        """Return that of these, in seconds; zeros where there are none."""
        took = sorted(seconds)
        if not took:
            return cls(0, 0.0, 0.0)
        return cls(len(took), statistics.median(took) * 1e3, took[len(took) * 99 // 100] * 1e3)


@dataclass(frozen=True)
class Became:
    """What became of a load. Requests a second, `offered` being what was really sent.

    `others` counts what was neither decided nor refused, by reason or by what the client saw.
    """

    offered: float
    goodput: float
    accepted: Latency
    refused: Latency
    others: dict[str, int]


@dataclass(frozen=True)
class Capacity:
    """How many decisions a second a target makes that is not overloaded; 0: it decides nothing.

    `closed` for a closed loop, `most` at the best rate of an open one, and `beside` the same while
    all that an overload asks more is asked at another door.
    """

    closed: float = 0.0
    most: float = 0.0
    beside: float = 0.0


@dataclass(frozen=True)
class Overload:
    """A load, what became of it, and what it took.

    `cores` is what each program took of them, from the first answer on for as long as was asked,
    `recovery` the seconds until all was well again, `peak` the MiB of memory that the target had at
    the most.
    """

    capacity: Capacity
    became: Became
    cores: dict[str, float]
    recovery: float
    peak: float


def chosen(number: int, share: float) -> bool:
    """Say whether the `number`th of many, from 0, is of those that are a share of all. Pure.

    They lie evenly among the others: of any in a row, it is their share, give or take one.
    """
    return int((number + 1) * share) > int(number * share)


def became(hits: Sequence[Hit]) -> Became:
    """Return what became of requests that were sent one after the other. Pure."""
    seconds = max(hits[-1].at - hits[0].at, 1e-9)
    accepted = Latency.of(hit.seconds for hit in hits if hit.code == HTTPStatus.OK)
    refused = Latency.of(hit.seconds for hit in hits if hit.reason in _REFUSALS)
    others = Counter(
        hit.reason for hit in hits if hit.code != HTTPStatus.OK and hit.reason not in _REFUSALS
    )
    return Became(len(hits) / seconds, accepted.count / seconds, accepted, refused, dict(others))


def recovered(target: Running, request: bytes, since: float) -> float:
    """Ask until all is well; return how many seconds after `since` (Unix time) that began.

    It is not waited for longer than 15 seconds: as many are said then.
    """
    end = time.time() + _PATIENCE
    began, good = 0.0, 0
    while good < _STREAK:
        asked = time.time()
        if asked > end:
            return asked - since
        if _answers_well(target, request) and time.time() - asked < _PROMPT:
            began = began if good else asked
            good += 1
        else:
            good = 0
    return max(0.0, began - since)


def _answers_well(target: Running, body: bytes) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", target.port, timeout=2)
    try:
        connection.request("POST", "/authorize", body, {"Content-Type": "application/json"})
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
