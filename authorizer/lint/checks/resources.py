"""Rules against policies: the attributes of resources that the one passes and the other reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.lint.checks.attributes import place_in
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.reading import reached
from authorizer.lint.resource_schemas import declares, refusals
from authorizer.lint.resources import missing, reads
from authorizer.source.schema import did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authorizer.expressions.template import ValueTemplate
    from authorizer.lint.chain import Chain
    from authorizer.lint.conditions import Expression, Rule
    from authorizer.lint.reading import Read
    from authorizer.lint.ruleset import RuleSet
    from authorizer.routing.route import Route


def unpassed(chain: Chain) -> Iterator[Finding]:
    """Yield attributes that policies read, that no route passes, and that look like one it does.

    Whoever else asks the PDP may pass others, so what is only missing is no finding.
    """
    passed = _passed(chain)
    if passed is None or chain.conditions is None:
        return
    for rule in chain.conditions.rules:
        known = passed.get(rule.kind, [])
        for expression, read in _reads(rule):
            if known and (meant := _meant(chain, rule.kind, read.path, known)) is not None:
                number, name = meant
                written = ".".join(read.path[: number + 1])
                message = f"no route about `{rule.kind}` passes `R.attr.{written}`"
                place = place_in(chain, expression, read.at)
                help_ = f"did you mean `{name}`?"
                yield Finding(Code.UNPASSED_ATTRIBUTE, place, message, help_)


def _passed(chain: Chain) -> dict[str, list[Mapping[str, ValueTemplate]]] | None:
    """Return the attributes that each check passes, by kind; None where a kind may be any."""
    if chain.rules is None:
        return None
    passed: dict[str, list[Mapping[str, ValueTemplate]]] = {}
    for route in chain.routes:
        for check in route.checks:
            kind = check.resource.kind.constant
            if kind is None:
                return None
            passed.setdefault(kind, []).append(check.resource.attr)
    return passed


def _reads(rule: Rule) -> Iterator[tuple[Expression, Read]]:
    for condition, scope in rule.conditions():
        for expression in reached(condition, scope):
            if expression.tree is not None:
                for read in reads(expression.tree, scope):
                    yield expression, read


def _meant(
    chain: Chain, kind: str, path: tuple[str, ...], passed: list[Mapping[str, ValueTemplate]]
) -> tuple[int, str] | None:
    """Return which key of a path no route passes, by its number, and which was meant."""
    deepest = 0
    for attr in passed:
        number = missing(path, attr)
        if number is None:
            return None
        deepest = max(deepest, number)
    schemas = chain.policies.schemas_of(kind) if chain.policies is not None else []
    if any(declares(schema, path) for schema in schemas):
        return None
    others = {key for attr in passed for key in _keys(attr, path[:deepest])}
    name = nearest(path[deepest], others)
    return (deepest, name) if name is not None else None


def _keys(attr: Mapping[str, ValueTemplate], path: tuple[str, ...]) -> Iterator[str]:
    value: object = attr
    for key in path:
        if not isinstance(value, dict) or key not in value:
            return
        value = value[key].value
    if isinstance(value, dict):
        yield from value


def refused(chain: Chain) -> Iterator[Finding]:
    """Yield attributes that the schema of the resource refuses, so that every request is denied."""
    if chain.rules is None or chain.policies is None:
        return
    for route in chain.routes:
        for number in range(len(route.checks)):
            yield from _refused(chain, chain.rules, route, number)


def _refused(chain: Chain, rules: RuleSet, route: Route, number: int) -> Iterator[Finding]:
    check = route.checks[number]
    kind = check.resource.kind.constant
    if kind is None or chain.policies is None:
        return
    actions = [template.constant for template in check.actions.values()]
    schema = chain.policies.schema_for(kind, actions)
    if schema is None:
        return
    for path, problem in refusals(schema, check.resource.attr):
        message = f"the schema of `{kind}` ({schema.document.name}) {problem}"
        place = rules.attr_place(route, number, path)
        known = [str(node.path[-1]) for node in schema.children("properties")]
        help_ = did_you_mean(path[0], known) if len(path) == 1 and path[0] not in known else ""
        yield Finding(Code.REFUSED_ATTRIBUTE, place, message, help_)
