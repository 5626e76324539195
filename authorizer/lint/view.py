"""A part of a document, with its place: what checks of foreign files walk down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.source.document import Document, Place, Value


@dataclass(frozen=True, slots=True)
class View:
    """The value at `path` of a document."""

    document: Document
    path: tuple[str | int, ...]
    value: Value

    @property
    def place(self) -> Place:
        """Where the value starts."""
        return self.document.place(self.path)

    @property
    def key_place(self) -> Place:
        """Where the key that leads to it stands."""
        return self.document.place(self.path, key=True)

    def get(self, *keys: str) -> View | None:
        """Return what is below the keys, or None where they lead nowhere."""
        value = self.value
        for key in keys:
            if not isinstance(value, dict) or key not in value:
                return None
            value = value[key]
        return View(self.document, (*self.path, *keys), value)

    def text(self, *keys: str) -> str:
        """Return the string below the keys, or "" where there is none."""
        found = self.get(*keys)
        return found.value if found is not None and isinstance(found.value, str) else ""

    def items(self, *keys: str) -> Iterator[View]:
        """Yield the items of the list below the keys, if there is one."""
        found = self.get(*keys)
        if found is not None and isinstance(found.value, list):
            for number, item in enumerate(found.value):
                yield View(found.document, (*found.path, number), item)

    def entries(self) -> Iterator[tuple[str, View]]:
        """Yield each key with what is below it, where this is a mapping."""
        if isinstance(self.value, dict):
            for name, item in self.value.items():
                yield name, View(self.document, (*self.path, name), item)


def whole(document: Document) -> View:
    """Return the view of a whole document."""
    return View(document, (), document.value)
