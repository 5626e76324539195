"""Reading an identity schema, from wherever Kratos's own configuration may have it."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from jsonschema import Draft7Validator

from authorizer.errors import Problem, SourceError
from authorizer.source.document import Document, Place
from authorizer.source.schema import Schema
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from authorizer.source.document import Value

_FILE: Final = "file://"
_BASE64: Final = "base64://"
# Kratos's own are a few KiB; a schema is no data.
_MAX_BYTES: Final = 4 * 1024 * 1024
# Draft 6 is draft 7 without `if`. Kratos takes the latest that it knows where none is named.
_DRAFTS: Final = ("json-schema.org/draft-07/schema", "json-schema.org/draft-06/schema")


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A part of an identity schema, and the way to it from the top of its file."""

    document: Document
    path: tuple[str | int, ...]
    value: Value

    def get(self, *steps: str | int) -> Node | None:
        """Return the part at `steps` below this one, or None where there is nothing."""
        found = self
        for step in steps:
            value: Value = found.value
            if isinstance(value, dict) and step in value:
                found = Node(self.document, (*found.path, step), value[str(step)])
            elif isinstance(value, list) and str(step).isdecimal() and int(step) < len(value):
                found = Node(self.document, (*found.path, int(step)), value[int(step)])
            else:
                return None
        return found

    def children(self, key: str) -> list[Node]:
        """Return the values of the mapping, or the items of the list, under `key`."""
        inner = self.get(key)
        if inner is None or not isinstance(inner.value, (dict, list)):
            return []
        steps = inner.value if isinstance(inner.value, dict) else range(len(inner.value))
        return [child for step in steps if (child := inner.get(step)) is not None]

    def target(self) -> Node | None:
        """Return what `$ref` points to, or None without one; raises SourceError."""
        reference = self.get("$ref")
        if reference is None:
            return None
        text = reference.value if isinstance(reference.value, str) else ""
        if text != "#" and not text.startswith("#/"):
            raise SourceError(
                [
                    reference.problem(
                        "expected a reference into this file, like `#/definitions/x`",
                        "copy the definition into this file",
                    )
                ]
            )
        steps = [_unescaped(step) for step in text[2:].split("/")] if text != "#" else []
        found = Node(self.document, (), self.document.value).get(*steps)
        if found is None or not isinstance(found.value, (dict, bool)):
            raise SourceError([reference.problem("points to no schema in this file")])
        return found

    def problem(self, message: str, hint: str = "") -> Problem:
        """Return a problem with this part."""
        return self.document.problem(self.path, message, hint)


@dataclass(frozen=True, slots=True, eq=False)
class IdentitySchema:
    """An identity schema; `name` is how its reader knows it, `traits` the schema of the traits."""

    name: str
    traits: Node


def read_identity_schema(source: str, number: int = 1) -> IdentitySchema:
    """Return the identity schema at `source`: a path, `file://…` or `base64://…`.

    A text in base64 is known by its `number` among the sources. Raises SourceError.
    """
    if source.startswith(_BASE64):
        name = f"schema {number} (base64)"
        content = _decoded(source.removeprefix(_BASE64), name)
    elif "://" in source and not source.startswith(_FILE):
        hint = "save what is there in a file, and name that"
        raise SourceError([Problem(source, 0, 0, "is neither a file nor base64://", hint)])
    else:
        # As Kratos does: relative to where it is started, `%20` is a space.
        name = unquote(source.removeprefix(_FILE)) if source.startswith(_FILE) else source
        content = _bytes(Path(name), name)
    document = _parsed(content, name)
    _check(document)
    traits = Node(document, (), document.value).get("properties", "traits")
    if traits is None or not isinstance(traits.value, dict):
        raise SourceError(
            [
                document.problem(
                    ("properties", "traits"),
                    "is no identity schema: it describes no `properties.traits`",
                )
            ]
        )
    return IdentitySchema(name, traits)


def _unescaped(step: str) -> str:
    # RFC 6901, section 6: a pointer in a URI fragment is percent-encoded on top.
    return unquote(step).replace("~1", "/").replace("~0", "~")


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        hint = "the standard alphabet with padding, as `base64 -w0` writes it"
        raise SourceError([Problem(name, 0, 0, "is not base64", hint)]) from error


def _bytes(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        # A ValueError is a name that no file can have.
        number = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(number) if number else str(error)
        raise SourceError([Problem(name, 0, 0, f"cannot be read: {reason}")]) from error
    if len(content) > _MAX_BYTES:
        raise SourceError([Problem(name, 0, 0, f"is larger than {_MAX_BYTES >> 20} MiB")])
    return content


def _parsed(content: bytes, name: str) -> Document:
    """Return JSON with its places. YAML, which the reader of places takes too, Kratos does not."""
    try:
        text = content.decode()
        json.loads(text)
    except UnicodeDecodeError as error:
        raise SourceError([Problem(name, 0, 0, "is not UTF-8", "save it as UTF-8")]) from error
    except json.JSONDecodeError as error:
        place = Place(name, error.lineno, error.colno)
        problem = place.problem(f"is not JSON: {error.msg[:1].lower()}{error.msg[1:]}")
        raise SourceError([problem]) from error
    except RecursionError as error:
        raise SourceError([Problem(name, 0, 0, "is nested too deeply")]) from error
    except ValueError as error:
        # Python reads no integer of more than some thousand digits.
        raise SourceError([Problem(name, 0, 0, "holds a number that is too long")]) from error
    # In JSON a tab is white space and nothing else; YAML does not let one indent.
    return load_yaml(text.replace("\t", " "), name)


def _check(document: Document) -> None:
    """Raise SourceError unless the document is a JSON Schema that Kratos can read."""
    draft = document.value.get("$schema") if isinstance(document.value, dict) else None
    if isinstance(draft, str) and draft.partition("://")[2].rstrip("#") not in _DRAFTS:
        raise SourceError(
            [
                document.problem(
                    ("$schema",),
                    "expected a schema of draft 7: Kratos reads no later one",
                    "http://json-schema.org/draft-07/schema#",
                )
            ]
        )
    try:
        _metaschema().check(document)
    except RecursionError as error:
        raise SourceError([document.problem((), "is nested too deeply")]) from error


@functools.cache
def _metaschema() -> Schema:
    draft_7: Any = Draft7Validator.META_SCHEMA
    # Newer schemas keep what they refer to under `$defs`, which draft 7 has no name for.
    properties = {**draft_7["properties"], "$defs": draft_7["properties"]["definitions"]}
    rest = {key: draft_7[key] for key in draft_7 if key not in ("$id", "$schema")}
    return Schema({**rest, "properties": properties})
