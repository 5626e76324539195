"""Whether a condition can err for a principal that lacks an attribute, under strict evaluation.

A condition is evaluated over what is possible: for one kind of principal, with one attribute
missing, everything else unknown. Measured on Cerbos 0.55, strict:

* A rule whose condition errs denies its actions, whatever other rules allow.
* In an expression, `false && error` is false and `true || error` is true, in either order.
* In a list of conditions (`all`, `any`, `none`) one that errs ends it; those after one that
  settles it are not looked at.
* A variable is evaluated where it is used, and errs there.
* A rule for roles that a principal does not have, derived ones included, is not evaluated.
* `has(a.b)` errs where `a` is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.lint.attributes import PROFILE, Presence
from authorizer.lint.celtree import Call, Constant, Items, Loop, Select, children
from authorizer.lint.conditions import Scope
from authorizer.lint.fitting import TAKING_NO_NULL
from authorizer.lint.paths import ATTR, MAX_DEPTH, ROLES, constant, selects, variable
from authorizer.lint.reading import looped
from authorizer.principals.profiles import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable

    from authorizer.lint.attributes import Attributes
    from authorizer.lint.celtree import Tree
    from authorizer.lint.conditions import Condition, DerivedRole, Expression, Rule
    from authorizer.lint.paths import Bound
    from authorizer.principals.profiles import Profile

_BOTH: Final = frozenset((True, False))
_TRUE: Final = frozenset((True,))
_FALSE: Final = frozenset((False,))
_NONE: Final[frozenset[bool]] = frozenset()
_HOLDER: Final = "${holder}"
_HOLDERS: Final = ("client", "delegate")
_ANY_ROLE: Final = "*"
_USER: Final = "user"
_RESERVED: Final = (*_HOLDERS, "anonymous")


@dataclass(frozen=True, slots=True)
class Site:
    """Where an attribute is read: in which expression, how many characters in."""

    expression: Expression
    at: int
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an expression can be, and the reads that can make it err.

    `may` is empty where it always errs, and both where it is no boolean.
    """

    may: frozenset[bool]
    errors: frozenset[Site] = frozenset()

    @property
    def is_certain(self) -> bool:
        """Whether it is always the same, and no error."""
        return len(self.may) == 1 and not self.errors


_UNKNOWN: Final = Outcome(_BOTH)


@dataclass(frozen=True, slots=True)
class World:
    """Principals of one profile, of whom each lacks the attribute `missing`, if there is one.

    Or of each of whom the attribute `null` is null.
    """

    attributes: Attributes
    profile: Profile
    missing: tuple[str, ...] = ()
    null: tuple[str, ...] = ()

    def presence(self, path: tuple[str, ...]) -> Presence:
        """Say whether these principals have an attribute."""
        if self.missing and path[: len(self.missing)] == self.missing:
            return Presence.NEVER
        if self.null and path[: len(self.null)] == self.null:
            return Presence.NEVER if len(path) > len(self.null) else Presence.ALWAYS
        return self.attributes.presence(path, self.profile)

    def has_role(self, role: str) -> frozenset[bool]:
        """Say whether these principals have a role."""
        given = set(self.profile.roles.always)
        if role in given or (role == _ANY_ROLE and given):
            return _TRUE
        return _BOTH if role == _ANY_ROLE or self._may_get(role) else _FALSE

    def _may_get(self, role: str) -> bool:
        """Say whether the profile's sources of roles may give this one."""
        roles = self.profile.roles
        if roles.mapping is not None:
            return role in roles.mapping.values()
        if all(source.text == _HOLDER for source in roles.sources):
            return bool(roles.sources) and role in _HOLDERS
        # What else gives roles gives none of those that stand for tokens and for nobody; and a
        # token has the role of people only by its issuer.
        is_person = self.profile.shape is Shape.SESSION or bool(self.profile.issuers)
        return role not in _RESERVED and (is_person or role != _USER)

    def outcome(self, condition: Condition | None, scope: Scope) -> Outcome:
        """Return what a condition can be; without one it is true."""
        if condition is None:
            return Outcome(_TRUE)
        if condition.expression is not None:
            return _Evaluation(self, scope, condition.expression).of_expression()
        settled = condition.kind != "all"
        errors: frozenset[Site] = frozenset()
        may = _NONE
        for part in condition.of:
            found = self.outcome(part, scope)
            errors |= found.errors
            may |= found.may & {settled}
            if (not settled) not in found.may:
                break
        else:
            may |= {not settled}
        return Outcome(_flipped(may) if condition.kind == "none" else may, errors)

    def errs(self, expression: Expression, bound: Bound) -> bool:
        """Say whether an expression can err whose names stand for what `bound` says."""
        if expression.tree is None:
            return False
        return bool(_Evaluation(self, Scope(), expression).of(expression.tree, bound).errors)

    def concerns(self, rule: Rule) -> bool:
        """Say whether a rule can be evaluated for these principals, by its roles."""
        return any(True in self.has_role(role) for role in rule.roles) or any(
            self.can_have(role) for role in rule.derived
        )

    def can_have(self, role: DerivedRole) -> bool:
        """Say whether these principals can have a derived role."""
        return self.is_asked(role) and True in self.outcome(role.condition, role.scope).may

    def is_asked(self, role: DerivedRole) -> bool:
        """Say whether the condition of a derived role is evaluated for these principals."""
        return any(True in self.has_role(parent) for parent in role.parents)


def _flipped(may: Iterable[bool]) -> frozenset[bool]:
    return frozenset(not one for one in may)


@dataclass(frozen=True, slots=True)
class _Evaluation:
    """Evaluates one expression in a world."""

    world: World
    scope: Scope
    expression: Expression
    depth: int = 0

    def of_expression(self) -> Outcome:
        tree = self.expression.tree
        return _UNKNOWN if tree is None or self.depth > MAX_DEPTH else self.of(tree, {})

    def of(self, tree: Tree, bound: Bound) -> Outcome:
        """Return what a tree can be."""
        named = variable(tree, self.scope, bound)
        if named is not None:
            inner = _Evaluation(self.world, self.scope, named, self.depth + 1)
            return inner.of_expression()
        path = self._attribute(tree, bound)
        if path is not None:
            return self._of_attribute(path, tree)
        match tree:
            case Constant(value=bool(value)):
                return Outcome(frozenset({value}))
            case Call(function="_&&_" | "_||_", args=(one, other)):
                settles = tree.function == "_||_"
                return _joined(self.of(one, bound), self.of(other, bound), settles=settles)
            case Call(function="!_", args=(one,)):
                found = self.of(one, bound)
                return Outcome(_flipped(found.may), found.errors)
            case Call(function="_?_:_", args=(asked, one, other)):
                return self._chosen(self.of(asked, bound), one, other, bound)
            case Call(function="_==_" | "_!=_" | "@in", args=(one, other)):
                known = self._known(tree.function, one, other, bound)
                return known or self._strictly(tree, bound)
            case Loop():
                return self._of_loop(tree, bound)
            case _:
                return self._strictly(tree, bound)

    def _attribute(self, tree: Tree, bound: Bound) -> tuple[str, ...] | None:
        path = selects(tree, self.scope, bound)
        return path[len(ATTR) :] if path is not None and path[: len(ATTR)] == ATTR else None

    def _of_attribute(self, path: tuple[str, ...], tree: Tree) -> Outcome:
        if isinstance(tree, Select) and tree.is_test:
            return self._has(path, tree)
        if self.world.presence(path) is Presence.NEVER:
            return self._missing(path, tree)
        return _UNKNOWN

    def _has(self, path: tuple[str, ...], tree: Tree) -> Outcome:
        if self.world.presence(path[:-1]) is Presence.NEVER:
            return self._missing(path[:-1], tree)
        match self.world.presence(path):
            case Presence.ALWAYS:
                return Outcome(_TRUE)
            case Presence.NEVER:
                return Outcome(_FALSE)
            case _:
                return _UNKNOWN

    def _missing(self, path: tuple[str, ...], tree: Tree) -> Outcome:
        return Outcome(_NONE, frozenset({Site(self.expression, tree.at, path)}))

    def _strictly(self, tree: Tree, bound: Bound) -> Outcome:
        """Return what something can be that errs wherever a part of it does."""
        parts = [self.of(part, bound) for part in children(tree)]
        errors = frozenset[Site]().union(*(part.errors for part in parts))
        if isinstance(tree, Call) and tree.function in TAKING_NO_NULL:
            null = [part for part in tree.args if self._is_null(part, bound)]
            if null:
                sites = {Site(self.expression, part.at, self.world.null) for part in null}
                return Outcome(_NONE, errors | sites)
        return Outcome(_BOTH if all(part.may for part in parts) else _NONE, errors)

    def _is_null(self, tree: Tree, bound: Bound) -> bool:
        if isinstance(tree, Select) and tree.is_test:
            return False
        return bool(self.world.null) and self._attribute(tree, bound) == self.world.null

    def _chosen(self, asked: Outcome, one: Tree, other: Tree, bound: Bound) -> Outcome:
        may, errors = _NONE, asked.errors
        for is_true, tree in ((True, one), (False, other)):
            if is_true in asked.may:
                found = self.of(tree, bound)
                may, errors = may | found.may, errors | found.errors
        return Outcome(may, errors)

    def _of_loop(self, loop: Loop, bound: Bound) -> Outcome:
        over = self.of(loop.start if loop.binds else loop.over, bound)
        if not over.may:
            return over
        if loop.binds:
            inner = {**bound, loop.accumulator: selects(loop.start, self.scope, bound)}
            found = self.of(loop.result, inner)
            return Outcome(found.may, over.errors | found.errors)
        variable_is = looped(loop, self.scope, bound, self.world.attributes)
        inner = {**bound, loop.variable: variable_is, loop.accumulator: None}
        # What it loops over may be empty.
        return Outcome(_BOTH, over.errors | self.of(loop.step, inner).errors)

    def _known(self, function: str, one: Tree, other: Tree, bound: Bound) -> Outcome | None:
        """Return what a comparison is whose answer the world knows, or None."""
        if function == "@in":
            if self._is_null(other, bound):
                return self._missing(self.world.null, other)
            container = self._attribute(other, bound)
            item = constant(one, self.scope, bound)
            if container is not None and isinstance(item, str):
                return self._holds(container, item, other)
            if selects(other, self.scope, bound) == ROLES and isinstance(item, str):
                return Outcome(self.world.has_role(item))
            if self._attribute(one, bound) == PROFILE and isinstance(other, Items):
                return self._is_profile(other.items, bound)
            return None
        for asked, value in ((one, other), (other, one)):
            if self._is_null(asked, bound) and isinstance(value, Constant):
                return Outcome(frozenset({(value.kind == "null") is (function == "_==_")}))
            if self._attribute(asked, bound) == PROFILE:
                found = self._is_profile((value,), bound)
                return found and Outcome(
                    found.may if function == "_==_" else _flipped(found.may), found.errors
                )
        return None

    def _holds(self, container: tuple[str, ...], key: str, tree: Tree) -> Outcome | None:
        """Return whether a map has a key; None for what may be a list."""
        if self.world.presence(container) is Presence.NEVER:
            return self._missing(container, tree)
        types = self.world.attributes.at(container).types
        is_map = not container or (types is not None and "array" not in types)
        return self._has((*container, key), tree) if is_map else None

    def _is_profile(self, values: Iterable[Tree], bound: Bound) -> Outcome | None:
        names = [constant(value, self.scope, bound) for value in values]
        if self.world.profile.name in names:
            return Outcome(_TRUE)
        return Outcome(_FALSE) if all(isinstance(name, str) for name in names) else None


def _joined(one: Outcome, other: Outcome, *, settles: bool) -> Outcome:
    """Return `one || other` where true settles it, `one && other` where false does."""
    errors: frozenset[Site] = frozenset()
    for this, that in ((one, other), (other, one)):
        if not (that.is_certain and settles in that.may):
            errors |= this.errors
    may = (one.may | other.may) & {settles}
    if (not settles) in one.may and (not settles) in other.may:
        may |= {not settles}
    return Outcome(may, errors)
