"""The settings that config.schema.json knows, one by one."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from authorizer.source.schema import Schema, load_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENVIRONMENT_PREFIX: Final = "AUTHORIZER__"

# Where the command line sets something, and what.
FLAGS: Final[Mapping[str, tuple[str, ...]]] = {
    "--listen": ("server", "listen"),
    "--admin-listen": ("admin", "listen"),
    "--workers": ("server", "workers"),
    "--rules": ("rules", "paths"),
    "--pdp": ("pdp", "endpoints"),
    "--embedded-pdp": ("pdp", "embedded", "policies"),
    "--cerbos": ("pdp", "embedded", "cerbos"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """One setting.

    `kind` is the name of what it refers to under `$defs`, `item_kind` what the items of a list or
    the values of a mapping refer to; "" for nothing. `node` is its JSON Schema with what it refers
    to merged in. `required` says whether its group needs it.
    """

    path: tuple[str, ...]
    node: Mapping[str, Any]
    kind: str
    item_kind: str
    required: bool

    @property
    def dotted(self) -> str:
        """The setting's name for people: `server.listen`."""
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return ENVIRONMENT_PREFIX + "__".join(self.path).upper()


def config_schema() -> Schema:
    """Return the compiled schema of authorizer.yaml."""
    return load_schema("authorizer.config", "config.schema.json")


@functools.cache
def config_keys() -> tuple[Key, ...]:
    """Return every setting, in the schema's order."""
    definition = config_schema().definition
    return tuple(_keys(definition, definition["$defs"], ()))


def _keys(
    group: Mapping[str, Any], definitions: Mapping[str, Any], path: tuple[str, ...]
) -> Iterator[Key]:
    for name, node in group["properties"].items():
        if "properties" in node:
            yield from _keys(node, definitions, (*path, name))
        else:
            kind = _kind(node)
            yield Key(
                path=(*path, name),
                node={**definitions.get(kind, {}), **node},
                kind=kind,
                item_kind=_kind(node.get("items", node.get("additionalProperties", {}))),
                required=name in group.get("required", ()),
            )


def _kind(node: Mapping[str, Any]) -> str:
    return str(node.get("$ref", "")).removeprefix("#/$defs/")
