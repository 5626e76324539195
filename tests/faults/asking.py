"""An allowed and a forbidden question, asked all the time, and what was answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

import aiohttp
from served import body
from sessions import session

if TYPE_CHECKING:
    from collections.abc import Sequence


def question(person: int = 0, *, allowed: bool = True) -> bytes:
    """Return what Oathkeeper sends for a person of acme, who may see its documents alone."""
    subject = f"person-{person}"
    extra = session(
        {"organization": "acme"}, identity={"id": subject}, expires_at="2099-01-01T00:00:00Z"
    )
    path = f"/orgs/{'acme' if allowed else 'other'}/documents/1"
    return body(path, subject=subject, extra=extra)


# More people than are ever waiting: what one person asks meanwhile would go as one call.
_PEOPLE: Final = 200
_QUESTIONS: Final = {
    (person, allowed): question(person, allowed=allowed)
    for person in range(_PEOPLE)
    for allowed in (True, False)
}

# Questions a second, half of each kind. Each is asked at its time, however late others are.
RATE: Final = 100
# How long the asker itself waits: what takes longer than that has stalled.
PATIENCE: Final = 3.0
# So many good answers in a row are a recovery.
STREAK: Final = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `asked_at` is on the monotonic clock, `seconds` its latency.

    `reason` is the authorizer's, or says how there was no answer: `stalled` or `cut off`.
    """

    allowed: bool
    asked_at: float
    seconds: float
    status: int
    reason: str

    @property
    def good(self) -> bool:
        """Whether it is what the policy says."""
        return self.status == (200 if self.allowed else 403)


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of the questions of a time. Latencies in seconds."""

    answers: Sequence[Answer]

    @property
    def wrong(self) -> list[Answer]:
        """Those that say what no policy said: a forbidden thing allowed, an allowed one denied."""
        return [
            answer for answer in self.answers if answer.status == (403 if answer.allowed else 200)
        ]

    @property
    def errors(self) -> Counter[str]:
        """How often there was no decision, by reason."""
        return Counter(answer.reason for answer in self.answers if answer.status not in (200, 403))

    def percentile(self, share: float) -> float:
        """Return the latency that `share` (0 to 1) of the answers do not exceed."""
        latencies = sorted(answer.seconds for answer in self.answers)
        return latencies[min(int(len(latencies) * share), len(latencies) - 1)]


@dataclass
class Asker:
    """Asks both questions in turn, until it is left."""

    url: str
    answers: list[Answer] = field(default_factory=list)
    _lags: list[tuple[float, float]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        # Kept-alive connections, as Oathkeeper's are.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=200),
            timeout=aiohttp.ClientTimeout(total=PATIENCE),
        )
        self._asking: set[asyncio.Task[None]] = set()
        self._clockwork = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._clockwork.cancel()
        await asyncio.wait([self._clockwork])
        await asyncio.gather(*self._asking)
        await self._session.close()

    def between(self, start: float, end: float) -> Figures:
        """Return what became of what was asked in that time."""
        return Figures([answer for answer in self.answers if start <= answer.asked_at < end])

    def lag(self, start: float, end: float) -> float:
        """Return by how many seconds this machine was late itself in that time, at the p99."""
        lags = sorted(lag for due, lag in self._lags if start <= due < end)
        return lags[int(len(lags) * 0.99)]

    async def settled(self) -> None:
        """Wait until all that has been asked by now is answered."""
        await asyncio.gather(*self._asking)

    async def recovered(self, since: float, *, within: float) -> float:
        """Return how many seconds after `since` good answers began to be all there are."""
        end = time.monotonic() + within
        while True:
            later = sorted(
                (answer for answer in self.answers if answer.asked_at >= since),
                key=lambda answer: answer.asked_at,
            )
            bad = [index for index, answer in enumerate(later) if not answer.good]
            first = bad[-1] + 1 if bad else 0
            if len(later) - first >= STREAK:
                return later[first].asked_at - since
            assert time.monotonic() < end, f"no recovery: {later[-3:]}"
            await asyncio.sleep(0.02)

    async def _run(self) -> None:
        started, number = time.monotonic(), 0
        while True:
            number += 1
            due = started + number / RATE
            await asyncio.sleep(due - time.monotonic())
            self._lags.append((due, time.monotonic() - due))
            task = asyncio.create_task(self._ask(number % _PEOPLE, allowed=number % 2 == 0))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def _ask(self, person: int, *, allowed: bool) -> None:
        asked_at = time.monotonic()
        status, reason = 0, "stalled"
        try:
            async with self._session.post(
                self.url,
                data=_QUESTIONS[person, allowed],
                headers={"Content-Type": "application/json"},
            ) as response:
                await response.read()
                status, reason = response.status, response.headers["X-Decision-Reason"]
        except TimeoutError:
            pass
        except aiohttp.ClientError:
            reason = "cut off"
        seconds = time.monotonic() - asked_at
        self.answers.append(Answer(allowed, asked_at, seconds, status, reason))
