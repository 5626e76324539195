"""A value of which it is known where each part was written."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from authorizer.errors import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
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


class Places:
    """Where each part of one source's value was written.

    `find` gives the marks when somebody first asks, by reading the text once more. Mostly nobody
    does: the marks of 10,000 routes take 35 MiB, and their text 2.
    """

    def __init__(self, name: str, find: Callable[[], Marks]) -> None:
        self.name: Final = name
        self._find = find

    @cached_property
    def _marks(self) -> Marks:
        return self._find()

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """Return where the value at `path` starts, or with `key` the key that leads to it.

        A path that leads nowhere falls back to its nearest ancestor that exists.
        An item of a list has no key: its own place stands for it.
        """
        marks = self._marks
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


class Document:
    """What one source says.

    `value` is plain Python: dict, list, str, int, float, bool, None. Treat it as read-only: what
    an alias repeats is one object in several places. `places` may outlive the document, and do not
    keep its value.
    """

    def __init__(self, name: str, value: Value, marks: Marks | Callable[[], Marks]) -> None:
        self.name: Final = name
        self.value: Final = value
        self.places: Final = Places(name, (lambda: marks) if isinstance(marks, Marks) else marks)

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """Return where the value at `path` starts, as `Places.place` does."""
        return self.places.place(path, key=key)

    def problem(
        self, path: Sequence[str | int], message: str, hint: str = "", *, key: bool = False
    ) -> Problem:
        """Return a problem with the value (or with `key` the key) at `path`."""
        return self.place(path, key=key).problem(message, hint)


def detached(text: str) -> str:
    """Return a copy of a document's text, for what outlives the document.

    Python gives memory back a mebibyte at a time. A text here and there that is still in use would
    keep all that there was of a document: 10 MiB of 10,000 routes.
    """
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")


def _is_index(step: str | int, items: list[Marks]) -> bool:
    return isinstance(step, int) and 0 <= step < len(items)
