"""A value that remembers where each part of it was written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from authorizer.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    # What a source can say, as plain Python.
    Value: TypeAlias = bool | int | float | str | list["Value"] | dict[str, "Value"] | None


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a source. `line` and `column` count from one; 0 means that there is none.

    `source` is a file name, or a description of what is no file ("--listen").
    """

    source: str
    line: int = 0
    column: int = 0

    def problem(self, message: str, hint: str = "") -> Problem:
        """Return the problem that `message` tells of, in this place."""
        return Problem(self.source, self.line, self.column, message, hint)

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


@dataclass(slots=True)
class Marks:
    """Where a value starts, and where its children do; lines and columns count from one.

    `entries` has an item for each key of a mapping: the key's line and column, the value's marks.
    """

    line: int
    column: int
    items: list[Marks] | None = None
    entries: dict[str, tuple[int, int, Marks]] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """What one source says.

    `value` is plain Python: dict, list, str, int, float, bool, None. Treat it as read-only: what
    an alias repeats is one object in several places.
    """

    name: str
    value: Value
    marks: Marks

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """Return where the value at `path` starts, or with `key` the key that leads to it.

        A path that leads nowhere falls back to its nearest ancestor that exists.
        An item of a list has no key: its own place stands for it.
        """
        marks = self.marks
        line, column = marks.line, marks.column
        for step in path:
            if marks.entries is not None and isinstance(step, str) and step in marks.entries:
                key_line, key_column, marks = marks.entries[step]
                line, column = (key_line, key_column) if key else (marks.line, marks.column)
            elif marks.items is not None and _is_index(step, marks.items):
                marks = marks.items[int(step)]
                line, column = marks.line, marks.column
            else:
                return Place(self.name, marks.line, marks.column)
        return Place(self.name, line, column)

    def problem(
        self, path: Sequence[str | int], message: str, hint: str = "", *, key: bool = False
    ) -> Problem:
        """Return a problem with the value (or with `key` the key) at `path`."""
        return self.place(path, key=key).problem(message, hint)


def _is_index(step: str | int, items: list[Marks]) -> bool:
    return isinstance(step, int) and 0 <= step < len(items)
