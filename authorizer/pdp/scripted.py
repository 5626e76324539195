"""The fake that ships with the port: a PDP that answers as its script says."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.errors import PdpDeadline, PdpError
from authorizer.model import CheckResult, Effect, PdpAnswer
from authorizer.pdp.interface import PdpHealth, PdpState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from authorizer.model import Check, Principal
    from authorizer.pdp.interface import Deadline

    Answer: TypeAlias = CheckResult | Effect | PdpError
    Script: TypeAlias = Callable[[Principal, Check], Answer]


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, as the PDP saw it."""

    principal: Principal
    checks: tuple[Check, ...]
    request_id: str
    explain: bool


def always(answer: Answer) -> Script:
    """Return a script that gives `answer` to every check."""
    return lambda _principal, _check: answer


def table(answers: Mapping[tuple[str, str, str], Answer]) -> Script:
    """Return a script that looks up (resource kind, resource id, action); not found is DENY."""

    def script(_principal: Principal, check: Check) -> Answer:
        key = (check.resource.kind, check.resource.id, check.action)
        return answers.get(key, Effect.DENY)

    return script


class ScriptedPdp:
    """Answers from a script, remembers every call, and can hang until the deadline.

    `script` gives each check its effect, its whole result, or the PdpError to raise. It may be
    replaced at any time, and so may `hanging`: while True, calls wait until their deadline.
    """

    def __init__(self, script: Script, *, endpoint: str = "scripted") -> None:
        self.script = script
        self.endpoint: Final = endpoint
        self.hanging = False
        self.state = PdpState.SERVING
        self.calls: list[Asked] = []
        self.cancelled = 0
        self.closed = False

    async def check(
        self,
        principal: Principal,
        checks: Sequence[Check],
        *,
        deadline: Deadline,
        request_id: str,
        explain: bool = False,
    ) -> PdpAnswer:
        """Answer as the port says and as the script wants."""
        self.calls.append(Asked(principal, tuple(checks), request_id, explain))
        if deadline.remaining() <= 0:
            raise PdpDeadline(self.endpoint, "no time was left to ask")
        try:
            await self._until_it_may_answer(deadline)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        results = tuple(self._result(principal, check) for check in checks)
        return PdpAnswer(call_id=f"call-{len(self.calls)}", results=results)

    async def health(self, *, timeout: float) -> Sequence[PdpHealth]:  # noqa: ARG002, ASYNC109 - the port's own signature
        """Return the state that was set."""
        return (PdpHealth(self.endpoint, self.state),)

    async def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    async def _until_it_may_answer(self, deadline: Deadline) -> None:
        await asyncio.sleep(deadline.remaining() if self.hanging else 0)
        if self.hanging:
            raise PdpDeadline(self.endpoint, "no answer in time")

    def _result(self, principal: Principal, check: Check) -> CheckResult:
        match self.script(principal, check):
            case CheckResult() as result:
                return result
            case Effect() as effect:
                return CheckResult(effect)
            case PdpError() as error:
                raise error
