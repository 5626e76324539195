"""The port to a policy decision point. Nothing above it knows gRPC."""

from __future__ import annotations

import enum
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authorizer.model import Check, PdpAnswer, Principal


class Deadline(msgspec.Struct, frozen=True, gc=False):
    """A moment on the monotonic clock by which an answer is owed."""

    at: float
    clock: Callable[[], float] = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Callable[[], float] = time.monotonic) -> Deadline:
        """Return the deadline that is `seconds` from now."""
        return cls(clock() + seconds, clock)

    def remaining(self) -> float:
        """Return the seconds that are left; 0.0 when there are none, never negative."""
        return max(0.0, self.at - self.clock())


class PdpState(enum.StrEnum):
    """What a PDP says of itself, by gRPC's health protocol."""

    SERVING = "serving"
    NOT_SERVING = "not_serving"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class PdpHealth:
    """The state of one PDP endpoint, for people and for readiness."""

    endpoint: str
    state: PdpState
    detail: str = ""


class Pdp(Protocol):
    """Decides. An implementation may batch, fail over or cache behind this."""

    async def check(
        self,
        principal: Principal,
        checks: Sequence[Check],
        *,
        deadline: Deadline,
        request_id: str,
        explain: bool = False,
    ) -> PdpAnswer:
        """Ask all checks in one call; the results come in the order of `checks`.

        Raises PdpUnavailable, PdpDeadline or PdpRejected; cancellation passes through.
        """

    async def health(self, *, timeout: float) -> Sequence[PdpHealth]:  # noqa: ASYNC109 - a bound
        """Return the state of each endpoint within `timeout` seconds; never raises."""

    async def close(self) -> None:
        """Give up all connections. Idempotent."""
