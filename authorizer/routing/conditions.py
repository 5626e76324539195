"""Conditions on a request's query and headers, and which of several says more."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from authorizer.routing.asked import Asked


class Part(enum.StrEnum):
    """Where a condition looks."""

    QUERY = "query"
    HEADERS = "headers"


@dataclass(frozen=True, slots=True)
class Condition:
    """One name must be there, with `value` where that is not None."""

    part: Part
    name: str
    value: str | None

    def sent(self, asked: Asked) -> Collection[str]:
        """Return what the caller sent under this name; raises UnreadableQuery."""
        if self.part is Part.QUERY:
            return asked.sent_query(self.name)
        return asked.headers.get(self.name, ())

    def holds(self, asked: Asked) -> bool:
        """Say whether the request fulfils it; raises UnreadableQuery."""
        values = self.sent(asked)
        return bool(values) and (self.value is None or self.value in values)

    def __str__(self) -> str:
        return f"{self.part}.{self.name}" + ("" if self.value is None else f" is {self.value}")


def repeated(conditions: Iterable[Condition], asked: Asked) -> Condition | None:
    """Return the first condition whose name the caller sent twice: which one counts is unknown."""
    return next((one for one in conditions if len(one.sent(asked)) > 1), None)


def weight(conditions: frozenset[Condition]) -> tuple[int, int]:
    """Return how much conditions say. Of two sets where one implies the other, it has more."""
    return len(conditions), sum(one.value is not None for one in conditions)


def implies(more: frozenset[Condition], less: frozenset[Condition]) -> bool:
    """Say whether every request that fulfils `more` fulfils `less`."""
    return all(
        any(
            one.part is other.part
            and one.name == other.name
            and (other.value is None or one.value == other.value)
            for one in more
        )
        for other in less
    )


def exclude(one: frozenset[Condition], other: frozenset[Condition]) -> bool:
    """Say whether no request can fulfil both (a name sent twice is refused before)."""
    wanted = {(condition.part, condition.name): condition.value for condition in one}
    return any(
        condition.value is not None
        and wanted.get((condition.part, condition.name)) not in (None, condition.value)
        for condition in other
    )


def tie(one: frozenset[Condition], other: frozenset[Condition]) -> bool:
    """Say whether some request fulfils both, and neither says more."""
    if exclude(one, other):
        return False
    return implies(one, other) == implies(other, one)
