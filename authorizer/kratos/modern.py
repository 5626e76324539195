"""From JSON Schema draft 7, which Kratos reads, to draft 2020-12, which Cerbos reads.

https://json-schema.org/draft/2020-12/release-notes and /draft/2019-09/release-notes list what
changed its meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from authorizer.kratos.identity_schema import Node

_SCHEMA: Final = frozenset(
    ("additionalProperties", "propertyNames", "contains", "not", "if", "then", "else")
)
_SCHEMAS: Final = frozenset(("allOf", "anyOf", "oneOf"))
_SCHEMAS_BY_NAME: Final = frozenset(("properties", "patternProperties"))
_ANNOTATIONS: Final = ("title", "description")
# What says where a schema is, what only Kratos reads, and what a draft 7 reader does not know:
# it would begin to count in the later draft.
_DROPPED: Final = frozenset(
    (
        *("$schema", "$id", "id", "definitions", "$defs", "$anchor", "$vocabulary"),
        *("$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor"),
        *("prefixItems", "minContains", "maxContains", "dependentRequired", "dependentSchemas"),
        *("unevaluatedItems", "unevaluatedProperties"),
    )
)
_EXTENSION: Final = "ory.sh/"


class Modernizer:
    """Rewrites parts of identity schemas.

    `definitions` collects what they refer to, to be put under `$defs` beside them.
    """

    def __init__(self) -> None:
        self.definitions: Final[dict[str, Any]] = {}
        self._names: Final[dict[tuple[int, tuple[str | int, ...]], str]] = {}

    def rewritten(self, node: Node) -> Any:  # noqa: ANN401 - a schema: a mapping, true or false
        """Return the schema as draft 2020-12 has it; raises SourceError for a bad reference."""
        schema = node.value
        if not isinstance(schema, dict):
            return schema
        if (target := node.target()) is not None:
            kept = {key: schema[key] for key in _ANNOTATIONS if key in schema}
            return {**kept, "$ref": f"#/$defs/{self._definition(target)}"}
        result: dict[str, Any] = {}
        for key in schema:
            if key not in _DROPPED and not key.startswith(_EXTENSION):
                result.update(self._keyword(node, key))
        return result

    def _keyword(self, node: Node, key: str) -> dict[str, Any]:
        inner = node.get(key)
        if inner is None or key == "additionalItems":
            return {}  # said along with `items`
        if key in _SCHEMA:
            return {key: self.rewritten(inner)}
        if key in _SCHEMAS:
            return {key: [self.rewritten(item) for item in node.children(key)]}
        if key in _SCHEMAS_BY_NAME:
            return {key: self._by_name(node, key)}
        if key == "items":
            return self._items(node, inner)
        if key == "dependencies":
            return self._dependencies(node)
        return {key: inner.value}

    def _by_name(self, node: Node, key: str) -> dict[str, Any]:
        return {str(child.path[-1]): self.rewritten(child) for child in node.children(key)}

    def _items(self, node: Node, items: Node) -> dict[str, Any]:
        if not isinstance(items.value, list):
            return {"items": self.rewritten(items)}
        result: dict[str, Any] = {
            "prefixItems": [self.rewritten(item) for item in node.children("items")]
        }
        if (rest := node.get("additionalItems")) is not None:
            result["items"] = self.rewritten(rest)
        return result

    def _dependencies(self, node: Node) -> dict[str, Any]:
        names, schemas = {}, {}
        for child in node.children("dependencies"):
            if isinstance(child.value, list):
                names[str(child.path[-1])] = child.value
            else:
                schemas[str(child.path[-1])] = self.rewritten(child)
        return {
            **({"dependentRequired": names} if names else {}),
            **({"dependentSchemas": schemas} if schemas else {}),
        }

    def _definition(self, target: Node) -> str:
        """Return the name under which a target is defined, and define it the first time."""
        identity = (id(target.document), target.path)
        if identity not in self._names:
            name = self._free_name(str(target.path[-1]) if target.path else "identity")
            self._names[identity] = name
            # The name is taken before it is filled: a definition may refer to itself.
            self.definitions[name] = {}
            self.definitions[name] = self.rewritten(target)
        return self._names[identity]

    def _free_name(self, wanted: str) -> str:
        plain = "".join(char if char.isalnum() or char in "-_" else "_" for char in wanted)
        name, number = plain, 1
        while name in self.definitions:
            number += 1
            name = f"{plain}-{number}"
        return name
