"""An allowed and a forbidden question, asked all the time, and what was answered."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from polling import until
from served import body
from sessions import session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from faults.asker import Order


def question(
    person: int = 0, *, allowed: bool = True, expires_at: str = "2099-01-01T00:00:00Z"
) -> bytes:
    """Return what Oathkeeper sends for a person of acme, who may see its documents alone."""
    subject = f"person-{person}"
    extra = session({"organization": "acme"}, identity={"id": subject}, expires_at=expires_at)
    path = f"/orgs/{'acme' if allowed else 'other'}/documents/1"
    return body(path, subject=subject, extra=extra)


@dataclass(frozen=True, slots=True)
class Request:
    """One of the requests that are made in turn, as text, and whether it is to be allowed."""

    text: str
    allowed: bool


def to_authorize(content: bytes, *, allowed: bool = True) -> Request:
    """Return the request for a decision about this question."""
    head = (
        "POST /authorize HTTP/1.1\r\nHost: authorizer\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return Request(head + content.decode(), allowed)


# More people than are ever waiting: what one person asks meanwhile would go as one call.
_PEOPLE: Final = 200
BOTH: Final = [
    to_authorize(question(person, allowed=person % 2 == 0), allowed=person % 2 == 0)
    for person in range(_PEOPLE)
]

# Requests a second. Each is asked at its time, however late others are.
RATE: Final = 100
# How long the asker itself waits: what takes longer than that has stalled.
PATIENCE: Final = 3.0
# So many good answers in a row are a recovery.
STREAK: Final = 20

_PROGRAM: Final = Path(__file__).with_name("asker.py")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `asked_at` is on the monotonic clock, `seconds` its latency.

    `number` is the request's. `reason` is the authorizer's, "" when it was not told, or says how
    there was no answer: `stalled` or `cut off`.
    """

    number: int
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
        return _percentile([answer.seconds for answer in self.answers], share)


@dataclass
class Asker:
    """Asks requests in turn, in a process of its own, until it is left.

    `address` is host:port; with `trust`, a file of certificate authorities, it speaks TLS.
    """

    address: str
    requests: Sequence[Request] = field(default_factory=lambda: BOTH)
    trust: Path | None = None
    rate: int = RATE
    answers: list[Answer] = field(default_factory=list)
    _ticks: list[tuple[float, float]] = field(default_factory=list)
    _open_since: float = 0.0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        order: Order = {
            "address": self.address,
            "trust": None if self.trust is None else str(self.trust),
            "requests": [request.text for request in self.requests],
            "rate": self.rate,
            "patience": PATIENCE,
        }
        assert self._process.stdin is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.close()
            status = self._process.wait(timeout=PATIENCE + 10)
        finally:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            self._process.stdout.close()
        assert status == 0, "the asker failed: see its standard error"

    @property
    def pid(self) -> int:
        return self._process.pid

    def between(self, start: float, end: float) -> Figures:
        """Return what became of what was asked in that time."""
        return Figures([answer for answer in list(self.answers) if start <= answer.asked_at < end])

    def lag(self, start: float, end: float) -> float:
        """Return by how many seconds the asker itself was late in that time, at the p99."""
        return _percentile([lag for due, lag in list(self._ticks) if start <= due < end], 0.99)

    def settled(self) -> None:
        """Wait until all that has been asked by now is answered."""
        now = time.monotonic()
        until(lambda: self._open_since > now, within=PATIENCE + 5)

    def recovered(self, since: float, *, within: float) -> float:
        """Return how many seconds after `since` good answers began to be all there are."""
        end = time.monotonic() + within
        while True:
            later = sorted(self.between(since, end).answers, key=lambda answer: answer.asked_at)
            bad = [index for index, answer in enumerate(later) if not answer.good]
            first = bad[-1] + 1 if bad else 0
            if len(later) - first >= STREAK:
                return later[first].asked_at - since
            assert time.monotonic() < end, f"no recovery: {later[-3:]}"
            time.sleep(0.02)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            match json.loads(line):
                case ["tick", due, late, open_since]:
                    self._ticks.append((due, late))
                    self._open_since = open_since
                case ["answer", number, asked_at, seconds, status, reason]:
                    allowed = self.requests[number].allowed
                    self.answers.append(Answer(number, allowed, asked_at, seconds, status, reason))


def _percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(len(values) * share), len(values) - 1)]
