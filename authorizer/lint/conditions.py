"""The expressions in Cerbos policies: what each rule depends on, and where that is written.

cerbos.dev/cerbos/latest/policies: conditions, variables, constants, derived roles, outputs. What
Cerbos itself refuses to compile is passed over here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from authorizer.lint.celtree import NotCel, TooDeep, parse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from authorizer.lint.celtree import Tree
    from authorizer.lint.view import View
    from authorizer.source.document import Place, Value

_LISTS: Final = ("all", "any", "none")
_DENY: Final = "EFFECT_DENY"


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """An expression in a policy. `tree` is None where it cannot be read, for the `problem`."""

    text: str
    view: View
    tree: Tree | None
    problem: NotCel | TooDeep | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """What `V` and `C` stand for in a policy: its own, and what it imports.

    `is_whole`: there are no others, as far as the files say.
    """

    variables: Mapping[str, Expression] = field(default_factory=dict)
    constants: Mapping[str, Value] = field(default_factory=dict)
    is_whole: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """`expr`, or a list of conditions of which `all`, `any` or `none` hold."""

    kind: str
    place: Place
    of: tuple[Condition, ...] = ()
    expression: Expression | None = None

    def expressions(self) -> Iterator[Expression]:
        """Yield the expressions in it."""
        if self.expression is not None:
            yield self.expression
        for part in self.of:
            yield from part.expressions()


@dataclass(frozen=True, slots=True, eq=False)
class DerivedRole:
    """A derived role: who has it, and when."""

    name: str
    parents: tuple[str, ...]
    condition: Condition | None
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A rule about some actions of a kind.

    It concerns who has one of `roles` or `derived`. Both are empty for a rule about one principal.
    """

    kind: str
    actions: tuple[str, ...]
    denies: bool
    roles: tuple[str, ...]
    derived: tuple[DerivedRole, ...]
    condition: Condition | None
    scope: Scope
    outputs: tuple[Expression, ...] = ()

    def conditions(self) -> Iterator[tuple[Condition, Scope]]:
        """Yield its condition and those of its derived roles, as far as there are, with scopes."""
        parts: tuple[Rule | DerivedRole, ...] = (self, *self.derived)
        for part in parts:
            if part.condition is not None:
                yield part.condition, part.scope


@dataclass(frozen=True, slots=True)
class Undefined:
    """A derived role that a rule names and that nothing it imports defines; `known` are others."""

    name: str
    place: Place
    known: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conditions:
    """All that a set of policies computes. `expressions` are all there are, with their scopes."""

    rules: tuple[Rule, ...] = ()
    expressions: tuple[tuple[Expression, Scope], ...] = ()
    undefined: tuple[Undefined, ...] = ()


def read_conditions(policies: Sequence[View]) -> Conditions:
    """Return what policies compute; each is a whole document, and none is disabled."""
    return _Reader(policies).read()


class _Reader:
    def __init__(self, documents: Sequence[View]) -> None:
        self._documents = documents
        self._expressions: list[tuple[Expression, Scope]] = []
        self._undefined: list[Undefined] = []
        self._roles: dict[str, list[DerivedRole]] = {}
        self._variables = self._exported("exportVariables")
        self._constants = self._exported("exportConstants")

    def read(self) -> Conditions:
        for view, policy in self._each("derivedRoles"):
            scope = self._scope(view, policy)
            for definition in policy.items("definitions"):
                role = DerivedRole(
                    definition.text("name"),
                    _texts(definition, "parentRoles"),
                    self._condition(definition.get("condition"), scope),
                    scope,
                )
                self._roles.setdefault(policy.text("name"), []).append(role)
        for _, policy in self._each("exportVariables"):
            # What else there is, whoever imports it says.
            scope = Scope(_named(policy.get("definitions")), is_whole=False)
            self._expressions += [(expression, scope) for expression in scope.variables.values()]
        rules = (*self._resource_rules(), *self._principal_rules(), *self._role_rules())
        return Conditions(rules, tuple(self._expressions), tuple(self._undefined))

    def _each(self, kind: str) -> Iterator[tuple[View, View]]:
        for view in self._documents:
            found = view.get(kind)
            if found is not None:
                yield view, found

    def _exported(self, kind: str) -> dict[str, View]:
        return {
            policy.text("name"): policy for _, policy in self._each(kind) if policy.text("name")
        }

    def _scope(self, view: View, policy: View) -> Scope:
        """Return the names of a policy; its own variables are looked at here, each once."""
        # On the document itself: deprecated, and still read.
        own = _named(policy.get("variables", "local")) | _named(view.get("variables"))
        variables, constants = dict(own), _values(policy.get("constants", "local"))
        is_whole = True
        for name in _texts(policy, "variables", "import"):
            exported = self._variables.get(name)
            variables |= _named(exported and exported.get("definitions"))
            is_whole = is_whole and exported is not None
        for name in _texts(policy, "constants", "import"):
            exported = self._constants.get(name)
            constants |= _values(exported and exported.get("definitions"))
            is_whole = is_whole and exported is not None
        scope = Scope(variables, constants, is_whole)
        self._expressions += [(expression, scope) for expression in own.values()]
        return scope

    def _resource_rules(self) -> Iterator[Rule]:
        for view, policy in self._each("resourcePolicy"):
            scope = self._scope(view, policy)
            imported = {
                role.name: role
                for name in _texts(policy, "importDerivedRoles")
                for role in self._roles.get(name, ())
            }
            is_whole = set(_texts(policy, "importDerivedRoles")) <= set(self._roles)
            for rule in policy.items("rules"):
                self._undefined += [
                    Undefined(str(item.value), item.place, tuple(imported))
                    for item in rule.items("derivedRoles")
                    if is_whole and item.value not in imported
                ]
                yield Rule(
                    kind=policy.text("resource"),
                    actions=_texts(rule, "actions"),
                    denies=rule.text("effect") == _DENY,
                    roles=_texts(rule, "roles"),
                    derived=tuple(
                        imported[name] for name in _texts(rule, "derivedRoles") if name in imported
                    ),
                    condition=self._condition(rule.get("condition"), scope),
                    scope=scope,
                    outputs=self._outputs(rule, scope),
                )

    def _principal_rules(self) -> Iterator[Rule]:
        for view, policy in self._each("principalPolicy"):
            scope = self._scope(view, policy)
            for rule in policy.items("rules"):
                for action in rule.items("actions"):
                    yield Rule(
                        kind=rule.text("resource"),
                        actions=(action.text("action"),),
                        denies=action.text("effect") == _DENY,
                        roles=(),
                        derived=(),
                        condition=self._condition(action.get("condition"), scope),
                        scope=scope,
                        outputs=self._outputs(action, scope),
                    )

    def _role_rules(self) -> Iterator[Rule]:
        for view, policy in self._each("rolePolicy"):
            scope = self._scope(view, policy)
            for rule in policy.items("rules"):
                yield Rule(
                    kind=rule.text("resource"),
                    actions=_texts(rule, "allowActions"),
                    denies=False,
                    roles=(policy.text("role"),),
                    derived=(),
                    condition=self._condition(rule.get("condition"), scope),
                    scope=scope,
                    outputs=self._outputs(rule, scope),
                )

    def _outputs(self, rule: View, scope: Scope) -> tuple[Expression, ...]:
        found_here = []
        for keys in (("expr",), ("when", "ruleActivated"), ("when", "conditionNotMet")):
            found = rule.get("output", *keys)
            if found is not None and isinstance(found.value, str):
                found_here.append(_expression(found))
        self._expressions += [(expression, scope) for expression in found_here]
        return tuple(found_here)

    def _condition(self, view: View | None, scope: Scope) -> Condition | None:
        match = view.get("match") if view is not None else None
        return self._match(match, scope) if match is not None else None

    def _match(self, match: View, scope: Scope) -> Condition | None:
        written = match.get("expr")
        if written is not None and isinstance(written.value, str):
            expression = _expression(written)
            self._expressions.append((expression, scope))
            return Condition("expr", written.place, expression=expression)
        for kind in _LISTS:
            if (inner := match.get(kind)) is not None:
                parts = [self._match(part, scope) for part in match.items(kind, "of")]
                return Condition(
                    kind, inner.key_place, tuple(part for part in parts if part is not None)
                )
        return None


def _named(view: View | None) -> dict[str, Expression]:
    entries = view.entries() if view is not None else ()
    return {name: _expression(inner) for name, inner in entries if isinstance(inner.value, str)}


def _values(view: View | None) -> dict[str, Value]:
    return {name: inner.value for name, inner in (view.entries() if view is not None else ())}


def _expression(view: View) -> Expression:
    text = str(view.value)
    try:
        return Expression(text, view, parse(text))
    except (NotCel, TooDeep) as problem:
        return Expression(text, view, None, problem)


def _texts(view: View, *keys: str) -> tuple[str, ...]:
    return tuple(item.value for item in view.items(*keys) if isinstance(item.value, str))
