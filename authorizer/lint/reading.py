"""What an expression reads of a principal, and where its types cannot fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from authorizer.lint.celtree import Call, Constant, Items, Loop, Name, Select, children
from authorizer.lint.described import ITEM
from authorizer.lint.fitting import (
    ANYTHING,
    ARRAY,
    BOOLEAN,
    COMPARISONS,
    LOOPED,
    NULL,
    OBJECT,
    Kind,
    given,
    identifies,
    misfit,
    not_of,
    of_items,
    of_value,
)
from authorizer.lint.paths import ATTR, MAX_DEPTH, constant, selects, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from authorizer.lint.attributes import Attributes
    from authorizer.lint.celtree import Tree
    from authorizer.lint.conditions import Condition, Expression, Scope
    from authorizer.lint.paths import Bound
    from authorizer.source.document import Place


@dataclass(frozen=True, slots=True)
class Read:
    """An attribute that is read: the keys below `attr`, and where, in characters."""

    path: tuple[str, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Compared(Read):
    """An attribute that is compared; `as_identity`, by equality with what is no constant."""

    as_identity: bool


@dataclass(frozen=True, slots=True)
class Misfit:
    """An operation whose types never fit: where, what is wrong, what to do."""

    at: int
    message: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one expression reads and gets wrong; `compared` are the attributes that it compares."""

    reads: list[Read] = field(default_factory=list)
    compared: list[Compared] = field(default_factory=list)
    misfits: list[Misfit] = field(default_factory=list)


def read(expression: Expression, scope: Scope, attributes: Attributes) -> Reading:
    """Return what an expression reads; nothing of one that is no CEL.

    What a variable in it reads is told of the variable.
    """
    reader = _Reader(scope, attributes, 0)
    if expression.tree is not None:
        reader.kind(expression.tree, {})
    return reader.found


def looped(
    loop: Loop, scope: Scope, bound: Bound, attributes: Attributes
) -> tuple[str, ...] | None:
    """Return what the variable of a macro stands for: each item, where it loops over a list."""
    over = selects(loop.over, scope, bound)
    if over is None or over[: len(ATTR)] != ATTR:
        return None
    types = attributes.at(over[len(ATTR) :]).types
    return (*over, ITEM) if types is not None and "array" in types else None


def reached(condition: Condition | None, scope: Scope) -> Iterator[Expression]:
    """Yield all expressions that a condition depends on, its variables' included, each once."""
    if condition is not None:
        yield from reached_from(condition.expressions(), scope)


def reached_from(expressions: Iterable[Expression], scope: Scope) -> Iterator[Expression]:
    """Yield the expressions, and those of all variables that they depend on, each once."""
    waiting = list(expressions)
    seen: set[Place] = set()
    while waiting:
        expression = waiting.pop()
        if expression.tree is None or expression.view.place in seen:
            continue
        seen.add(expression.view.place)
        yield expression
        waiting += _variables(expression.tree, scope)


def _variables(tree: Tree, scope: Scope) -> Iterator[Expression]:
    named = variable(tree, scope, {})
    if named is not None:
        yield named
    for child in children(tree):
        yield from _variables(child, scope)


class _Reader:
    def __init__(self, scope: Scope, attributes: Attributes, depth: int) -> None:
        self.found = Reading()
        self._scope = scope
        self._attributes = attributes
        self._depth = depth

    def kind(self, tree: Tree, bound: Bound) -> Kind:
        """Return what is known of the value of a tree; what it reads goes to `found`."""
        named = variable(tree, self._scope, bound)
        if named is not None:
            return self._of_variable(named)
        path = selects(tree, self._scope, bound, optional=True)
        if path is not None and path[: len(ATTR)] == ATTR:
            return self._of_attribute(path[len(ATTR) :], tree)
        match tree:
            case Items(items=items):
                return of_items([self.kind(item, bound) for item in items])
            case Loop():
                return self._of_loop(tree, bound)
            case Call(function=function, args=args):
                return self._of_call(function, [self.kind(arg, bound) for arg in args], tree.at)
            case Constant(kind="null"):
                return Kind(NULL)
            case _:
                for child in children(tree):
                    self.kind(child, bound)
                if isinstance(tree, Select) and tree.is_test:
                    return Kind(BOOLEAN)
                return of_value(constant(tree, self._scope, bound))

    def _of_variable(self, named: Expression) -> Kind:
        if named.tree is None or self._depth > MAX_DEPTH:
            return ANYTHING
        return _Reader(self._scope, self._attributes, self._depth + 1).kind(named.tree, {})

    def _of_attribute(self, path: tuple[str, ...], tree: Tree) -> Kind:
        if path:
            self.found.reads.append(Read(path, tree.at))
        if isinstance(tree, Select) and tree.is_test:
            return Kind(BOOLEAN)
        if _is_optional(tree):
            return ANYTHING
        described = self._attributes.at(path)
        types = described.types if path else OBJECT
        return Kind(types, described.items.types, path, self._attributes.values(path))

    def _of_call(self, function: str, kinds: list[Kind], at: int) -> Kind:
        as_identity = identifies(function, kinds)
        if function in COMPARISONS or as_identity:
            self.found.compared.extend(
                Compared(kind.path, at, as_identity) for kind in kinds if kind.path
            )
        if words := misfit(function, kinds):
            self.found.misfits.append(Misfit(at, *words))
        return given(function, kinds)

    def _of_loop(self, loop: Loop, bound: Bound) -> Kind:
        if loop.binds:
            self.kind(loop.start, bound)
            named = selects(loop.start, self._scope, bound)
            return self.kind(loop.result, {**bound, loop.accumulator: named})
        over = self.kind(loop.over, bound)
        if words := not_of(over, LOOPED):
            self.found.misfits.append(Misfit(loop.over.at, *words))
        variable_is = looped(loop, self._scope, bound, self._attributes)
        self.kind(loop.step, {**bound, loop.variable: variable_is, loop.accumulator: None})
        # `all` and `exists` collect a boolean, `map` and `filter` a list.
        start = self.kind(loop.start, bound).types
        return Kind(start if start in (BOOLEAN, ARRAY) else None)


def _is_optional(tree: Tree) -> bool:
    if isinstance(tree, Call) and tree.function in ("_?._", "_[?_]"):
        return True
    return not isinstance(tree, Name) and any(map(_is_optional, children(tree)))
