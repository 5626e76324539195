"""Several PDPs behind the port."""

from __future__ import annotations

import pytest

from authorizer.errors import PdpDeadline, PdpRejected, PdpUnavailable
from authorizer.model import Check, Effect, Principal, Resource
from authorizer.pdp.failover import FailoverPdp
from authorizer.pdp.interface import Deadline, PdpState
from authorizer.pdp.scripted import ScriptedPdp, always

PRINCIPAL = Principal("ann", ("user",), {}, "kratos")
CHECKS = (Check(Resource("document", "1"), "view"),)
DOWN = always(PdpUnavailable("down", "nobody there"))


def pdps(*scripts: object) -> list[ScriptedPdp]:
    return [ScriptedPdp(script, endpoint=f"pdp-{n}") for n, script in enumerate(scripts)]  # type: ignore[arg-type]


async def ask(pdp: FailoverPdp) -> Effect:
    answer = await pdp.check(PRINCIPAL, CHECKS, deadline=Deadline.after(5.0), request_id="r")
    return answer.results[0].effect


async def test_one_that_cannot_be_reached_is_passed_over_and_who_answered_is_asked_first() -> None:
    down, up = pdps(DOWN, always(Effect.ALLOW))
    pdp = FailoverPdp([down, up])

    assert await ask(pdp) is Effect.ALLOW
    assert await ask(pdp) is Effect.ALLOW

    assert len(down.calls) == 1
    assert len(up.calls) == 2


async def test_when_the_preferred_one_goes_the_first_is_asked_again() -> None:
    first, second = pdps(DOWN, always(Effect.ALLOW))
    pdp = FailoverPdp([first, second])
    assert await ask(pdp) is Effect.ALLOW

    first.script, second.script = always(Effect.DENY), DOWN

    assert await ask(pdp) is Effect.DENY


async def test_an_outage_is_asked_about_once_each() -> None:
    several = pdps(DOWN, DOWN, DOWN)

    with pytest.raises(PdpUnavailable):
        await ask(FailoverPdp(several))

    assert [len(one.calls) for one in several] == [1, 1, 1]


@pytest.mark.parametrize("error", [PdpDeadline("a", "late"), PdpRejected("a", "no")])
async def test_only_unavailability_hands_over(error: PdpDeadline | PdpRejected) -> None:
    first, second = pdps(always(error), always(Effect.ALLOW))

    with pytest.raises(type(error)):
        await ask(FailoverPdp([first, second]))

    assert second.calls == []


async def test_without_time_left_nobody_else_is_asked() -> None:
    now = [0.0]

    def slowly_refused(*_: object) -> PdpUnavailable:
        now[0] = 1.0
        return PdpUnavailable("down", "nobody there")

    first, second = pdps(slowly_refused, always(Effect.ALLOW))
    deadline = Deadline(at=1.0, clock=lambda: now[0])

    with pytest.raises(PdpUnavailable):
        await FailoverPdp([first, second]).check(
            PRINCIPAL, CHECKS, deadline=deadline, request_id="r"
        )

    assert second.calls == []


async def test_health_names_each_endpoint() -> None:
    several = pdps(always(Effect.ALLOW), always(Effect.ALLOW))
    several[1].state = PdpState.UNREACHABLE

    health = await FailoverPdp(several).health(timeout=1.0)

    assert [(one.endpoint, one.state) for one in health] == [
        ("pdp-0", PdpState.SERVING),
        ("pdp-1", PdpState.UNREACHABLE),
    ]
