"""A case: one request, and what is expected of it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import AccessRequest
    from authorizer.source.document import Place

    # What a suite wrote under `expect`: some of the keys, each with its value.
    Expectation: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One case of a suite. `expected` is what stands under `expect`; `place` is the case's own."""

    name: str
    place: Place
    request: AccessRequest
    expected: Expectation


class Status(enum.StrEnum):
    """What became of a case.

    `undecided`: all is as expected so far, but a policy decides the rest, and no PDP was asked.
    """

    PASSED = "passed"
    FAILED = "failed"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as expected: a key of `expect`, and both values as plain data."""

    key: str
    expected: Any
    got: Any


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a case.

    `differences` are empty unless it failed. `detail` is what the decision says about itself.
    `touched` is the route that the request reached and the entry of its methods, or None.
    `seconds` is how long it took.
    """

    case: Case
    status: Status
    differences: tuple[Difference, ...] = ()
    detail: str = ""
    touched: tuple[str, str] | None = None
    seconds: float = 0.0
