"""Which value of the request an expression selects, through variables and macros."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.lint.celtree import Call, Constant, Name, Select
from authorizer.lint.described import ITEM

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from authorizer.lint.celtree import Tree
    from authorizer.lint.conditions import Expression, Scope

    # What the variables of macros stand for: a value of the request, or anything.
    Bound: TypeAlias = Mapping[str, tuple[str, ...] | None]

_REQUEST: Final = "request"
_SHORT: Final = {
    "request": (_REQUEST,),
    "P": (_REQUEST, "principal"),
    "R": (_REQUEST, "resource"),
}
VARIABLES: Final = ("V", "variables")
CONSTANTS: Final = ("C", "constants")
ATTR: Final = (_REQUEST, "principal", "attr")
ROLES: Final = (_REQUEST, "principal", "roles")
# Variables may be made of variables; in a circle they do not compile.
MAX_DEPTH: Final = 16


def variable(tree: Tree, scope: Scope, bound: Bound) -> Expression | None:
    """Return the variable that a tree is, or None where it is none."""
    match tree:
        case Select(operand=Name(name=name), field=field, is_test=False):
            known = name in VARIABLES and name not in bound
            return scope.variables.get(field) if known else None
        case _:
            return None


def constant(tree: Tree, scope: Scope, bound: Bound) -> object:
    """Return the literal or the constant that a tree is; None where it is none, or null."""
    match tree:
        case Constant(value=value):
            return value
        case Select(operand=Name(name=name), field=field) if name in CONSTANTS:
            return None if name in bound else scope.constants.get(field)
        case _:
            return None


def selects(
    tree: Tree, scope: Scope, bound: Bound, *, optional: bool = False, depth: int = 0
) -> tuple[str, ...] | None:
    """Return the keys from the top to what a tree selects, or None where that is not known.

    `P.attr.a` is (request, principal, attr, a). With `optional`, `P.attr.?a` is that as well.
    """
    if depth > MAX_DEPTH:
        return None
    named = variable(tree, scope, bound)
    if named is not None:
        if named.tree is None:
            return None
        return selects(named.tree, scope, {}, optional=optional, depth=depth + 1)
    match tree:
        case Name(name=name):
            return bound[name] if name in bound else _SHORT.get(name)
        case Select(operand=operand, field=field):
            key = field
        case Call(function="_[_]", args=(operand, Constant(kind=kind, value=value))):
            key = value if kind == "string" else ITEM
        case Call(function="_?._" | "_[?_]", args=(operand, Constant(kind="string", value=key))):
            if not optional:
                return None
        case _:
            return None
    base = selects(operand, scope, bound, optional=optional, depth=depth)
    return None if base is None else (*base, key)
