"""The events of a YAML parser into one value, and marks that say where its parts were written.

On events rather than on PyYAML's nodes: five times faster, an alias keeps its own place, and
nothing recurses, so that no nesting can overflow a stack.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import yaml

from authorizer.errors import Problem
from authorizer.source.document import Marks
from authorizer.source.scalars import Surprise, read_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from authorizer.source.document import Value

MAX_DEPTH: Final = 64
# Values that aliases add to a document: ample for people, far below a "billion laughs".
MAX_ALIASED: Final = 100_000

# Only PyYAML's parser in Python lets an escape write one.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@dataclass(slots=True)
class _Part:
    """A value that is complete: `size` values in all, `height` collections deep."""

    value: Value
    marks: Marks | None
    size: int = 1
    height: int = 0


@dataclass(slots=True, eq=False)
class _Open:
    """A collection that is still open; `part` grows with each value that is added."""

    part: _Part
    anchor: str | None
    # It stands where only a string may: it is read for its problems, and stands for "".
    as_key: bool
    key: str | None = None
    key_line: int = 0
    key_column: int = 0


class Composer:
    """Takes the events of one text; then `value` holds, or `problems` says why not.

    So do the `marks` of one that is `marked`.
    """

    def __init__(self, name: str, *, marked: bool) -> None:
        self.value: Value = None
        self.marks = Marks(1, 1)
        self._marked = marked
        self._texts: dict[str, str] = {}
        self.problems: list[Problem] = []
        self._name = name
        self._documents = 0
        self._open: list[_Open] = []
        self._aliased = 0
        # None while the anchored collection is open.
        self._anchors: dict[str, _Part | None] = {}

    def take(self, event: yaml.Event) -> bool:
        """Take the next event; False when there is no sense in going on."""
        handler = _HANDLERS.get(type(event))
        return handler is None or handler(self, event)

    def _text(self, event: yaml.ScalarEvent) -> str:
        """Return the text of a scalar: one object for all that have it.

        A file of 10,000 routes has 300,000 texts, of which 20,000 differ (13 MiB less).
        """
        return self._texts.setdefault(event.value, event.value)

    def _marks(self, event: yaml.Event, inner: Marks | None = None) -> Marks | None:
        """Return the marks of a value that starts here; `inner` has those of its children."""
        if not self._marked:
            return None
        line, column = _start_of(event)
        return Marks(line, column, inner.items, inner.entries) if inner else Marks(line, column)

    def _refuse(self, event: yaml.Event, message: str, hint: str = "") -> None:
        self.problems.append(Problem(self._name, *_start_of(event), message, hint))

    def _document(self, event: yaml.DocumentStartEvent) -> bool:
        self._documents += 1
        if self._documents == 1:
            return True
        self._refuse(event, "a second document starts here", "put it into a file of its own")
        return False

    def _scalar(self, event: yaml.ScalarEvent) -> bool:
        text = self._text(event)
        self._check_tag(event)
        # `implicit[0]`: it is plain, and has no tag.
        value = read_plain(text) if event.implicit[0] else text
        if self._at_key():
            self._key(event, text, value)
            return True
        if isinstance(value, Surprise):
            self._refuse(event, f"`{text}` is {value.what}", _write(text, value.instead))
            value = text
        elif isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
            self._refuse(event, "holds half of a surrogate pair", "write the character itself")
        part = _Part(value, self._marks(event))
        if event.anchor is not None:
            self._anchor(event, event.anchor, part)
        self._add(part)
        return True

    def _start(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent) -> bool:
        self._check_tag(event)
        as_key = self._at_key()
        if as_key:
            self._refuse(event, "a key is a string, and this is a collection", "write a string")
        if len(self._open) == MAX_DEPTH:
            self._refuse(event, f"is nested more than {MAX_DEPTH} levels deep")
            return False
        marks = self._marks(event)
        value: Value
        if type(event) is yaml.MappingStartEvent:
            value = {}
            if marks is not None:
                marks.entries = {}
        else:
            value = []
            if marks is not None:
                marks.items = []
        if event.anchor is not None:
            self._anchor(event, event.anchor, None)
        self._open.append(_Open(_Part(value, marks, height=1), event.anchor, as_key))
        return True

    def _end(self, _event: yaml.MappingEndEvent | yaml.SequenceEndEvent) -> bool:
        closed = self._open.pop()
        if closed.anchor is not None:
            self._anchors[closed.anchor] = closed.part
        if closed.as_key:
            self._open[-1].key = ""
        else:
            self._add(closed.part)
        return True

    def _alias(self, event: yaml.AliasEvent) -> bool:
        name = str(event.anchor)
        if self._at_key():
            self._refuse(event, "an alias cannot be a key", "write the key out")
            self._open[-1].key = ""
            return True
        if name not in self._anchors:
            self._refuse(event, f"the alias `*{name}` has no anchor `&{name}` before it")
            self._add(_Part(None, self._marks(event)))
            return True
        part = self._anchors[name]
        if part is None:
            self._refuse(event, f"`*{name}` repeats what it is itself a part of")
            self._add(_Part(None, self._marks(event)))
            return True
        self._aliased += part.size
        if self._aliased > MAX_ALIASED:
            self._refuse(event, f"aliases repeat more than {MAX_ALIASED} values")
            return False
        if len(self._open) + part.height > MAX_DEPTH:
            self._refuse(event, f"is nested more than {MAX_DEPTH} levels deep")
            return False
        # Its own place, while what is inside stays where it is written.
        marks = self._marks(event, part.marks)
        self._add(_Part(part.value, marks, part.size, part.height))
        return True

    def _anchor(self, event: yaml.NodeEvent, name: str, part: _Part | None) -> None:
        if name in self._anchors:
            self._refuse(event, f"the anchor `&{name}` is there twice", "give each its own name")
        self._anchors[name] = part

    def _check_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> None:
        if event.tag is not None:
            hint = "leave it out; text is put in quotes"
            self._refuse(event, f"the tag `{event.tag}` is not allowed", hint)

    def _at_key(self) -> bool:
        if not self._open:
            return False
        top = self._open[-1]
        return top.key is None and isinstance(top.part.value, dict)

    def _key(self, event: yaml.ScalarEvent, text: str, value: Value | Surprise) -> None:
        """Make the scalar the key of the innermost mapping, or say why it cannot be one."""
        top = self._open[-1]
        top.key = text
        if self._marked:
            top.key_line, top.key_column = _start_of(event)
        known = top.part.value
        if event.anchor is not None:
            self._refuse(event, "a key cannot have an anchor", "leave it out")
        if isinstance(value, Surprise):
            if text == "<<":
                hint = "write the keys out, or give a whole value by an alias"
                self._refuse(event, "merge keys are not allowed; YAML 1.2 has none", hint)
            else:
                self._refuse(event, f"`{text}` as a key is {value.what}", _write(text))
        elif not isinstance(value, str):
            message = f"a key is a string, and `{text}` is not" if text else "a key is missing"
            self._refuse(event, message, _write(text) if text else "")
        elif isinstance(known, dict) and text in known:
            marks = top.part.marks
            first = f", first in line {marks.entries[text][0]}" if marks and marks.entries else ""
            self._refuse(event, f"`{text}` is there twice{first}")

    def _add(self, part: _Part) -> None:
        """Put a complete value where it belongs: into the innermost collection, if any is open."""
        if not self._open:
            self.value, self.marks = part.value, part.marks or self.marks
            return
        top = self._open[-1]
        into = top.part
        into.size += part.size
        into.height = max(into.height, part.height + 1)
        if isinstance(into.value, list):
            into.value.append(part.value)
            if into.marks and part.marks and into.marks.items is not None:
                into.marks.items.append(part.marks)
        elif isinstance(into.value, dict) and top.key is not None:
            into.value[top.key] = part.value
            if into.marks and part.marks and into.marks.entries is not None:
                into.marks.entries[top.key] = (top.key_line, top.key_column, part.marks)
            top.key = None


# Of the class, not of each composer: one that refers to itself would keep its document alive.
_HANDLERS: Final[dict[type[yaml.Event], Callable[[Composer, Any], bool]]] = {
    yaml.ScalarEvent: Composer._scalar,  # noqa: SLF001 - its own module
    yaml.MappingStartEvent: Composer._start,  # noqa: SLF001 - its own module
    yaml.SequenceStartEvent: Composer._start,  # noqa: SLF001 - its own module
    yaml.MappingEndEvent: Composer._end,  # noqa: SLF001 - its own module
    yaml.SequenceEndEvent: Composer._end,  # noqa: SLF001 - its own module
    yaml.AliasEvent: Composer._alias,  # noqa: SLF001 - its own module
    yaml.DocumentStartEvent: Composer._document,  # noqa: SLF001 - its own module
}


def _start_of(event: yaml.Event) -> tuple[int, int]:
    """Return the line and column, from one, where the event's text starts."""
    mark = cast("yaml.Mark", event.start_mark)  # a parser's events have one
    return mark.line + 1, mark.column + 1


def _write(text: str, instead: str = "") -> str:
    return f'write "{text}" or {instead}' if instead else f'write "{text}"'
