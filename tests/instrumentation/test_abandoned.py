"""Requests without an answer are all counted, and a few of them have a line."""

from __future__ import annotations

import asyncio
from collections import Counter

from structlog.testing import capture_logs
from virtualtime import run

from authorizer.instrumentation.abandoned import Abandoned
from authorizer.instrumentation.few import PASSED_ON


def test_one_is_a_line_that_says_which_route_and_for_how_long() -> None:
    async def leave() -> None:
        Abandoned(lambda: None).note(decision_id="d", route="documents.item", seconds=0.1234567)
        await asyncio.sleep(2)

    with capture_logs() as logs:
        run(leave())
    assert logs == [
        {
            "event": "authorization.abandoned",
            "log_level": "warning",
            "decision_id": "d",
            "route": "documents.item",
            "total_ms": 123.457,
        }
    ]


def test_of_a_thousand_in_a_second_ten_are_lines_the_rest_a_number_and_all_are_counted() -> None:
    counted: Counter[str] = Counter()

    async def leave() -> None:
        abandoned = Abandoned(lambda: counted.update(["one"]))
        for number in range(1_000):
            abandoned.note(decision_id=str(number), route="", seconds=0.0)
            await asyncio.sleep(0.0005)
        await asyncio.sleep(1)

    with capture_logs() as logs:
        run(leave())
    assert counted["one"] == 1_000
    assert {line["event"] for line in logs} == {"authorization.abandoned"}
    *lines, sum_ = logs
    assert [line["decision_id"] for line in lines] == [str(number) for number in range(PASSED_ON)]
    assert sum_["more"] == 1_000 - PASSED_ON
