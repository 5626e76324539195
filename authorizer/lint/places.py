"""Where a part of a string stands in its file, and the lines of files."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.source.document import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK: Final = re.compile(r"(?:&\S+\s+)?[|>][0-9+-]*\s*(?:#.*)?$")
_SPACE: Final = " \t\n"
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


def _in_lines(place: Place, value: str, offset: int, lines: Sequence[str], *, first: int) -> Place:
    """Follow a value through the lines that it is written in, from the one with index `first`.

    What YAML makes of the ends of lines is a space, a line feed or nothing: all are passed over.
    """
    at = 0
    for number in range(first, len(lines)):
        line = lines[number]
        start = place.column - 1 if number == place.line - 1 else 0
        start += len(line[start:]) - len(line[start:].lstrip(" \t\"'"))
        while at < len(value) and value[at] in _SPACE:
            at += 1
        common = os.path.commonprefix([line[start:], value[at:]])
        if at <= offset < at + len(common) or (offset < at and common):
            return Place(place.source, number + 1, start + max(offset - at, 0) + 1)
        if line.strip() and not common:
            return place
        at += len(common)
    return place
