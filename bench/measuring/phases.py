"""Which part of a decision a sampled stack belongs to. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOP: Final = "event loop"
THREADS: Final = "threads"

# In the order in which a decision meets them; a part's name, and how the paths of its code begin.
# The innermost call that is known decides: a helper of the standard library is its caller's.
_PARTS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    (
        "HTTP",
        (
            "aiohttp/",
            "authorizer/server/replies.py",
            "authorizer/server/cut_off.py",
            "authorizer/server/endpoint.py",
            "authorizer/server/connection.py",
            "authorizer/server/body.py",
            "authorizer/server/shedding.py",
        ),
    ),
    ("read the question", ("authorizer/contract/decode", "authorizer/contract/fields")),
    ("make the principal", ("authorizer/principals/",)),
    (
        "render the checks",
        ("authorizer/routing/render", "authorizer/routing/asked", "authorizer/expressions/"),
    ),
    ("find the route", ("authorizer/routing/",)),
    ("PDP messages", ("authorizer/pdp/messages", "authorizer/pdp/values")),
    ("call to the PDP", ("authorizer/rpc/", "authorizer/pdp/cerbos")),
    ("cache, batching, failover", ("authorizer/pdp/",)),
    ("decision log, metrics", ("authorizer/instrumentation/", "structlog/", "prometheus_client/")),
    ("the engine", ("authorizer/",)),
)
PARTS: Final = (*(name for name, _ in _PARTS), LOOP, THREADS)
# What starts the command is below every stack.
_BELOW: Final = ("authorizer/cli/", "authorizer/wiring")


def part_of(stack: str) -> str:
    """Return the part of a stack: `function (path:line)`, separated by `;`, the innermost last.

    A path begins where Python finds it (`authorizer/engine.py`).
    """
    for call in reversed(stack.split(";")):
        path = call.rpartition(" (")[2]
        if path.startswith(_BELOW):
            break
        for name, paths in _PARTS:
            if path.startswith(paths):
                return name
    return LOOP


def by_part(samples: Mapping[str, int], *, main: float, others: float) -> dict[str, float]:
    """Share out what a decision takes, by part, in the order of `PARTS`.

    `samples` are of the main thread, which takes `main` in all; the other threads take `others`.
    """
    count = max(1, sum(samples.values()))
    found = dict.fromkeys(PARTS, 0.0)
    for stack, times in samples.items():
        found[part_of(stack)] += main * times / count
    found[THREADS] = others
    return found
