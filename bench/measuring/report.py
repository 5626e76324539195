"""What the rounds say: ratios to the floors, tables, and pictures. Pure."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from bench.measuring import plot
from bench.measuring.phases import PARTS
from bench.measuring.rounds import (
    AUTHORIZER,
    CACHED,
    CALL,
    GATEWAY,
    GROWING_AT,
    HANDLER,
    LEAST,
    PAGES,
    REPLICAS,
    ROUTES,
    STUB,
    WORKERS,
    Figure,
    Key,
)
from bench.measuring.workloads import A_PAGE, workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    Round: TypeAlias = Mapping[Key, Figure]


@dataclass(frozen=True)
class Spread:
    """The median of all rounds, the lowest and the highest."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """Return the spread of one value a round."""
        values = sorted(values)
        return cls(statistics.median(values), values[0], values[-1])

    def shown(self, digits: int = 0, unit: str = "") -> str:
        """Return it for people: `12 ms (10-15)`."""
        low, high = f"{self.lowest:,.{digits}f}", f"{self.highest:,.{digits}f}"
        return f"{self.median:,.{digits}f}{unit} ({low}-{high})"


@dataclass(frozen=True)
class Goal:
    """A ratio to a floor, and the bound that it should be `≥` or `≤`.

    `least` is what the least that there could be reaches: a handler around the stub.
    """

    name: str
    floor: str
    sign: str
    bound: float
    ratio: Callable[[Round], float]
    least: Callable[[Round], float] | None = None

    def reached(self, spread: Spread) -> bool:
        """Tell whether the median is good enough."""
        return spread.median >= self.bound if self.sign == "≥" else spread.median <= self.bound


def _of(figure: Callable[[Figure], float], mine: Key, floor: Key) -> Callable[[Round], float]:
    return lambda a_round: figure(a_round[mine]) / figure(a_round[floor])


def _throughput(figure: Figure) -> float:
    return figure.load.throughput


def _p50(figure: Figure) -> float:
    return figure.load.p50


def _p99(figure: Figure) -> float:
    return figure.load.p99


def _cpu(figure: Figure) -> float:
    return figure.cpu["target"]


def _pdp_cpu(figure: Figure) -> float:
    return figure.cpu["pdp"]


def own_cpu(a_round: Round, in_flight: int, of: str = AUTHORIZER) -> float:
    """Return the microseconds of our own CPU that a distinct decision costs.

    That is the authorizer's, less what the same call costs a client that does nothing else.
    """
    mine = a_round[Key("distinct", of, in_flight)].cpu["target"]
    return mine - a_round[Key("distinct", STUB, in_flight)].cpu["client"]


def _own_cpu_ratio(a_round: Round, of: str = AUTHORIZER) -> float:
    floor = Key("distinct", HANDLER, GROWING_AT)
    return own_cpu(a_round, GROWING_AT, of) / a_round[floor].cpu["target"]


def own_cpu_says(rounds: Sequence[Round]) -> str:
    """Return our own CPU in a sentence, beside the bare handler's: busy, and as slow as we are."""
    own = statistics.median(own_cpu(a_round, GROWING_AT) for a_round in rounds)
    busy, paced = (
        statistics.median(_cpu(a_round[key]) for a_round in rounds)
        for key in (Key("distinct", HANDLER, GROWING_AT), Key("open 90%", HANDLER, 0))
    )
    return (
        f"Our own CPU is {own:.0f} µs a decision. The bare handler's is {busy:.0f} µs with "
        f"{GROWING_AT} in flight, and {paced:.0f} µs at the pace of decisions (*open 90%*)."
    )


def _goals() -> Iterator[Goal]:
    one, few, many = (Key("distinct", STUB, in_flight) for in_flight in (1, 16, 64))
    distinct = [Key("distinct", AUTHORIZER, key.in_flight) for key in (one, few, many)]
    session, page = (Key(name, AUTHORIZER, 16) for name in ("session", "page"))
    pages, stub_pages = (Key(PAGES, of, A_PAGE) for of in (AUTHORIZER, STUB))
    ours, theirs = (Key(GATEWAY, of, GROWING_AT) for of in (AUTHORIZER, HANDLER))
    each = "the stub, a call each"
    least = [Key("distinct", LEAST, key.in_flight) for key in (one, few, many)]
    at_few = _of(_throughput, least[1], few)
    yield Goal(
        "distinct, 1 in flight: p50",
        "the stub",
        "≤",
        1.25,
        _of(_p50, distinct[0], one),
        _of(_p50, least[0], one),
    )
    for mine, floor, minimum in zip(distinct[1:], (few, many), least[1:], strict=True):
        yield Goal(
            f"distinct, {mine.in_flight}: throughput",
            "the stub",
            "≥",
            0.8,
            _of(_throughput, mine, floor),
            _of(_throughput, minimum, floor),
        )
    yield Goal(
        "session, 16: throughput", "the stub", "≥", 0.9, _of(_throughput, session, few), at_few
    )
    yield Goal("page, 16: throughput", each, "≥", 2.5, _of(_throughput, page, few), at_few)
    yield Goal("a whole page: p99", each, "≤", 1.0, _of(_p99, pages, stub_pages))
    for in_flight in (1, 16):
        mine, floor = (Key(CACHED, of, in_flight) for of in (AUTHORIZER, HANDLER))
        name = f"{CACHED}, {in_flight}"
        yield Goal(
            f"{name}: throughput", "the bare handler", "≥", 0.55, _of(_throughput, mine, floor)
        )
        yield Goal(f"{name}: p50", "the bare handler", "≤", 1.8, _of(_p50, mine, floor))
    yield Goal(
        "distinct, 16: our own CPU",
        "the bare handler",
        "≤",
        2.0,
        _own_cpu_ratio,
        partial(_own_cpu_ratio, of=LEAST),
    )
    yield Goal(
        "through Oathkeeper, 16: throughput",
        "the bare handler, there",
        "≥",
        0.6,
        _of(_throughput, ours, theirs),
        _of(_throughput, Key(GATEWAY, LEAST, GROWING_AT), theirs),
    )
    for one in distinct[1:]:
        two = Key(WORKERS, AUTHORIZER, one.in_flight)
        name = f"{WORKERS}, {one.in_flight}: CPU of all processes"
        yield Goal(name, "one worker", "≤", 1.1, _of(_cpu, two, one))


GOALS: Final = tuple(_goals())


def against_floors(rounds: Sequence[Round]) -> str:
    """Return the table of ratios."""
    lines = [
        "| what | floor | wanted | ratio | | handler and stub |",
        "| --- | --- | ---: | ---: | --- | ---: |",
    ]
    for goal in GOALS:
        spread = Spread.of(map(goal.ratio, rounds))
        verdict = "" if goal.reached(spread) else "not reached"
        wanted = f"{goal.sign} {goal.bound:.2f}"
        least = "" if goal.least is None else Spread.of(map(goal.least, rounds)).shown(2)
        cells = (goal.name, goal.floor, wanted, spread.shown(2), verdict, least)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def more_processes(rounds: Sequence[Round]) -> str:
    """Return the table of what is held against one worker with one PDP."""
    lines = [
        "| against one worker and one PDP | in flight | answers | CPU a decision | the PDPs' |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for key in rounds[0]:
        if key.asked in {WORKERS, REPLICAS}:
            one = Key("distinct", AUTHORIZER, key.in_flight)
            ratios = " | ".join(
                Spread.of(map(_of(figure, key, one), rounds)).shown(2)
                for figure in (_throughput, _cpu, _pdp_cpu)
            )
            lines.append(f"| {key.asked} | {key.in_flight} | {ratios} |")
    return "\n".join(lines)


def figures(rounds: Sequence[Round]) -> str:
    """Return the table of all closed loops."""
    lines = [
        "| asked | of | in flight | answers a second | p50 | p99 | its CPU | the PDP's |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for key in rounds[0]:
        if key.in_flight:
            own = "client" if key.of in {STUB, CALL} else "target"
            cpu, pdp = (_shown_cpu(rounds, key, of) for of in (own, "pdp"))
            name = f"{key.asked} | {key.of} | {key.in_flight}"
            lines.append(f"| {name} | {_shown(rounds, key)} | {cpu} | {pdp} |")
    return "\n".join(lines)


def by_part(spent: Mapping[str, Mapping[str, float]], held: Mapping[str, float]) -> str:
    """Return the table of the parts: CPU by workload and part, and memory by part."""
    lines = [
        f"| part | {' | '.join(f'CPU, {name}' for name in spent)} | memory, distinct |",
        f"| --- |{' ---: |' * (len(spent) + 1)}",
    ]
    for part in PARTS:
        cpu = " | ".join(f"{parts[part]:.0f} µs" for parts in spent.values())
        size = f"{held[part] / 1024:.1f} KiB" if part in held else ""
        lines.append(f"| {part} | {cpu} | {size} |")
    whole = " | ".join(f"{sum(parts.values()):.0f} µs" for parts in spent.values())
    lines.append(f"| all | {whole} | {sum(held.values()) / 1024:.1f} KiB |")
    return "\n".join(lines)


def since(spent: Mapping[str, Mapping[str, float]], held: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table of the parts, then and now: CPU and bytes of memory, by when and part."""
    heads = [*(f"CPU, {when}" for when in spent), *(f"memory, {when}" for when in held)]
    lines = [
        f"| part, distinct | {' | '.join(heads)} |",
        f"| --- |{' ---: |' * len(heads)}",
    ]
    for part in PARTS:
        cpu = [f"{parts.get(part, 0):.0f} µs" for parts in spent.values()]
        sizes = [
            f"{parts[part] / 1024:.1f} KiB" if part in parts else "" for parts in held.values()
        ]
        lines.append(f"| {part} | {' | '.join([*cpu, *sizes])} |")
    cpu = [f"{sum(parts.values()):.0f} µs" for parts in spent.values()]
    sizes = [f"{sum(parts.values()) / 1024:.1f} KiB" for parts in held.values()]
    lines.append(f"| all | {' | '.join([*cpu, *sizes])} |")
    return "\n".join(lines)


def open_loop(rounds: Sequence[Round]) -> str:
    """Return the table of latency at a rate."""
    lines = [
        "| load | of | answers a second | p50 | p99 | its CPU | no decision |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {key.asked} | {key.of} | {_shown(rounds, key)} | "
            f"{_shown_cpu(rounds, key, 'target')} | "
            f"{statistics.median(a_round[key].load.refused for a_round in rounds):.1%} |"
            for key in rounds[0]
            if not key.in_flight
        ),
    ]
    return "\n".join(lines)


def _shown(rounds: Sequence[Round], key: Key) -> str:
    throughput, p50, p99 = (
        Spread.of(figure(a_round[key]) for a_round in rounds)
        for figure in (_throughput, _p50, _p99)
    )
    return f"{throughput.shown()} | {p50.median:.2f} ms | {p99.median:.1f} ms"


def _shown_cpu(rounds: Sequence[Round], key: Key, of: str) -> str:
    spent = [a_round[key].cpu[of] for a_round in rounds if of in a_round[key].cpu]
    return f"{statistics.median(spent):.0f} µs" if spent else ""


def throughputs(rounds: Sequence[Round]) -> str:
    """Return a picture of the answers a second, by workload and how many are in flight."""
    groups: dict[str, dict[str, float]] = {}
    names = {(name, AUTHORIZER): name for name in workloads(ROUTES)}
    names["distinct", STUB] = "the stub alone"
    for key in rounds[0]:
        if group := names.get((key.asked, key.of)):
            median = Spread.of(_throughput(a_round[key]) for a_round in rounds).median
            groups.setdefault(group, {})[f"{key.in_flight} in flight"] = median
    return plot.bars("Decisions a second, one worker", groups)
