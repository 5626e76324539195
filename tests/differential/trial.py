"""The nouns: an attempt, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from differential.application import Declared, Upstream


@dataclass(frozen=True)
class Attempt:
    """One request to one upstream through one set of rules; `kinds` says what is odd about it."""

    upstream: Upstream
    declared: Declared
    method: str
    target: bytes
    kinds: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return f"{self.method} {self.target.decode('latin-1')!r}"


@dataclass(frozen=True)
class Decision:
    """What the authorizer has logged. `captures` are what the PDP was asked about, by name."""

    outcome: str
    reason: str
    route: str
    captures: Mapping[str, str]


@dataclass(frozen=True)
class Served:
    """What the upstream says it has served, and what it was told was authorised."""

    route: str
    captures: Mapping[str, str | list[str]]
    authorised: str
    request: str


@dataclass(frozen=True)
class Trial:
    """An attempt, and what came of it.

    `decision` is None where Oathkeeper asked nobody; `served` where no route of the application
    answered. `reached` says that the application saw the request.
    """

    attempt: Attempt
    request: str
    status: int
    reached: bool
    decision: Decision | None
    served: Served | None

    @property
    def is_allowed(self) -> bool:
        """Whether the gateway let it through."""
        return self.decision is not None and self.decision.outcome == "allow"
