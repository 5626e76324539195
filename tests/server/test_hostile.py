"""What a running `authorizer serve` makes of hostile peers, each a raw connection.

Throughout: 200 only where the policy allowed, no allow that nobody asked for, never a 5xx but 501,
and a connection that stays open is in step. docs/hostile-input.md has the table.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from docpages import DOCS
from polling import PATIENCE, eventually
from processes import memory
from served import Served, body, prepare
from serving import Wire
from wireshapes import FLOODS, HEAVY, SHAPES, Shape, sending, with_extra

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from serving import Answer

pytestmark = pytest.mark.integration

TESTS: Final = Path(__file__).parents[1]
SUITE: Final = sorted((TESTS / "contract" / "jsontestsuite").glob("test_*/*.json"))
NOT_JSON: Final = [
    path for path in SUITE if path.parent.name == "test_parsing" and path.name[0] == "n"
]
FOUND: Final = sorted((TESTS / "fuzz" / "corpus" / "bodies").iterdir())
DECISION: Final = "authorization.decision"
STATUSES: Final = frozenset((100, 200, 400, 403, 404, 405, 408, 413, 501))
LAST: Final = b"GET /health/alive HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
MEGABYTE: Final = 1 << 20


@dataclass
class Target:
    """The service, and how much of its log was looked at."""

    served: Served
    seen: int = 0

    async def connect(self) -> Wire:
        host, port = self.served.ready["listen"].rsplit(":", 1)
        return Wire(*await asyncio.open_connection(host, int(port)))

    async def new_decisions(self) -> list[dict[str, Any]]:
        """Return what was decided since the last call; a question of our own marks the end."""
        async with await self.connect() as wire:
            wire.send(sending(body()))
            mark = (await wire.answer()).headers["x-decision-id"]
        await eventually(lambda: mark.encode() in self._log())
        decisions = self.served.events(DECISION)
        new = decisions[self.seen :]
        self.seen = len(decisions)
        assert [one["decision_id"] for one in new].count(mark) == 1
        return [one for one in new if one["decision_id"] != mark]

    @property
    def peak(self) -> int:
        """The most bytes of memory that the process has had."""
        return memory(self.served.process.pid, peak=True)

    def _log(self) -> bytes:
        return (self.served.folder / "out").read_bytes()


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    served = Served(prepare(tmp_path_factory.mktemp("hostile")))
    served.start()
    try:
        yield Target(served)
        for fault in ("authorization.failed", "server.failed", "sink.failed"):
            assert served.events(fault) == []
        assert served.stderr == ""
    finally:
        served.end()


def send_last(wire: Wire) -> None:
    """Ask one thing more, unless we know already that nobody is there."""
    if not wire.writer.is_closing():
        wire.send(LAST)


async def answers_to(wire: Wire, shape: Shape) -> list[Answer]:
    """Send a shape; return its answers, and hold the connection to being closed or in step."""
    wire.send(shape.text)
    answers = []
    for status in shape.statuses:
        if status == 100:
            assert await wire.head() == (100, {})
        else:
            answers.append(await wire.answer())
    send_last(wire)
    try:
        async with asyncio.timeout(PATIENCE):
            rest = await wire.reader.read()
    except ConnectionError:
        rest = b""  # it was closed before the last request came
    assert rest == b"" or re.fullmatch(
        rb'HTTP/1\.1 200 OK\r\n(.+\r\n)+\r\n{"status":"ok"}', rest
    ), rest
    return answers


def check(answers: Sequence[Answer], decisions: Sequence[dict[str, Any]]) -> None:
    """Hold the answers to what was decided, each way."""
    assert {answer.status for answer in answers} <= STATUSES
    by_id = {one["decision_id"]: one for one in decisions}
    told = [answer for answer in answers if "x-decision-id" in answer.headers]
    for answer in told:
        decision = by_id.pop(answer.headers["x-decision-id"])
        assert decision["reason"] == answer.headers["x-decision-reason"]
        if answer.status == 200:
            assert (decision["outcome"], decision["reason"]) == ("allow", "policy_allow")
            assert (decision["subject"], decision["path"]) == ("ann", "/orgs/acme/documents/1")
    # Nobody can be told that the rest of what he sends is no HTTP when he was refused already.
    assert {one["outcome"] for one in by_id.values()} <= {"refused"}


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(shape, id=f"{kind}-{name}")
        for kind, shapes in SHAPES.items()
        for name, shape in shapes.items()
    ],
)
async def test_each_shape_has_its_one_answer_and_the_connection_stays_in_step_or_closes(
    target: Target, shape: Shape
) -> None:
    async with await target.connect() as wire:
        answers = await answers_to(wire, shape)
    assert [one.status for one in answers] == [one for one in shape.statuses if one != 100]
    check(answers, await target.new_decisions())


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_is_refused_or_cut_off_in_bounded_memory_while_others_are_served(
    target: Target, name: str
) -> None:
    before = target.peak
    async with await target.connect() as flood, await target.connect() as other:
        flood.send(FLOODS[name])
        other.send(sending(body()))
        assert (await other.answer()).status == 200
        statuses = set()
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            send_last(flood)
            while True:
                answer = await flood.answer()
                if answer.json == {"status": "ok"}:
                    break
                statuses.add(answer.status)
    assert statuses <= {400, 404, 408, 413}
    await target.new_decisions()
    assert target.peak - before < 32 * MEGABYTE


async def test_the_worst_bodies_keep_nobody_from_an_answer_and_memory_in_bounds(
    target: Target,
) -> None:
    before = target.peak
    answers = []
    async with await target.connect() as heavy, await target.connect() as other:
        for text in [*HEAVY.values()] * 4:
            heavy.send(text)
            other.send(sending(body()))
            answers.append(await other.answer())
            assert answers[-1].status == 200
            answers.append(await heavy.answer())
            assert answers[-1].status in (200, 501)
    check(answers, await target.new_decisions())
    assert target.peak - before < 64 * MEGABYTE


async def test_every_case_of_the_json_test_suite_is_400_or_within_extra_no_reason_to_deny(
    target: Target,
) -> None:
    async with await target.connect() as wire:
        answers = []
        for path in SUITE:
            text = path.read_bytes()
            wire.send(sending(text))
            answers.append(await wire.answer())
            assert answers[-1].status == 400, path
            wire.send(sending(with_extra(text)))
            answers.append(await wire.answer())
            assert answers[-1].status in ((400,) if path in NOT_JSON else (200, 400)), path
    check(answers, await target.new_decisions())
    assert sum(answer.status == 200 for answer in answers) >= 95


async def test_what_the_fuzzer_found_is_answered_in_step(target: Target) -> None:
    async with await target.connect() as wire:
        answers = []
        for path in FOUND:
            wire.send(sending(path.read_bytes()))
            answers.append(await wire.answer())
            assert answers[-1].status in (400, 403), path
    check(answers, await target.new_decisions())


def test_the_page_counts_what_is_tried_here() -> None:
    page = (DOCS / "hostile-input.md").read_text("utf-8")
    everything = {**SHAPES, "floods": FLOODS, "heavy": HEAVY}
    counted = {kind: len(shapes) for kind, shapes in everything.items()}
    rows = re.findall(r"^\| [^|]+\(`(\w+)`\) \| (\d+) \|", page, re.MULTILINE)
    assert {kind: int(count) for kind, count in rows} == counted
