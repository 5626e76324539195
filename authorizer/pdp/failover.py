"""Several PDPs behind the port: who cannot be reached is passed over."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from authorizer.errors import PdpUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.model import Check, PdpAnswer, Principal
    from authorizer.pdp.interface import Deadline, Pdp, PdpHealth


class FailoverPdp:
    """Asks the PDP that answered last; one that is unavailable hands over to the next in order.

    Each is asked at most once for a question, so that an outage is not multiplied. Only
    `PdpUnavailable` hands over: a PDP that is late has used up the time, and one that rejects a
    question would be agreed with by its peers.
    """

    def __init__(self, pdps: Sequence[Pdp]) -> None:
        """Stand before `pdps` (at least one); the first is asked first."""
        self._pdps = tuple(pdps)
        self._preferred = 0

    async def check(
        self,
        principal: Principal,
        checks: Sequence[Check],
        *,
        deadline: Deadline,
        request_id: str,
        explain: bool = False,
    ) -> PdpAnswer:
        """Ask as the port says; raises what the last PDP that was asked raised."""
        count = len(self._pdps)
        first = self._preferred
        for step in range(count):
            index = (first + step) % count
            try:
                answer = await self._pdps[index].check(
                    principal, checks, deadline=deadline, request_id=request_id, explain=explain
                )
            except PdpUnavailable:
                if step == count - 1 or deadline.remaining() <= 0:
                    raise
            else:
                self._preferred = index
                return answer
        raise AssertionError(count)  # there is at least one, and each returns or raises

    async def health(self, *, timeout: float) -> Sequence[PdpHealth]:  # noqa: ASYNC109 - as the port says
        """Return the state of each, asked at the same time."""
        states = await asyncio.gather(*(pdp.health(timeout=timeout) for pdp in self._pdps))
        return [state for several in states for state in several]

    async def close(self) -> None:
        """Close all."""
        await asyncio.gather(*(pdp.close() for pdp in self._pdps))
