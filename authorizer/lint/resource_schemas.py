"""The schemas of resources, and what they have against the attributes that routes pass.

cerbos.dev/cerbos/latest/policies/schemas: a reference `cerbos:///x.json` is a file in the policies'
folder `_schemas`. Only what is said outright is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.errors import SourceError
from authorizer.expressions.template import Template, ValueTemplate
from authorizer.kratos.identity_schema import Node
from authorizer.lint.described import OF_VALUE, Described
from authorizer.lint.fitting import in_words
from authorizer.lint.foreign import load_foreign
from authorizer.source.schema import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TypeAlias

    # What a route passes under a key, and what is wrong with it; () is all attributes.
    Refusal: TypeAlias = tuple[tuple[str, ...], str]

_REFERENCE: Final = "cerbos:///"
_FOLDER: Final = "_schemas"


def read_schema(folder: Path, reference: str) -> Node | None:
    """Return the schema that a policy in `folder` names, None where it cannot be read here."""
    name = reference.removeprefix(_REFERENCE)
    if name == reference:
        return None
    try:
        path = folder / _FOLDER / name
        content = path.read_bytes()
        # In JSON a tab is white space and nothing else; YAML does not let one indent.
        documents = load_foreign(content.replace(b"\t", b" "), str(path))
    except (OSError, ValueError, SourceError):
        return None  # a PDP refuses it as well
    return Node(documents[0], (), documents[0].value) if len(documents) == 1 else None


def declares(schema: Node, path: tuple[str, ...]) -> bool:
    """Say whether a schema may mean an attribute: it declares it, or leaves open what is there."""
    described = Described((schema,))
    is_closed = any(_closes(part, path[0]) for part in _applied(schema))
    return not is_closed and (path[0] in described.members() or described.is_open)


def refusals(schema: Node, attr: Mapping[str, ValueTemplate]) -> Iterator[Refusal]:
    """Yield what a schema has against the attributes that a route passes, whatever the request."""
    yield from _refusals((schema,), ValueTemplate(dict(attr)), ())


def _refusals(
    schemas: tuple[Node, ...], value: ValueTemplate, path: tuple[str, ...]
) -> Iterator[Refusal]:
    described = Described(schemas)
    types = described.types
    plain = value.value
    if isinstance(plain, Template):
        return
    kind = OF_VALUE[type(plain)]
    if types is not None and kind not in types:
        written = in_words(frozenset((kind,)))
        yield path, f"wants {in_words(types)} for `{path[-1]}`, and not {written}"
    elif isinstance(plain, dict):
        applied = [part for schema in schemas for part in _applied(schema)]
        unknown = [key for key in plain if any(_closes(part, key) for part in applied)]
        yield from (((*path, key), f"has no `{key}`") for key in unknown)
        for name in _required(applied):
            # What is misspelled is told as unknown.
            if name not in plain and nearest(name, unknown) is None:
                yield path, f"requires `{name}`"
        members = described.members()
        for key in plain.keys() & members.keys():
            yield from _refusals(members[key].schemas, plain[key], (*path, key))
    elif isinstance(plain, str) and plain not in (described.values or {plain}):
        listed = ", ".join(f'"{one}"' for one in sorted(described.values or ()))
        yield path, f"has only {listed} for `{path[-1]}`"


def _applied(schema: Node) -> Iterator[Node]:
    """Yield the parts of a schema that whatever fits it fits too, each once."""
    waiting, seen = [schema], set()
    while waiting:
        node = waiting.pop()
        if node.path in seen:
            continue
        seen.add(node.path)
        try:
            target = node.target()
        except SourceError:
            target = None
        yield node
        waiting += [*([target] if target is not None else []), *node.children("allOf")]


def _closes(node: Node, key: str) -> bool:
    more = node.get("additionalProperties")
    return (
        more is not None
        and more.value is False
        and node.get("patternProperties") is None
        and node.get("properties", key) is None
    )


def _required(applied: Iterable[Node]) -> list[str]:
    names = [item.value for node in applied for item in node.children("required")]
    return list(dict.fromkeys(name for name in names if isinstance(name, str)))
