"""The attributes of resources: what policies read, and what routes do not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.lint.celtree import Loop, children
from authorizer.lint.described import ITEM
from authorizer.lint.paths import selects
from authorizer.lint.reading import Read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authorizer.expressions.template import ValueTemplate
    from authorizer.lint.celtree import Tree
    from authorizer.lint.conditions import Scope
    from authorizer.lint.paths import Bound

_ATTR: Final = ("request", "resource", "attr")


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
