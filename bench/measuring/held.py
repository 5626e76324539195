"""What a decision holds in memory while the PDP is asked, by part."""

from __future__ import annotations

import gc
import sys
import time
import tracemalloc
from typing import TYPE_CHECKING, Final

from authorizer.contract.decode import decode
from authorizer.engine import Question, translate
from authorizer.pdp.messages import Questions
from bench.measuring.phases import PARTS, part_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.snapshot import Snapshot

_FRAMES: Final = 25
# The innermost first: packages are installed inside of Python's own folder.
_PLACES: Final = sorted((place for place in sys.path if place), key=len, reverse=True)


def held(snapshot: Snapshot, bodies: Sequence[bytes]) -> dict[str, float]:
    """Return the bytes by part that one of many decisions holds, its kept principal included."""
    questions = Questions()
    _prepare(snapshot, questions, bodies[:1])  # what is made once
    gc.collect()
    tracemalloc.start(_FRAMES)
    try:
        alive = _prepare(snapshot, questions, bodies[1:])
        statistics = tracemalloc.take_snapshot().statistics("traceback")
    finally:
        tracemalloc.stop()
    found = dict.fromkeys(PARTS, 0.0)
    for statistic in statistics:
        stack = ";".join(f" ({_found(frame.filename)}" for frame in statistic.traceback)
        found[part_of(stack)] += statistic.size / len(alive)
    return {part: size for part, size in found.items() if size >= 1}


def _found(path: str) -> str:
    """Return a path from where Python finds it, as a profile has it."""
    place = next(place for place in (*_PLACES, "") if path.startswith(place))
    return path.removeprefix(place).removeprefix("/")


def _prepare(snapshot: Snapshot, questions: Questions, bodies: Sequence[bytes]) -> list[object]:
    """Do all that comes before the PDP is asked, and return what is alive then."""
    alive: list[object] = []
    for body in bodies:
        request = decode(body)
        question = translate(request, snapshot, decision_id="0", now=time.time())
        if isinstance(question, Question):
            message = questions.build(
                question.principal, question.checks, request_id="0", explain=False
            )
            alive.append((request, question, message))
    return alive
