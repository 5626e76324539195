"""What an expression can select from a value that a JSON Schema (draft 2020-12) describes."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeAlias

    # A schema, and the definitions that led to it: one that leads to itself is not gone into.
    _Part: TypeAlias = tuple[Any, tuple[str, ...]]

_IDENTIFIER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
# Words that cannot follow a dot (CEL's language definition, "Syntax").
_RESERVED: Final = frozenset(("true", "false", "null", "in"))
_REFERENCE: Final = "#/$defs/"
_ALTERNATIVES: Final = ("anyOf", "oneOf")
_BRANCHES: Final = ("then", "else")
_KIND_OF: Final[dict[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    dict: "object",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Selectable:
    """A value that can be selected: by which expression, and what a schema says of it.

    `required`: it is there, as is all that it is in. `annotations` are the keywords of the
    schema itself, without what it refers to.
    """

    name: str
    types: tuple[str, ...]
    required: bool
    description: str = ""
    annotations: Mapping[str, Any] = field(default_factory=dict)


def selected(parent: str, key: str) -> str:
    """Return the expression that selects `key` from what `parent` stands for."""
    if _IDENTIFIER.fullmatch(key) and key not in _RESERVED:
        return f"{parent}.{key}"
    return f"{parent}[{json.dumps(key, ensure_ascii=False)}]"


def selectable(
    name: str, schema: object, definitions: Mapping[str, Any], *, required: bool
) -> Iterator[Selectable]:
    """Yield the value that `name` stands for, then what it holds, at any depth.

    `definitions` are the schema's `$defs`.
    """
    yield from _Walk(definitions).below(name, [(schema, ())], required=required)


class _Walk:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions

    def below(self, name: str, parts: list[_Part], *, required: bool) -> Iterator[Selectable]:
        variants = list(self._variants(parts))
        first = parts[0][0] if isinstance(parts[0][0], dict) else {}
        description = _first_text([part for part, _ in [*parts, *variants]])
        yield Selectable(name, self._types(variants), required, description, first)
        demanded = self._demanded(parts)
        for key, inner in _children(variants, "properties").items():
            there = required and key in demanded
            yield from self.below(selected(name, key), inner, required=there)
        items = [(variant["items"], seen) for variant, seen in variants if "items" in variant]
        for key, inner in _children(self._variants(items), "properties").items():
            # A list may be empty.
            yield from self.below(selected(f"{name}[]", key), inner, required=False)

    def _variants(self, parts: Iterable[_Part]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        """Yield all that the schemas are put together from."""
        for schema, seen in parts:
            if not isinstance(schema, dict):
                continue
            yield schema, seen
            inner = [
                (part, seen) for key in ("allOf", *_ALTERNATIVES) for part in schema.get(key, ())
            ]
            inner += [(schema[key], seen) for key in _BRANCHES if key in schema]
            yield from self._variants(inner)
            if (target := self._target(schema)) is not None:
                known, definition = target
                if known not in seen:
                    yield from self._variants([(definition, (*seen, known))])
                else:
                    yield {"type": definition.get("type", ())}, seen

    def _target(self, schema: dict[str, Any]) -> tuple[str, dict[str, Any]] | None:
        name = str(schema.get("$ref", "")).removeprefix(_REFERENCE)
        definition = self._definitions.get(name)
        return (name, definition) if isinstance(definition, dict) else None

    def _types(self, variants: list[tuple[dict[str, Any], tuple[str, ...]]]) -> tuple[str, ...]:
        names: dict[str, None] = {}
        for variant, _ in variants:
            names.update(dict.fromkeys(_stated(variant)))
        if "array" in names:
            items = [(variant["items"], seen) for variant, seen in variants if "items" in variant]
            if items:
                inside = " | ".join(self._types(list(self._variants(items))))
                names = {f"array of {inside}" if key == "array" else key: None for key in names}
        return tuple(names) or ("any",)

    def _demanded(self, parts: Iterable[_Part]) -> set[str]:
        """Return the keys without which nothing fits any of the schemas."""
        each = [self._demanded_by(schema, seen) for schema, seen in parts]
        return set.intersection(*each) if each else set()

    def _demanded_by(self, schema: object, seen: tuple[str, ...]) -> set[str]:
        if not isinstance(schema, dict):
            return set()
        names = set(schema.get("required", ()))
        for part in schema.get("allOf", ()):
            names |= self._demanded_by(part, seen)
        for key in _ALTERNATIVES:
            names |= self._demanded((part, seen) for part in schema.get(key, ()))
        target = self._target(schema)
        if target is not None and target[0] not in seen:
            names |= self._demanded_by(target[1], (*seen, target[0]))
        return names


def _children(
    variants: Iterable[tuple[dict[str, Any], tuple[str, ...]]], keyword: str
) -> dict[str, list[_Part]]:
    children: dict[str, list[_Part]] = {}
    for variant, seen in variants:
        for key, inner in variant.get(keyword, {}).items():
            children.setdefault(key, []).append((inner, seen))
    return children


def _stated(schema: dict[str, Any]) -> list[str]:
    """Return the types that a schema states, or shows by its other keywords."""
    stated = schema.get("type")
    if stated is not None:
        return [stated] if isinstance(stated, str) else list(stated)
    if "const" in schema or "enum" in schema:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        return [_KIND_OF[type(value)] for value in values]
    return ["object"] if "properties" in schema else []


def _first_text(schemas: Sequence[object]) -> str:
    for key in ("description", "title"):
        for schema in schemas:
            if isinstance(schema, dict) and isinstance(schema.get(key), str):
                return str(schema[key])
    return ""
