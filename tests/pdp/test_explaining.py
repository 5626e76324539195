"""Whoever looks into a decision is told all of it, whatever the question itself asked for."""

from __future__ import annotations

import pytest

from authorizer.model import Check, CheckResult, Effect, Principal, Resource
from authorizer.pdp.explaining import ExplainingPdp
from authorizer.pdp.interface import Deadline, PdpState
from authorizer.pdp.scripted import ScriptedPdp, always

ADA = Principal(id="ada", roles=("user",), profile="kratos", attr={})
VIEW = Check(Resource("document", "1"), "view")


@pytest.mark.parametrize("explain", [False, True])
async def test_every_question_asks_for_an_explanation_and_the_answer_is_kept(
    *, explain: bool
) -> None:
    told = CheckResult(Effect.DENY, policy="resource.document.vdefault")
    pdp = ScriptedPdp(always(told))
    explaining = ExplainingPdp(pdp)
    answer = await explaining.check(
        ADA, [VIEW], deadline=Deadline.after(10), request_id="1", explain=explain
    )
    assert [call.explain for call in pdp.calls] == [True]
    assert answer.results == explaining.results == (told,)


async def test_its_health_is_the_others_and_it_is_left_open() -> None:
    pdp = ScriptedPdp(always(Effect.ALLOW))
    explaining = ExplainingPdp(pdp)
    assert [one.state for one in await explaining.health(timeout=1)] == [PdpState.SERVING]
    await explaining.close()
    assert not pdp.closed
