"""Refusals by the thousand are a few lines and a number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from serving import Sink
from structlog.testing import capture_logs
from virtualtime import run

from authorizer.instrumentation.few import PASSED_ON
from authorizer.instrumentation.thinned import Thinned
from authorizer.model import Allow, DecisionRecord, Indeterminate, Reason

if TYPE_CHECKING:
    from authorizer.model import Outcome

OVERLOADED = Indeterminate(Reason.OVERLOADED)


def record(outcome: Outcome) -> DecisionRecord:
    return DecisionRecord(decision_id="d", outcome=outcome)


def test_of_a_thousand_refusals_in_a_second_ten_are_lines_and_the_rest_a_number() -> None:
    sink = Sink()

    async def overload() -> None:
        thinned = Thinned(sink)
        for _ in range(1_000):
            thinned.record(record(OVERLOADED))
            await asyncio.sleep(0.0005)
        await asyncio.sleep(1)

    with capture_logs() as logs:
        run(overload())
    assert len(sink.records) == PASSED_ON
    assert [(line["event"], line["log_level"], line["more"]) for line in logs] == [
        ("authorization.overloaded", "error", 1_000 - PASSED_ON)
    ]


def test_each_second_is_counted_anew_and_a_few_are_all_lines() -> None:
    sink = Sink()

    async def overload() -> None:
        thinned = Thinned(sink)
        for _ in range(3):
            for _ in range(PASSED_ON):
                thinned.record(record(OVERLOADED))
            await asyncio.sleep(1.5)

    with capture_logs() as logs:
        run(overload())
    assert len(sink.records) == 3 * PASSED_ON
    assert logs == []


def test_no_other_record_is_ever_left_out() -> None:
    """Nor one that would have been refused, and was let pass as the service observes."""
    sink = Sink()
    others = [
        record(Allow(Reason.POLICY_ALLOW)),
        record(Indeterminate(Reason.PDP_UNAVAILABLE)),
        DecisionRecord(decision_id="d", outcome=Allow(Reason.OBSERVED), would_be=OVERLOADED),
    ]

    async def overload() -> None:
        thinned = Thinned(sink)
        for _ in range(100):
            thinned.record(record(OVERLOADED))
            for other in others:
                thinned.record(other)
        await asyncio.sleep(1.5)

    with capture_logs():
        run(overload())
    assert [one for one in sink.records if one.outcome != OVERLOADED] == others * 100
