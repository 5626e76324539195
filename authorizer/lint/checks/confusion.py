"""Conditions that a PDP takes for each other.

Measured on Cerbos 0.55.0: rules of two policies about one action, with the same expressions in the
same order and `all` in the one where the other has `any` or `none`, are taken for one rule: both
are decided by the operator of whichever was loaded first. Derived roles are no different.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.chain import Chain
    from authorizer.lint.conditions import Condition, Rule, Scope


def confused_conditions(chain: Chain) -> Iterator[Finding]:
    """Yield lists of conditions that another policy has with another operator."""
    known: dict[object, list[tuple[Condition, Scope]]] = {}
    for rule in chain.conditions.rules if chain.conditions is not None else ():
        for condition in _lists(rule):
            for action in rule.actions:
                others = known.setdefault((action, rule.denies, _shape(condition)), [])
                for other, scope in others:
                    if scope is not rule.scope and _operators(other) != _operators(condition):
                        yield _confused(condition, other, action)
                others.append((condition, rule.scope))


def _lists(rule: Rule) -> Iterator[Condition]:
    for condition, _ in rule.conditions():
        if condition.of:
            yield condition


def _shape(condition: Condition) -> object:
    """Return a condition without its operators."""
    if condition.expression is not None:
        return condition.expression.text
    return tuple(map(_shape, condition.of))


def _operators(condition: Condition) -> object:
    return condition.kind, *map(_operators, condition.of)


def _confused(condition: Condition, other: Condition, action: str) -> Finding:
    message = (
        f"Cerbos 0.55 takes this for the same expressions at {other.place}, whose operators differ"
    )
    help_ = f"write one of the two in another order; both are about `{action}`"
    return Finding(Code.CONFUSED_CONDITIONS, condition.place, message, help_)
