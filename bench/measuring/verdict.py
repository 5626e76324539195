"""What came of a soak, and which promises were broken. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# What a service may answer that cannot decide.
DECLARED: Final = frozenset({"pdp_unavailable", "pdp_deadline", "overloaded"})
_ALLOWED: Final = (HTTPStatus.OK, "policy_allow")
_FORBIDDEN: Final = (HTTPStatus.FORBIDDEN, "policy_deny")
# Seconds: what the service promises, and what a busy machine may add.
_DEADLINE: Final = 0.5
_MARGIN: Final = 0.05
# By which share the memory may have grown since the warm-up.
_GROWTH: Final = 0.05
# What a service that has been asked keeps open, beside what it had open before.
_KEPT_DESCRIPTORS: Final = 8
# Of the editions that were saved, so many decided at the least: a reload takes its time.
_SEEN: Final = 0.5
# The share of questions that may be undecided while somebody can decide: those on their way.
_STRAY: Final = 0.02
# asyncio starts its threads for files one by one, as they are needed.
_MORE_THREADS: Final = 4


@dataclass(frozen=True, slots=True)
class Told:
    """One answer: when it was asked for (Unix time), in how many seconds it came, what it said.

    `allowed` is what the policy says. `editions` are those of the rules that an allow names.
    """

    at: float
    seconds: float
    allowed: bool
    status: int
    reason: str
    editions: frozenset[str] = frozenset()

    @property
    def wrong(self) -> bool:
        """Whether it says what no policy said."""
        return (self.status, self.reason) == (_FORBIDDEN if self.allowed else _ALLOWED)

    @property
    def mixed(self) -> bool:
        """Whether more than one state of the rules had a part in it, or none that is known."""
        return self.status == HTTPStatus.OK and len(self.editions) != 1

    @property
    def error(self) -> str:
        """Why there was no decision; empty where there was one."""
        decided = (self.status, self.reason) in (_ALLOWED, _FORBIDDEN)
        return "" if decided else self.reason


@dataclass(frozen=True, slots=True)
class Sample:
    """What the service held at one time (Unix time): MiB, descriptors, threads."""

    at: float
    memory: float
    descriptors: int
    threads: int


@dataclass(frozen=True, slots=True)
class Window:
    """When a step was under way (Unix time). `decidable`: somebody could decide meanwhile."""

    name: str
    turn: int
    start: float
    end: float
    decidable: bool


@dataclass
class Soak:
    """All that was seen. `before` and `after` are of a service that is asked nothing.

    `rate` is how many questions a second there were, `saturation` how many could be answered.
    """

    saturation: float
    rate: int
    before: Sample
    told: list[Told] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    editions: int = 0
    after: Sample | None = None

    @property
    def warm(self) -> float:
        """When all that happens had happened once (Unix time)."""
        return max(window.end for window in self.windows if window.turn == 0)

    def during(self, windows: Sequence[Window]) -> list[Told]:
        """Return the answers to what was asked for meanwhile."""
        return [
            one
            for one in self.told
            if any(window.start <= one.at < window.end for window in windows)
        ]

    @property
    def seen(self) -> int:
        """How many editions of the rules are named by answers."""
        return len({edition for one in self.told for edition in one.editions})

    @property
    def growth(self) -> float:
        """By which share the memory grew from the turn after the warm-up to the last one.

        In each turn the same happens, so that they can be held against each other.
        """
        turns = [self._memory(turn) for turn in (1, max(one.turn for one in self.windows))]
        return turns[1] / turns[0] - 1

    def _memory(self, turn: int) -> float:
        windows = [window for window in self.windows if window.turn == turn]
        start, end = windows[0].start, windows[-1].end
        return statistics.median(
            sample.memory for sample in self.samples if start <= sample.at < end
        )


def percentile(told: Sequence[Told], share: float) -> float:
    """Return the seconds in which that share (0 to 1) of the answers came; 0 without any."""
    took = sorted(one.seconds for one in told)
    return took[min(int(len(took) * share), len(took) - 1)] if took else 0.0


def errors(told: Sequence[Told]) -> Counter[str]:
    """Return how often there was no decision, by reason."""
    return Counter(one.error for one in told if one.error)


def judge(soak: Soak) -> list[str]:
    """Return which promises were broken."""
    return [*_answers(soak), *_steps(soak), *_holdings(soak)]


def _answers(soak: Soak) -> Iterator[str]:
    if wrong := [one for one in soak.told if one.wrong]:
        yield f"{len(wrong)} wrong answers, such as {wrong[0]}"
    if mixed := [one for one in soak.told if one.mixed]:
        yield f"{len(mixed)} of a mixed state of the rules, such as {mixed[0]}"
    if others := {name: count for name, count in errors(soak.told).items() if name not in DECLARED}:
        yield f"errors that nobody declared: {others}"
    if (late := percentile(soak.told, 0.99)) > _DEADLINE + _MARGIN:
        yield f"the p99 of all answers is {late:.3f} s, after the deadline"
    if soak.seen < _SEEN * soak.editions:
        yield f"of {soak.editions} editions of the rules {soak.seen} decided"


def _steps(soak: Soak) -> Iterator[str]:
    decidable = [window for window in soak.windows if window.decidable]
    for window in decidable:
        told = soak.during([window])
        undecided = errors(told)
        del undecided["overloaded"]  # for want of CPU, which is not this window's doing
        if undecided.total() > _STRAY * len(told):
            yield f"{window.name}: {dict(undecided)}, though somebody could decide"
    told = soak.during(decidable)
    if errors(told)["overloaded"] > _STRAY * len(told):
        yield f"{errors(told)['overloaded']} overloaded, at half of what can be answered"


def _holdings(soak: Soak) -> Iterator[str]:
    if soak.growth > _GROWTH:
        yield f"memory grew by {soak.growth:.1%} after the warm-up"
    if soak.after is None:
        return
    left = soak.after.descriptors - soak.before.descriptors
    if left > _KEPT_DESCRIPTORS:
        yield f"{left} descriptors were left open"
    most = max(sample.threads for sample in soak.samples if sample.at <= soak.warm)
    if soak.after.threads > most + _MORE_THREADS:
        yield f"{soak.after.threads} threads were left, after {most} in the warm-up"


def summary(soak: Soak) -> str:
    """Return in a few sentences how it was."""
    grew = f"The memory grew by {soak.growth:.1%} after the first turn, which is the warm-up."
    if max(window.turn for window in soak.windows) == 1:
        grew = "That was too short to say whether the memory grows."
    return (
        f"It was asked {soak.rate} questions a second; the most that it can answer is "
        f"{soak.saturation:.0f}. {soak.editions} editions of the rules were saved, and {soak.seen} "
        f"of them decided. {grew}"
    )


def table(soak: Soak) -> str:
    """Return what came of each step, over all its turns, as Markdown."""
    lines = [
        "| meanwhile | asked | wrong | mixed | undecided | p50 ms | p99 ms |",
        "| --- | ---: | ---: | ---: | --- | ---: | ---: |",
    ]
    for name in dict.fromkeys(window.name for window in soak.windows):
        told = soak.during([window for window in soak.windows if window.name == name])
        lines.append(_row(name, told))
    lines.append(_row("all the time, and between", soak.told))
    return "\n".join(lines)


def _row(name: str, told: Sequence[Told]) -> str:
    undecided = errors(told)
    share = f"{undecided.total() / len(told):.1%}" if undecided else "none"
    reasons = ", ".join(f"`{reason}`" for reason in sorted(undecided))
    cells = (
        name,
        f"{len(told):,}",
        f"{sum(one.wrong for one in told)}",
        f"{sum(one.mixed for one in told)}",
        f"{share} {reasons}".strip(),
        f"{percentile(told, 0.5) * 1e3:.1f}",
        f"{percentile(told, 0.99) * 1e3:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def held(soak: Soak) -> str:
    """Return what the service held, as Markdown."""
    warm = [sample for sample in soak.samples if sample.at >= soak.warm] or soak.samples
    rows = (
        ("memory", " MiB", [sample.memory for sample in warm], "memory"),
        ("descriptors", "", [sample.descriptors for sample in warm], "descriptors"),
        ("threads", "", [sample.threads for sample in warm], "threads"),
    )
    lines = [
        "| | before | after the warm-up: median | most | at the end, asked nothing |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, unit, values, key in rows:
        end = "" if soak.after is None else f"{getattr(soak.after, key):.0f}{unit}"
        lines.append(
            f"| {name} | {getattr(soak.before, key):.0f}{unit} | "
            f"{statistics.median(values):.0f}{unit} | {max(values):.0f}{unit} | {end} |"
        )
    return "\n".join(lines)
