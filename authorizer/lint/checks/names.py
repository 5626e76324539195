"""Names in Cerbos policies: defined where they are used, and asked about by routes?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.lint.celtree import Name, Select, children
from authorizer.lint.checks.attributes import place_in
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.paths import CONSTANTS, VARIABLES
from authorizer.source.schema import did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.celtree import Tree
    from authorizer.lint.chain import Chain
    from authorizer.lint.conditions import Expression, Scope


def undefined_derived_roles(chain: Chain) -> Iterator[Finding]:
    """Yield derived roles that a rule names and that are not imported: it does not compile."""
    for role in chain.conditions.undefined if chain.conditions is not None else ():
        message = f"nothing that is imported here defines the derived role `{role.name}`"
        help_ = did_you_mean(role.name, role.known)
        yield Finding(Code.UNKNOWN_DERIVED_ROLES, role.place, message, help_)


def undefined_variables(chain: Chain) -> Iterator[Finding]:
    """Yield variables and constants that a policy does not have: it does not compile."""
    for expression, scope in chain.conditions.expressions if chain.conditions is not None else ():
        if expression.tree is not None and scope.is_whole:
            yield from _undefined(chain, expression, scope, expression.tree)


def _undefined(chain: Chain, expression: Expression, scope: Scope, tree: Tree) -> Iterator[Finding]:
    if isinstance(tree, Select) and isinstance(tree.operand, Name):
        kinds = ((VARIABLES, scope.variables), (CONSTANTS, scope.constants))
        for names, known in kinds:
            if tree.operand.name in names and tree.field not in known:
                message = f"this policy has no `{tree.operand.name}.{tree.field}`"
                place = place_in(chain, expression, tree.at)
                help_ = did_you_mean(tree.field, sorted(known))
                yield Finding(Code.UNKNOWN_VARIABLE, place, message, help_)
    for child in children(tree):
        yield from _undefined(chain, expression, scope, child)


def unasked(chain: Chain) -> Iterator[Finding]:
    """Yield kinds and actions of policies that look like a misspelled one that routes ask about.

    Where no policy knows what is asked about, that is told of the route.
    """
    policies, asked = chain.policies, _asked(chain)
    if policies is None or asked is None:
        return
    for name in policies.names:
        if name.action is None:
            meant = nearest(name.kind, asked) if name.kind not in asked else None
            if meant is not None and policies.knows_kind(meant):
                message = f"no route asks about the kind `{name.kind}`"
                yield Finding(Code.UNASKED_KIND, name.place, message, f"did you mean `{meant}`?")
        elif name.action not in (actions := asked.get(name.kind, set())):
            meant = nearest(name.action, actions)
            if meant is not None and policies.knows_action(name.kind, meant, None):
                message = f"no route asks about the action `{name.action}` of `{name.kind}`"
                yield Finding(Code.UNASKED_ACTION, name.place, message, f"did you mean `{meant}`?")


def _asked(chain: Chain) -> dict[str, set[str]] | None:
    """Return the actions that routes ask about, by kind; None where one could be anything."""
    if chain.rules is None:
        return None
    asked: dict[str, set[str]] = {}
    for route in chain.routes:
        for check in route.checks:
            kind = check.resource.kind.constant
            actions = [template.constant for template in check.actions.values()]
            if kind is None or None in actions:
                return None
            asked.setdefault(kind, set()).update(action for action in actions if action)
    return asked
