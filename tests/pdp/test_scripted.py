"""The fake keeps the port's promises, or tests that use it prove nothing."""

from __future__ import annotations

import asyncio

import pytest
from pdpquestions import ask, document, effects, person
from polling import eventually

from authorizer.errors import PdpDeadline, PdpUnavailable
from authorizer.model import CheckResult, Effect
from authorizer.pdp.interface import Deadline, PdpState
from authorizer.pdp.scripted import ScriptedPdp, always, table


async def test_it_answers_in_order_and_denies_what_no_table_has() -> None:
    pdp = ScriptedPdp(table({("document", "1", "view"): Effect.ALLOW}))
    assert await effects(pdp, document("2"), document("1")) == [Effect.DENY, Effect.ALLOW]
    assert [check.resource.id for check in pdp.calls[0].checks] == ["2", "1"]
    assert pdp.calls[0].request_id == "request-1"


async def test_it_gives_whole_results_and_raises_the_ports_errors() -> None:
    result = CheckResult(Effect.ALLOW, outputs={"rule": 1})
    pdp = ScriptedPdp(always(result))
    assert (await ask(pdp)).results == (result,)
    pdp.script = always(PdpUnavailable("scripted", "gone"))
    with pytest.raises(PdpUnavailable, match="gone"):
        await ask(pdp)


async def test_it_hangs_until_the_deadline_and_not_longer() -> None:
    pdp = ScriptedPdp(always(Effect.ALLOW))
    pdp.hanging = True
    with pytest.raises(PdpDeadline):
        await asyncio.wait_for(ask(pdp, seconds=0.02), 5)
    pdp.hanging = False
    assert await effects(pdp) == [Effect.ALLOW]


async def test_no_time_left_is_a_deadline_without_an_answer() -> None:
    pdp = ScriptedPdp(always(Effect.ALLOW))
    with pytest.raises(PdpDeadline):
        await pdp.check(person(), [document()], deadline=Deadline(0.0), request_id="")


async def test_cancellation_passes_through_and_is_counted() -> None:
    pdp = ScriptedPdp(always(Effect.ALLOW))
    pdp.hanging = True
    task = asyncio.create_task(ask(pdp))
    await eventually(lambda: pdp.calls)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pdp.cancelled == 1


async def test_its_health_is_what_was_set() -> None:
    pdp = ScriptedPdp(always(Effect.ALLOW))
    pdp.state = PdpState.UNREACHABLE
    (health,) = await pdp.health(timeout=1)
    assert health.state is PdpState.UNREACHABLE
    await pdp.close()
    assert pdp.closed
