"""Which traits identity schemas have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.lint.view import whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from authorizer.lint.view import View
    from authorizer.source.document import Document

_APPLICATORS: Final = ("allOf", "anyOf", "oneOf")
_BRANCHES: Final = ("if", "then", "else")
_MAX_DEPTH: Final = 32


class Traits:
    """The traits of one or more identity schemas. A trait that one of them has is a trait."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._roots: Final = [
            node
            for document in documents
            for node in _below(whole(document), whole(document), ("traits",))
        ]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all traits, at the top."""
        return tuple(sorted({name for root in self._roots for name in _declared(*root)}))

    def has(self, path: Sequence[str]) -> bool:
        """Say whether some schema declares the trait at `path`.

        What lies below a value that no schema describes may be there.
        """
        return any(_declares(node, root, path) for node, root in self._roots)

    def siblings(self, path: Sequence[str]) -> tuple[str, ...]:
        """Return the names that stand where the last of `path` should."""
        places = [
            place for node, root in self._roots for place in _below(node, root, tuple(path[:-1]))
        ]
        return tuple(sorted({name for node, root in places for name in _declared(node, root)}))


def _declares(node: View, root: View, path: Sequence[str]) -> bool:
    if not path:
        return True
    variants = list(_variants(node, root, 0))
    described = False
    for variant in variants:
        properties = variant.get("properties")
        if properties is not None or variant.get("patternProperties") is not None:
            described = True
        inner = properties.get(path[0]) if properties is not None else None
        if inner is not None and _declares(inner, root, path[1:]):
            return True
        if variant.get("patternProperties") is not None:
            return True
    return not described


def _below(node: View, root: View, path: Sequence[str]) -> Iterator[tuple[View, View]]:
    if not path:
        yield node, root
        return
    for variant in _variants(node, root, 0):
        inner = variant.get("properties", path[0])
        if inner is not None:
            yield from _below(inner, root, path[1:])


def _declared(node: View, root: View) -> Iterator[str]:
    for variant in _variants(node, root, 0):
        properties = variant.get("properties")
        if properties is not None:
            for name, _ in properties.entries():
                yield name


def _variants(node: View, root: View, depth: int) -> Iterator[View]:
    """Yield the schema and all that it is put together from, in the same file."""
    if depth > _MAX_DEPTH:
        return
    yield node
    reference = node.text("$ref")
    if reference.startswith("#/"):
        target = root.get(*(_unescaped(step) for step in reference[2:].split("/")))
        if target is not None:
            yield from _variants(target, root, depth + 1)
    for key in _APPLICATORS:
        for item in node.items(key):
            yield from _variants(item, root, depth + 1)
    for key in _BRANCHES:
        branch = node.get(key)
        if branch is not None:
            yield from _variants(branch, root, depth + 1)


def _unescaped(step: str) -> str:
    return step.replace("~1", "/").replace("~0", "~")


def schemas_without_traits(documents: Iterable[Document]) -> Iterator[Document]:
    """Yield the documents that describe no traits, so that they are no identity schemas."""
    for document in documents:
        if not list(_below(whole(document), whole(document), ("traits",))):
            yield document
