"""What JSON Schemas say of one value: its members, its types, what has to be there.

A value is described by several schemas at once (references, `allOf`, branches), or by none. What
is said here is what all of them leave possible, so that what is denied here is certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from authorizer.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from authorizer.kratos.identity_schema import Node

_ALTERNATIVES: Final = ("anyOf", "oneOf")
_BRANCHES: Final = ("if", "then", "else")
OF_VALUE: Final[dict[type, str]] = {
    bool: "boolean",
    int: "number",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}
# The step into any item of a list.
ITEM: Final = "[]"
# Beyond it, two integers can be one number (IEEE 754).
_EXACT: Final = 2**53


@dataclass(frozen=True, slots=True)
class Described:
    """A value, by the schemas that describe it; without one it may be anything."""

    schemas: tuple[Node, ...]

    def members(self) -> dict[str, Described]:
        """Return what it can hold by name, as far as that is declared."""
        found: dict[str, list[Node]] = {}
        for part in _variants(self.schemas):
            for inner in part.children("properties"):
                found.setdefault(str(inner.path[-1]), []).append(inner)
        return {name: Described(tuple(nodes)) for name, nodes in found.items()}

    @property
    def is_open(self) -> bool:
        """Whether it can hold what no schema declares by name, and a schema says so.

        Where some members are declared, JSON Schema allows others too; they are a mistake here.
        """
        parts = list(_variants(self.schemas))
        if any(part.get("patternProperties") is not None for part in parts):
            return True
        if any(_allows(part.get("additionalProperties")) for part in parts):
            return True
        types = self.types
        return (types is None or "object" in types) and all(
            part.get("properties") is None for part in parts
        )

    @property
    def items(self) -> Described:
        """What it holds as a list."""
        found = [
            node
            for part in _variants(self.schemas)
            if (inner := part.get("items")) is not None
            for node in ([inner] if isinstance(inner.value, dict) else part.children("items"))
        ]
        return Described(tuple(found))

    @property
    def types(self) -> frozenset[str] | None:
        """The types that it can have (JSON Schema's names; an integer is a number), None for any.

        Types of several schemas that declare it: any of theirs.
        """
        each = [_types(schema, ()) for schema in self.schemas]
        known = [types for types in each if types is not None]
        return frozenset().union(*known) if each and len(known) == len(each) else None

    @property
    def values(self) -> frozenset[str] | None:
        """The strings that it can be, None where they are not listed."""
        listed: list[Node | None] = [schema.get("enum") for schema in self.schemas]
        values = [node.value if node is not None else None for node in listed]
        found = [
            frozenset(item for item in one if isinstance(item, str))
            for one in values
            if isinstance(one, list)
        ]
        return frozenset().union(*found) if found and len(found) == len(listed) else None

    @property
    def is_rounded(self) -> bool:
        """Whether a schema says of an integer that it may be too large for a double."""
        return any(map(_is_rounded, _variants(self.schemas)))

    @property
    def is_unbounded(self) -> bool:
        """Whether it is an integer, if it is not null, and no schema says how large."""
        parts = list(_variants(self.schemas))
        is_number = self.types is not None and self.types <= {"number", "null"}
        return is_number and any(map(_is_integer, parts)) and not any(map(_is_bounded, parts))

    def demands(self, name: str) -> bool:
        """Say whether the member is there whatever fits the schemas."""
        return bool(self.schemas) and all(_demands(schema, name, ()) for schema in self.schemas)


def _allows(node: Node | None) -> bool:
    return node is not None and node.value is not False


def _target(node: Node) -> Node | None:
    try:
        return node.target()
    except SourceError:
        return None  # told where the schema is read, or beside what is looked at


def _variants(schemas: Iterable[Node]) -> Iterator[Node]:
    """Yield all that the schemas are put together from, each once."""
    seen: set[tuple[str, tuple[str | int, ...]]] = set()
    waiting = list(schemas)
    while waiting:
        node = waiting.pop()
        known = (node.document.name, node.path)
        if known in seen:
            continue
        seen.add(known)
        yield node
        for key in ("allOf", *_ALTERNATIVES):
            waiting += node.children(key)
        inner = (_target(node), *(node.get(key) for key in _BRANCHES))
        waiting += [part for part in inner if part is not None]


def _types(node: Node, seen: tuple[object, ...]) -> frozenset[str] | None:
    if node.path in seen:
        return None
    seen = (*seen, node.path)
    if (target := _target(node)) is not None:
        return _types(target, seen)
    found = [_stated(node)]
    found += [_types(part, seen) for part in node.children("allOf")]
    for key in _ALTERNATIVES:
        each = [_types(part, seen) for part in node.children(key)]
        known = [types for types in each if types is not None]
        if each and len(known) == len(each):
            found.append(frozenset().union(*known))
    certain = [types for types in found if types is not None]
    return frozenset.intersection(*certain) if certain else None


def _stated(node: Node) -> frozenset[str] | None:
    value: Any = node.value if isinstance(node.value, dict) else {}
    stated = value.get("type")
    if stated is not None:
        names = [stated] if isinstance(stated, str) else stated
        return frozenset("number" if name == "integer" else str(name) for name in names)
    if "const" in value:
        return frozenset({OF_VALUE[type(value["const"])]})
    if isinstance(value.get("enum"), list):
        return frozenset(OF_VALUE[type(item)] for item in value["enum"])
    return frozenset({"object"}) if "properties" in value else None


def _demands(node: Node, name: str, seen: tuple[object, ...]) -> bool:
    if node.path in seen:
        return False
    seen = (*seen, node.path)
    if (target := _target(node)) is not None:
        return _demands(target, name, seen)
    if any(item.value == name for item in node.children("required")):
        return True
    if any(_demands(part, name, seen) for part in node.children("allOf")):
        return True
    return any(
        bool(parts) and all(_demands(part, name, seen) for part in parts)
        for parts in (node.children(key) for key in _ALTERNATIVES)
    )


def _is_rounded(node: Node) -> bool:
    if not _is_integer(node):
        return False
    value: Any = node.value
    highest = value.get("maximum", value.get("exclusiveMaximum"))
    lowest = value.get("minimum", value.get("exclusiveMinimum"))
    if _is_number(highest) and highest > _EXACT:
        return True
    if _is_number(lowest) and lowest < -_EXACT:
        return True
    return value.get("format") == "int64" and highest is None


def _is_integer(node: Node) -> bool:
    stated = node.value.get("type") if isinstance(node.value, dict) else None
    return stated == "integer" or (isinstance(stated, list) and "integer" in stated)


def _is_bounded(node: Node) -> bool:
    value = node.value if isinstance(node.value, dict) else {}
    listed = any(key in value for key in ("maximum", "exclusiveMaximum", "enum", "const"))
    return listed or value.get("format") == "int32"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
