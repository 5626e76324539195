"""Search for the body that costs a running `authorizer serve` the most, by CPU and by memory.

    PYTHONPATH=tests nice -n 10 .venv/bin/python bench/amplification.py [--tries 150] [--seed 1]

A hill climb from plain bodies. One place of a request is filled with copies of a fragment of JSON,
as many as `server.max_body` and the most values of a body allow. CPU is that of all threads of the
process; memory is by how much its peak is above what it held before, in a process that saw no large
body yet. Both are counted by the kernel. docs/hostile-input.md has what was found.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import re
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from served import Served, body, prepare
from sessions import session

from authorizer.contract.strict_json import MAX_PIECES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

SIZE: Final = 256 * 1024
_FILL: Final = "fill-this"
_NUMBER: Final = "number-this"
_TEXTS: Final = (
    *("", "a", "aaaaaaaa", "a" * 100, "%2F", "/", "/a", "//", ".", ";", "?", "&", "=", "+"),
    *("<", "\\\\", "\\u0061", "\\ud83d\\ude00", "\\u0000", "\\n", "%", "%00", "%C3%A9"),
    *("é", "\U0001f600"),
)  # fmt: skip
_SCALARS: Final = (
    *("0", "1", "-1", "1e9", "1.5", "0.1", "1e-300", "1.7976931348623157e308", "9" * 16, "9" * 300),
    *("null", "true", '""', '"a"', '"é"', '"\\u0061"', '"<"', "[]", "{}", " 1", "\n0"),
    *('{"a":1}', '{"a":""}', '{"a":[]}', '{"":{}}', "[[]]", "[[],[]]"),
)


@dataclass(frozen=True)
class Recipe:
    """Where a body is filled, and with what. `keyed`: an object whose keys are all different."""

    place: str
    unit: str
    keyed: bool = False
    levels: int = 0

    def body(self, number: int) -> bytes:
        """Return the body; `number` makes it another one for what remembers bodies."""
        template = self._template().replace(_NUMBER, f"n{number}")
        room = SIZE - len(template.encode())
        return template.replace(json.dumps(_FILL), self._filling(room), 1).encode()

    def _template(self) -> str:
        traits: dict[str, str] = {"organization": "acme", "number": _NUMBER}
        path = "/orgs/acme/documents/1"
        if self.place == "traits":
            return body(path, extra=session({**traits, "more": _FILL}, **_FOREVER)).decode()
        extra = session(traits, **_FOREVER)
        if self.place == "extra":
            return body(path, extra={**extra, "more": _FILL}).decode()
        if self.place == "headers":
            return body(path, extra=extra, headers={"x-more": _FILL}).decode()
        return body(path, **{"extra": extra, self.place: _FILL}).decode()

    def _filling(self, room: int) -> str:
        if self.place in _TEXT_PLACES:
            start = "http://api.acme.test/" if self.place == "url" else ""
            text = self.unit or "a"
            return f'"{start}{text * ((room - len(start)) // len(text.encode()))}"'
        opening, closing = "[" * self.levels, "]" * self.levels
        inner = room - 2 * self.levels
        most = (MAX_PIECES - _OTHERS) // (1 + sum(map(self.unit.count, ",[{")))
        if self.keyed:
            pieces = _while_room((f'"{key:x}":{self.unit}' for key in range(most)), inner)
            return f"{opening}{{{','.join(pieces)}}}{closing}"
        count = max(1, min(most, (inner - 2) // (len(self.unit.encode()) + 1)))
        return f"{opening}[{','.join([self.unit] * count)}]{closing}"


_OTHERS: Final = 100  # commas and brackets of the rest of a body, at the most
_LONG: Final = 100  # characters of a fragment, from which on it does not grow
_LEVELS: Final = 24
_FOREVER: Final[dict[str, Any]] = {"expires_at": "2099-01-01T00:00:00Z"}
_TEXT_PLACES: Final = ("url", "raw_path", "subject", "method")
_LIST_PLACES: Final = ("headers", "forwarded_uri", "profile")
_TREE_PLACES: Final = ("extra", "traits")


def _while_room(pieces: Iterator[str], room: int) -> list[str]:
    taken = []
    for piece in pieces:
        room -= len(piece.encode()) + 1
        if room < 1:
            break
        taken.append(piece)
    return taken


def start(place: str) -> Recipe:
    """Return the plain body from which a climb in this place begins."""
    return Recipe(place, "a" if place in _TEXT_PLACES else '"a"')


def changed(recipe: Recipe, dice: random.Random) -> Recipe:
    """Return a body that differs in one thing."""
    unit = recipe.unit
    if recipe.place in _TEXT_PLACES:
        return replace(recipe, unit=dice.choice(["", unit[-_LONG:]]) + dice.choice(_TEXTS))
    if recipe.place in _LIST_PLACES:
        return replace(recipe, unit=f'"{dice.choice(_TEXTS)}{dice.choice(_TEXTS)}"')
    grown = [f"[{unit}]", f'{{"a":{unit}}}', f"[{unit},{dice.choice(_SCALARS)}]"]
    return dice.choice(
        [
            replace(recipe, keyed=not recipe.keyed),
            replace(recipe, levels=dice.randrange(_LEVELS)),
            replace(recipe, unit=dice.choice(_SCALARS)),
            replace(recipe, unit=dice.choice(grown if len(unit) < _LONG else _SCALARS)),
        ]
    )


@dataclass(frozen=True)
class Cost:
    """What one request took: its size in bytes, seconds of CPU, bytes of memory, and its answer."""

    size: int
    cpu: float
    memory: int
    pdp_cpu: float
    said: str


class Scale:
    """Weighs bodies on a running service."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._process = Path(f"/proc/{served.process.pid}")
        self._pdp = Path(f"/proc/{served.embedded_pid}")
        self._asked = 0
        for _ in range(20):  # what is built once is built now
            served.ask()

    def weigh(self, recipe: Recipe) -> Cost:
        """Return the cheaper of two tries: whatever is more is the machine's."""
        return min((self.once(recipe), self.once(recipe)), key=lambda cost: cost.cpu)

    def once(self, recipe: Recipe) -> Cost:
        """Return the cost of one try."""
        self._asked += 1
        content = recipe.body(self._asked)
        (self._process / "clear_refs").write_text("5")  # the peak is counted anew: proc(5)
        held, cpu, pdp = self._memory("VmRSS"), _cpu(self._process), _cpu(self._pdp)
        answer = self._served.ask(content)
        return Cost(
            len(content),
            _cpu(self._process) - cpu,
            self._memory("VmHWM") - held,
            _cpu(self._pdp) - pdp,
            f"{answer.status} {answer.reason}",
        )

    def _memory(self, name: str) -> int:
        found = re.search(rf"{name}:\s+(\d+) kB", (self._process / "status").read_text())
        return int(found[1]) * 1024 if found else 0


def _cpu(process: Path) -> float:
    """Return the seconds that all threads of a process have run."""
    nanoseconds = 0
    for thread in (process / "task").iterdir():
        nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


def climb(
    recipe: Recipe,
    weigh: Callable[[Recipe], Cost],
    worth: Callable[[Cost], float],
    tries: int,
    dice: random.Random,
) -> tuple[Recipe, Cost]:
    """Return the worst body that was found, and what it costs when it is weighed once more."""
    best, cost = recipe, weigh(recipe)
    for _ in range(tries):
        candidate = changed(best, dice)
        its = weigh(candidate)
        if worth(its) > worth(cost):
            best, cost = candidate, its
    # Of many weighings, the worst is partly the machine's.
    return best, weigh(best)


@contextlib.contextmanager
def scale() -> Iterator[Scale]:
    """Run a service to weigh bodies on."""
    with tempfile.TemporaryDirectory() as folder:
        served = Served(prepare(Path(folder)))
        served.start()
        try:
            yield Scale(served)
        finally:
            served.end()


def weigh_anew(recipe: Recipe) -> Cost:
    """Return the cost of a body in a process of its own."""
    with scale() as fresh:
        return fresh.once(recipe)


def tell(aim: str, recipe: Recipe, cost: Cost) -> None:
    """Print one finding."""
    print(
        f"{aim:7}{recipe.place:14}{cost.size:7} B"
        f"{cost.cpu * 1e3:5.0f} ms{cost.cpu * 1e9 / cost.size:6.0f} ns/B"
        f"{cost.memory / 2**20:6.1f} MiB{cost.memory / cost.size:6.1f} B/B"
        f"   PDP{cost.pdp_cpu * 1e3:5.0f} ms  {cost.said:22} {recipe.unit!r:.60}"
        f"{' keyed' if recipe.keyed else ''} levels={recipe.levels}",
        flush=True,
    )


def main(arguments: Sequence[str]) -> int:
    """Search in every place, and print what was found."""
    parser = argparse.ArgumentParser(description="Search for the body that costs the most.")
    parser.add_argument("--tries", type=int, default=150, help="bodies weighed in each object")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    dice = random.Random(options.seed)  # noqa: S311 - a search, not a secret
    with scale() as running:
        for place in (*_TREE_PLACES, *_LIST_PLACES, *_TEXT_PLACES):
            tries = options.tries if place in _TREE_PLACES else options.tries // 5
            found = climb(start(place), running.weigh, lambda cost: cost.cpu, tries, dice)
            tell("CPU", *found)
    for place in _TREE_PLACES:
        tries = options.tries // 8  # each takes a process
        tell("memory", *climb(start(place), weigh_anew, lambda cost: cost.memory, tries, dice))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
