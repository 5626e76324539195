"""Where a part of a string stands in its file, and the lines of files."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.source.document import Place

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK: Final = re.compile(r"(?:&\S+\s+)?\|[0-9+-]*\s*(?:#.*)?$")
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

        Exact in a literal block (`|`) and on one line; elsewhere it is where the string starts.
        """
        lines = self.lines(place.source)
        if not 0 < place.line <= len(lines):
            return place
        first = lines[place.line - 1]
        if _BLOCK.match(first, place.column - 1):
            return self._in_block(place, value, offset, lines)
        if offset == 0:
            return place
        needle = value[offset : offset + _NEEDLE].partition("\n")[0]
        for written in (needle, json.dumps(needle, ensure_ascii=False)[1:-1]):
            found = first.find(written, place.column - 1) if written else -1
            if found >= 0:
                return Place(place.source, place.line, found + 1)
        return place

    def _in_block(self, place: Place, value: str, offset: int, lines: Sequence[str]) -> Place:
        before = value[:offset]
        line = place.line + 1 + before.count("\n")
        column = offset - (before.rfind("\n") + 1)
        own = value[before.rfind("\n") + 1 :].partition("\n")[0]
        if line > len(lines):
            return place
        indent = lines[line - 1].find(own) if own else 0
        return Place(place.source, line, max(indent, 0) + column + 1)
