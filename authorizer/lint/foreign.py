"""YAML and JSON of other programs, with positions.

`source.yaml` holds a file of ours to one strict reading. Here the file is Cerbos's, Oathkeeper's,
Kratos's or Kubernetes's, and right when its own program reads it: several documents, merge keys,
tags and repeated anchors are theirs to allow. It is read only to be looked at.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

import yaml

from authorizer.errors import Problem, SourceError
from authorizer.source.document import Document, Marks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authorizer.source.document import Value

MAX_BYTES: Final = 16 * 1024 * 1024
_MAX_DEPTH: Final = 100
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE: Final = "tag:yaml.org,2002:merge"
_BOOLEANS: Final = {"true": True, "false": False}


def read_foreign(path: Path) -> list[Document]:
    """Return all documents in a file, without empty ones; raises SourceError."""
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SourceError([Problem(name, 0, 0, f"cannot be read: {reason}")]) from error
    if len(content) > MAX_BYTES:
        raise SourceError([Problem(name, 0, 0, f"is larger than {MAX_BYTES >> 20} MiB")])
    return load_foreign(content, name)


def load_foreign(content: bytes | str, name: str) -> list[Document]:
    """Return all documents in a text, without empty ones; raises SourceError."""
    try:
        text = content if isinstance(content, str) else content.decode("utf-8-sig")
        documents = []
        for node in yaml.compose_all(text, Loader=_LOADER):
            value, marks = _Reader().read(node, 0)
            if value is not None:
                documents.append(Document(name, value, marks))
    except UnicodeDecodeError as error:
        raise SourceError([Problem(name, 0, 0, "is not UTF-8")]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        problem = error.problem or "not YAML"
        raise SourceError([Problem(name, line, column, problem, _advice(problem))]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SourceError([Problem(name, 0, 0, "is neither YAML nor JSON")]) from error
    return documents


def _advice(problem: str) -> str:
    """Return what to do about what the parser says of an expression that YAML takes for more."""
    if "mapping values are not allowed" in problem:
        return 'write what holds ": ", such as `a ? b : c`, below `>-`, or put all of it in quotes'
    if "did not find expected" in problem:
        return "write what begins with a quote or a bracket below `>-`, or put all of it in quotes"
    return ""


class _Reader:
    """Turns nodes into values; what an alias repeats is read once, and stays where it stands."""

    def __init__(self) -> None:
        self._read: dict[int, tuple[Value, Marks]] = {}

    def read(self, node: yaml.Node, depth: int) -> tuple[Value, Marks]:
        """Return the value of a node and its marks; raises yaml.YAMLError."""
        known = self._read.get(id(node))
        if known is not None:
            return known
        if depth > _MAX_DEPTH:
            raise yaml.YAMLError
        line, column = _start(node)
        marks = Marks(line, column)
        value: Value
        match node:
            case yaml.MappingNode():
                value, marks.entries = {}, {}
                self._fill(value, marks.entries, node, depth + 1)
            case yaml.SequenceNode():
                value, marks.items = [], []
                for item in node.value:
                    inner, inner_marks = self.read(item, depth + 1)
                    value.append(inner)
                    marks.items.append(inner_marks)
            case _:
                value = _scalar(node)
        self._read[id(node)] = (value, marks)
        return value, marks

    def _fill(
        self,
        value: dict[str, Value],
        entries: dict[str, tuple[int, int, Marks]],
        node: yaml.MappingNode,
        depth: int,
    ) -> None:
        merged: list[yaml.Node] = []
        for key, item in node.value:
            if key.tag == _MERGE:
                merged += item.value if isinstance(item, yaml.SequenceNode) else [item]
                continue
            name = str(key.value)
            value[name], marks = self.read(item, depth)
            entries[name] = (*_start(key), marks)
        for name, inner, entry in self._merged(merged, depth):
            if name not in value:
                value[name], entries[name] = inner, entry

    def _merged(
        self, nodes: list[yaml.Node], depth: int
    ) -> Iterator[tuple[str, Value, tuple[int, int, Marks]]]:
        for node in nodes:
            value, marks = self.read(node, depth)
            if isinstance(value, dict) and marks.entries is not None:
                for name, inner in value.items():
                    yield name, inner, marks.entries[name]


def _start(node: yaml.Node) -> tuple[int, int]:
    mark = node.start_mark
    return mark.line + 1, mark.column + 1


def _scalar(node: yaml.Node) -> Value:
    """Return a scalar by YAML 1.2's rules: `NO` and `on` are strings."""
    text = str(node.value)
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return _BOOLEANS.get(text.lower(), text)
        case "int":
            return int(text) if text.lstrip("+-").isdigit() else text
        case _:
            return text
