"""The attributes of resources: what policies read, what routes pass, what schemas take.

Schemas: cerbos.dev/cerbos/latest/policies/schemas. A reference `cerbos:///x.json` is a file in the
policies' folder `_schemas`. Only what is said outright is compared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.errors import SourceError
from authorizer.expressions.template import Template, ValueTemplate
from authorizer.kratos.identity_schema import Node
from authorizer.lint.celtree import Loop, children
from authorizer.lint.described import ITEM, OF_VALUE, Described
from authorizer.lint.fitting import in_words
from authorizer.lint.foreign import load_foreign
from authorizer.lint.paths import selects
from authorizer.lint.reading import Read
from authorizer.source.schema import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TypeAlias

    from authorizer.lint.celtree import Tree
    from authorizer.lint.conditions import Scope
    from authorizer.lint.paths import Bound

    # What a route passes under a key, and what is wrong with it; () is all attributes.
    Misfit: TypeAlias = tuple[tuple[str, ...], str]

_ATTR: Final = ("request", "resource", "attr")
_REFERENCE: Final = "cerbos:///"
_FOLDER: Final = "_schemas"


def reads(tree: Tree, scope: Scope, bound: Bound | None = None) -> Iterator[Read]:
    """Yield what an expression reads below `R.attr`; what a variable reads is not its own."""
    bound = bound or {}
    path = selects(tree, scope, bound, optional=True)
    if path is not None and path[: len(_ATTR)] == _ATTR:
        keys = path[len(_ATTR) :]
        if keys := keys[: keys.index(ITEM)] if ITEM in keys else keys:
            yield Read(keys, tree.at)
        return
    if isinstance(tree, Loop):
        inner = {**bound, tree.accumulator: None}
        if not tree.binds:
            inner[tree.variable] = None
        for part in (tree.over, tree.start):
            yield from reads(part, scope, bound)
        for part in (tree.step, tree.result):
            yield from reads(part, scope, inner)
        return
    for child in children(tree):
        yield from reads(child, scope, bound)


def missing(path: tuple[str, ...], attr: Mapping[str, ValueTemplate]) -> int | None:
    """Return the number of the key in a path that the attributes lack; None where they may have it.

    What a template gives may have any key.
    """
    value: object = attr
    for number, key in enumerate(path):
        if not isinstance(value, dict):
            return None
        if key not in value:
            return number
        value = value[key].value
    return None


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


def misfits(schema: Node, attr: Mapping[str, ValueTemplate]) -> Iterator[Misfit]:
    """Yield what a schema has against the attributes that a route passes, whatever the request."""
    yield from _misfits((schema,), ValueTemplate(dict(attr)), ())


def _misfits(
    schemas: tuple[Node, ...], value: ValueTemplate, path: tuple[str, ...]
) -> Iterator[Misfit]:
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
            yield from _misfits(members[key].schemas, plain[key], (*path, key))
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
