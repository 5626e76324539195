"""Cached routes against Cerbos policies: an answer that the time decides must not be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.lint.celtree import Call, children
from authorizer.lint.checks.attributes import place_in
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.policies import fits_action, fits_kind
from authorizer.lint.reading import reached_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.celtree import Tree
    from authorizer.lint.chain import Chain
    from authorizer.lint.conditions import Expression, Rule
    from authorizer.lint.ruleset import RuleSet
    from authorizer.routing.route import CheckTemplate, Route

# Cerbos's functions that read the clock: all others of time compute with what they are given.
_CLOCKS: Final = frozenset(("now", "timeSince"))


def time_on_cached_routes(chain: Chain) -> Iterator[Finding]:
    """Yield routes whose answers are kept, though the time decides in a policy they reach."""
    if chain.rules is None or chain.conditions is None:
        return
    dated = [(rule, found) for rule in chain.conditions.rules if (found := [*_clocks(rule)])]
    for route in chain.routes:
        if route.cache is not None:
            for rule, found in dated:
                if any(_reaches(check, rule) for check in route.checks):
                    yield from _findings(chain, chain.rules, route, found)


def _findings(
    chain: Chain, rules: RuleSet, route: Route, found: list[tuple[Expression, Call]]
) -> Iterator[Finding]:
    for expression, call in found:
        where = place_in(chain, expression, call.at)
        yield Finding(
            Code.CACHED_TIME,
            rules.key_place(route, "cache"),
            f"`{call.function}()` decides in {where}, and answers to route"
            f" {route.id} may be {route.cache:g} s old",
            "leave `cache` out, or keep answers for less than that matters",
        )


def _reaches(check: CheckTemplate, rule: Rule) -> bool:
    """Say whether a check may be decided by a rule; what varies by the request may be anything."""
    kind = check.resource.kind.constant
    if kind is not None and not fits_kind(rule.kind, kind):
        return False
    return any(
        action.constant is None or any(fits_action(glob, action.constant) for glob in rule.actions)
        for action in check.actions.values()
    )


def _clocks(rule: Rule) -> Iterator[tuple[Expression, Call]]:
    """Yield where a rule reads the clock, by itself, its variables, derived roles and outputs."""
    roots = [([*condition.expressions()], scope) for condition, scope in rule.conditions()]
    for expressions, scope in (*roots, (rule.outputs, rule.scope)):
        for expression in reached_from(expressions, scope):
            if expression.tree is not None:
                yield from ((expression, call) for call in _calls(expression.tree))


def _calls(tree: Tree) -> Iterator[Call]:
    if isinstance(tree, Call) and tree.function in _CLOCKS:
        yield tree
    for child in children(tree):
        yield from _calls(child)
