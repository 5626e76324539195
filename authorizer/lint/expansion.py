"""What texts a regex stands for, by example: its alternatives, and samples for its open parts.

Not every text: repetitions are tried with a few seeds, look-arounds are passed over. Whoever uses
a sample therefore holds it to the regex itself.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.lint.regex import compile_regex

if TYPE_CHECKING:
    from typing import TypeAlias

    Expansion: TypeAlias = tuple["str | Open", ...]

_MAX_EXPANSIONS: Final = 64
_MAX_SAMPLES: Final = 6
# A class of no more characters than these is spelled out.
_FEW: Final = 4
# A dot comes first, as it is what a bare `.` was mostly meant to be.
_TRIED: Final = ".a7A/-"
_PRINTABLE: Final = "".join(map(chr, range(0x20, 0x7F)))
_SEEDS: Final = (
    "",
    "a",
    "42",
    "acme",
    "a/b",
    "/a",
    "/a/b",
    "a-b",
    "a.b",
    "A",
    "AB",
    "ABC",
    "7",
    "abcdef",
    "123e4567-e89b-42d3-a456-426614174000",
    ":",
    "/",
)
_ZERO_WIDTH: Final = "bBAzZG"
_QUANTIFIER: Final = re.compile(r"(?:\*|\+|\?|\{(\d+)(,)?(\d*)\})[?+]?")
_LOOK_AROUND: Final = ("(?=", "(?!", "(?<=", "(?<!")
_GROUP: Final = re.compile(r"\((?:\?(?:P?<\w+>|[a-zA-Z-]*:))?")


@dataclass(frozen=True, slots=True)
class Open:
    """A part that stands for more texts than can be listed; `samples` are some of them."""

    samples: tuple[str, ...]


def expand(regex: str) -> list[Expansion]:
    """Return the alternatives of a regex; none where it cannot be read."""
    try:
        reader = _Reader(regex)
        found = reader.alternatives()
        return found if reader.at == len(regex) else []
    except (ValueError, IndexError, RecursionError):
        return []


def samples(expansion: Expansion) -> list[str]:
    """Return some texts of one alternative: each open part with its first sample, its second, …"""
    counts = [len(part.samples) for part in expansion if isinstance(part, Open)]
    return list(
        dict.fromkeys(
            "".join(_sample(part, number) for part in expansion)
            for number in range(max(counts, default=1))
        )
    )


def _sample(part: str | Open, number: int) -> str:
    return part if isinstance(part, str) else part.samples[min(number, len(part.samples) - 1)]


class _NotRead(ValueError):
    """The regex has something that is not known here."""


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def alternatives(self) -> list[Expansion]:
        found = self._sequence()
        while self.text.startswith("|", self.at):
            self.at += 1
            found += self._sequence()
        return found[:_MAX_EXPANSIONS]

    def _sequence(self) -> list[Expansion]:
        found: list[Expansion] = [()]
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            item = self._quantified()
            found = [one + two for one in found for two in item][:_MAX_EXPANSIONS]
        return found

    def _quantified(self) -> list[Expansion]:
        start = self.at
        item = self._atom()
        found = _QUANTIFIER.match(self.text, self.at)
        if not found:
            return item
        self.at = found.end()
        sign = found.group()[0]
        if sign == "?":
            return [(), *item]
        if sign == "{" and found[1] == "1" and not found[2]:
            return item
        least = int(found[1]) if sign == "{" else int(sign == "+")
        fitting = _fitting(self.text[start : self.at])
        if not fitting:
            fitting = tuple(text * max(least, 1) for one in item[:_FEW] for text in samples(one))
        return [(Open(fitting),)] if fitting else []

    def _atom(self) -> list[Expansion]:
        text, start = self.text, self.at
        character = text[start]
        if character == "(":
            return self._group()
        if character in "^$":
            self.at += 1
            return [()]
        if character == "\\":
            self.at += 2
            escaped = text[start + 1]
            if escaped in _ZERO_WIDTH:
                return [()]
            return _characters(text[start : self.at]) if escaped.isalnum() else [(escaped,)]
        if character == "[":
            self.at = _end_of_class(text, start)
            return _characters(text[start : self.at])
        self.at += 1
        return _characters(".") if character == "." else [(character,)]

    def _group(self) -> list[Expansion]:
        if self.text.startswith(_LOOK_AROUND, self.at):
            self.at += 3
            self.alternatives()
            self._close()
            return [()]
        opening = _GROUP.match(self.text, self.at)
        self.at = opening.end() if opening else self.at + 1
        if self.text.startswith("?", self.at):
            # Flags for what follows, or a construct that only .NET has.
            raise _NotRead
        found = self.alternatives()
        self._close()
        return found

    def _close(self) -> None:
        if self.text[self.at] != ")":
            raise _NotRead
        self.at += 1


def _end_of_class(text: str, start: int) -> int:
    at = start + 1
    at += text[at] == "^"
    at += text[at] == "]"
    while text[at] != "]":
        at += 2 if text[at] == "\\" else 1
    return at + 1


@functools.lru_cache(maxsize=1024)
def _characters(text: str) -> list[Expansion]:
    """Return the characters that a class stands for, or an open part where they are many."""
    compiled = compile_regex(text)
    members = [character for character in _PRINTABLE if compiled.fullmatch(character)]
    if 0 < len(members) <= _FEW:
        return [(member,) for member in members]
    some = [character for character in _TRIED if character in members] or members[:1]
    return [(Open(tuple(some)),)] if some else []


@functools.lru_cache(maxsize=1024)
def _fitting(text: str) -> tuple[str, ...]:
    compiled = compile_regex(text)
    found = [seed for seed in _SEEDS if compiled.fullmatch(seed)]
    return tuple(found[:_MAX_SAMPLES])
