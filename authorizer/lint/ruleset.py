"""The compiled rules, and where each part of a route is written."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from authorizer.expressions.template import Template
    from authorizer.lint.places import Sources
    from authorizer.routing.route import Route
    from authorizer.routing.table import RouteTable
    from authorizer.source.document import Document, Place


T = TypeVar("T")


class RuleSet:
    """A route table with the documents that it was compiled from.

    A compiled route does not say where each of its texts stands, and need not: they are found
    again in its document. So a key that the language gains is found like any other.
    """

    def __init__(self, documents: Sequence[Document], table: RouteTable, sources: Sources) -> None:
        self.table: Final = table
        self._sources = sources
        self._written: dict[Place, tuple[Document, int]] = {}
        for document in documents:
            value: Any = document.value
            for number in range(len(value["routes"])):
                self._written[document.place(("routes", number, "id"))] = (document, number)

    def place(self, route: Route, text: str, *, under: str = "") -> Place:
        """Return where `text` is written in a route: below a key `under`, if it is there."""
        document, number = self._written[route.place]
        value: Any = document.value
        raw = value["routes"][number]
        found = [path for path, written in strings(raw) if written == text]
        named = [path for path in found if under in path]
        for path in (*named, *found):
            return document.place(("routes", number, *path))
        return route.place

    def inside(self, route: Route, template: Template, text: str) -> Place:
        """Return where `text` is written in one of a route's templates."""
        place = self.place(route, template.text)
        return self._sources.inside(place, template.text, max(template.text.find(text), 0))

    def method_place(self, route: Route, method: str) -> Place:
        """Return where a route maps a method: the key in `actions`, or the item of `methods`."""
        document, number = self._written[route.place]
        value: Any = document.value
        raw = value["routes"][number]
        if method in raw.get("actions", {}):
            return document.place(("routes", number, "actions", method), key=True)
        return self.place(route, method, under="methods")

    def key_place(self, route: Route, name: str, *under: str) -> Place:
        """Return where a route has a key of this name, in any case, below the keys `under`."""
        document, number = self._written[route.place]
        value: Any = document.value
        raw = value["routes"][number]
        for key in under:
            raw = raw.get(key, {})
        for key in raw:
            if key.lower() == name.lower():
                return document.place(("routes", number, *under, key), key=True)
        return route.place

    def attr_place(self, route: Route, check: int, keys: Sequence[str]) -> Place:
        """Return where a route's check has an attribute; where all are, or would be, without keys.

        `check` is its number among the route's.
        """
        document, number = self._written[route.place]
        value: Any = document.value
        own = () if "resource" in value["routes"][number] else ("checks", check)
        path = ("routes", number, *own, "resource", "attr", *keys)
        return document.place(path, key=bool(keys))

    def match_place(self, route: Route) -> Place:
        """Return where a route says its path."""
        document, number = self._written[route.place]
        return document.place(("routes", number, "match", "path"))


def strings(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, str]]:
    """Yield every string in a value, with its path."""
    match value:
        case str():
            yield path, value
        case dict():
            for key, item in value.items():
                yield from strings(item, (*path, key))
        case list():
            for number, item in enumerate(value):
                yield from strings(item, (*path, number))


def parts(value: object, kind: type[T]) -> Iterator[T]:
    """Yield everything of a kind in a compiled part of the rules, whatever holds it."""
    match value:
        case _ if isinstance(value, kind):
            yield value
        case dict():
            yield from parts(list(value.values()), kind)
        case tuple() | list() | frozenset():
            for item in value:
                yield from parts(item, kind)
        case _ if dataclasses.is_dataclass(value):
            for field in dataclasses.fields(value):
                yield from parts(getattr(value, field.name), kind)
