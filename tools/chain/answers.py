"""What is asked of the chain, and what came of it."""

from __future__ import annotations

import enum
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

_LOGGED_WITHIN: Final = 30.0  # seconds; the log is written beside the answer, not before it
_LOOK_EVERY: Final = 0.005


class Entrance(enum.StrEnum):
    """The two ways to ask Oathkeeper."""

    PROXY = "proxy"
    DECISIONS = "decisions"


@dataclass(frozen=True)
class Question:
    """A request; `path` goes out byte for byte."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Answer:
    """What the caller got, and why.

    `reason` is the authorizer's; "" when it was not asked, None when nobody can tell.
    """

    status: int
    reason: str | None


class DecisionLog:
    """Reads the authorizer's log for the decision about one request."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def find(self, request_id: str) -> dict[str, Any]:
        """Return the decision about a request; {} when none was logged in time."""
        deadline = time.monotonic() + _LOGGED_WITHIN
        while time.monotonic() < deadline:
            for line in self._file.read_text(errors="replace").splitlines():
                if request_id not in line:
                    continue
                record = _decoded(line)
                if record.get("event") == "authorization.decision":
                    return record
            time.sleep(_LOOK_EVERY)
        return {}


def _decoded(line: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError:  # the writer is in the middle of it
        return {}
    return record if isinstance(record, dict) else {}
