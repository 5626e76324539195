"""Where a part of a string stands in its file, and the lines of files."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.source.document import Place

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BLOCK: Final = re.compile(r"(?:&\S+\s+)?[|>][0-9+-]*\s*(?:#.*)?$")
# What Python and CEL name in their messages.
_QUOTED: Final = re.compile(r"'([^']+)'")
_SPACE: Final = " \t\n"
_QUOTES: Final = ("'", '"')
# So much of a text tells it from others on its line.
_NEEDLE: Final = 60


class Sources:
    """The lines of the files that findings are about, each read once."""

    def __init__(self) -> None:
        self._lines: dict[str, Sequence[str]] = {}

    def lines(self, name: str) -> Sequence[str]:
        """Return the lines of a file, without their ends; none where there is no such file."""
        if name not in self._lines:
            try:
                text = Path(name).read_bytes().decode("utf-8-sig", errors="replace")
            except (OSError, ValueError):
                text = ""
            self._lines[name] = re.split("\r\n|\r|\n", text)
        return self._lines[name]

    def inside(self, place: Place, value: str, offset: int) -> Place:
        """Return the place of what is `offset` characters into the string `value` at `place`.

        Exact in a block and on one line, and by its line in what goes over several; where a text
        is written with escapes, it is where the string starts.
        """
        lines = self.lines(place.source)
        if not 0 < place.line <= len(lines):
            return place
        first = lines[place.line - 1]
        if _BLOCK.match(first, place.column - 1):
            return _in_lines(place, value, offset, lines, first=place.line)
        if offset == 0:
            return place
        needle = value[offset : offset + _NEEDLE].partition("\n")[0]
        escaped = json.dumps(needle, ensure_ascii=False)[1:-1]
        for written in (needle, escaped, needle.replace("'", "''")):
            found = first.find(written, place.column - 1) if written else -1
            if found >= 0:
                return Place(place.source, place.line, found + 1)
        return _in_lines(place, value, offset, lines, first=place.line - 1)

    def quoted(self, place: Place, message: str) -> Place:
        """Return where in a block stands what a message about it quotes; else the place itself.

        Where nothing of it is found, it is the block's first line.
        """
        lines = self.lines(place.source)
        if not (0 < place.line < len(lines)) or not _BLOCK.match(
            lines[place.line - 1], place.column - 1
        ):
            return place
        block = list(itertools.takewhile(_below(lines[place.line - 1]), lines[place.line :]))
        for needle in (*_QUOTED.findall(message), *(line.strip() for line in block)):
            for number, line in enumerate(block, start=place.line + 1):
                if needle and needle in line:
                    return Place(place.source, number, line.index(needle) + 1)
        return place


def _below(header: str) -> Callable[[str], bool]:
    """Return what says whether a line is one of the block that a line heads."""
    indent = len(header) - len(header.lstrip(" "))
    return lambda line: not line.strip() or len(line) - len(line.lstrip(" ")) > indent


def _in_lines(place: Place, value: str, offset: int, lines: Sequence[str], *, first: int) -> Place:
    """Follow a value through the lines that it is written in, from the one with index `first`.

    What YAML makes of the ends of lines is a space, a line feed or nothing: all are passed over.
    """
    at = 0
    for number in range(first, len(lines)):
        line = lines[number]
        is_first = number == place.line - 1
        start = place.column - 1 if is_first else len(line) - len(line.lstrip())
        start += is_first and line[start : start + 1] in _QUOTES
        while at < len(value) and value[at] in _SPACE:
            at += 1
        pairs = zip(line[start:], value[at : at + len(line)], strict=False)
        common = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
        if at <= offset < at + common or (offset < at and common):
            return Place(place.source, number + 1, start + max(offset - at, 0) + 1)
        if line.strip() and not common:
            return place
        at += common
    return place
