"""A PDP that is asked to explain itself: for people who test and look into rules.

What it says then may quote values of the question, so no service asks like that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.model import Check, CheckResult, PdpAnswer, Principal
    from authorizer.pdp.interface import Deadline, Pdp, PdpHealth


class ExplainingPdp:
    """Asks another PDP, always for an explanation; `results` are those of its last answer."""

    def __init__(self, pdp: Pdp) -> None:
        self.results: tuple[CheckResult, ...] = ()
        self._pdp = pdp

    async def check(
        self,
        principal: Principal,
        checks: Sequence[Check],
        *,
        deadline: Deadline,
        request_id: str,
        explain: bool = True,  # noqa: ARG002 - the port's own signature
    ) -> PdpAnswer:
        """Ask as the port says, for an explanation whatever was asked for."""
        answer = await self._pdp.check(
            principal, checks, deadline=deadline, request_id=request_id, explain=True
        )
        self.results = answer.results
        return answer

    async def health(self, *, timeout: float) -> Sequence[PdpHealth]:  # noqa: ASYNC109 - the port's own signature
        """Return what the other PDP says of itself."""
        return await self._pdp.health(timeout=timeout)

    async def close(self) -> None:
        """Leave the other PDP open: whoever opened it closes it."""
