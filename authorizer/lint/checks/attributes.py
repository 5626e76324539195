"""Cerbos policies against the principals that they are asked about: names, types, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.expressions.template import Template
from authorizer.lint.celtree import NotCel
from authorizer.lint.checks.traits import attribute_read, unknown
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.fitting import shown
from authorizer.lint.ruleset import parts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.chain import Chain
    from authorizer.lint.conditions import Expression
    from authorizer.source.document import Place


def unreadable(chain: Chain) -> Iterator[Finding]:
    """Yield expressions that are no CEL: no PDP starts with them."""
    for expression, _ in chain.readings:
        match expression.problem:
            case NotCel(offset=offset) as problem:
                message = f"this is no CEL: {problem}"
                is_assigned = expression.text[offset : offset + 1] == "="
                help_ = "two values are compared by `==`" if is_assigned else ""
                place = place_in(chain, expression, offset)
                yield Finding(Code.INVALID_CONDITION, place, message, help_)
            case None:
                pass
            case _:
                message = "this nests too deeply to be checked"
                yield Finding(Code.UNCHECKED_CONDITION, expression.view.place, message)


def unknown_in_policies(chain: Chain) -> Iterator[Finding]:
    """Yield attributes that policies read and that no principal has."""
    for expression, reading in chain.readings:
        for read in reading.reads:
            yield from unknown(chain, read.path, place_in(chain, expression, read.at))


def mistyped(chain: Chain) -> Iterator[Finding]:
    """Yield operations whose types can never fit: they are always false, or always err."""
    for expression, reading in chain.readings:
        for misfit in reading.misfits:
            place = place_in(chain, expression, misfit.at)
            yield Finding(Code.MISTYPED_ATTRIBUTE, place, misfit.message, misfit.help)


def rounded(chain: Chain) -> Iterator[Finding]:
    """Yield comparisons of integers that may be too large to arrive as they are."""
    for expression, reading in chain.readings:
        for read in reading.compared:
            if _is_rounded(chain, read.path, as_identity=read.as_identity):
                yield _rounded(read.path, place_in(chain, expression, read.at))


def rounded_in_routes(chain: Chain) -> Iterator[Finding]:
    """Yield such integers in what a route asks about: two things may have one id."""
    if chain.rules is None:
        return
    for route in chain.routes:
        for check in route.checks:
            for value, as_identity in ((check.resource.id, True), (check.resource.attr, False)):
                for template in parts(value, Template):
                    place = chain.rules.place(route, template.text)
                    yield from _rounded_in(chain, template, place, as_identity=as_identity)


def rounded_in_profiles(chain: Chain) -> Iterator[Finding]:
    """Yield such integers in the ids that profiles give: two people may have one."""
    for name, profile in chain.profiles.by_name.items() if chain.profiles is not None else ():
        if profile.id is not None and (place := chain.profile_place(name, profile.id.text)):
            yield from _rounded_in(chain, profile.id, place, as_identity=True)


def _rounded_in(
    chain: Chain, template: Template, place: Place, *, as_identity: bool
) -> Iterator[Finding]:
    references = [one for expression in template.expressions for one in expression.references]
    for path in dict.fromkeys(map(attribute_read, references)):
        if path and _is_rounded(chain, path, as_identity=as_identity):
            yield _rounded(path, place)


def _is_rounded(chain: Chain, path: tuple[str, ...], *, as_identity: bool) -> bool:
    described = chain.attributes.at(path)
    return any(
        one.is_rounded or (as_identity and one.is_unbounded) for one in (described, described.items)
    )


def _rounded(path: tuple[str, ...], place: Place) -> Finding:
    message = f"`{shown(path)}` may be beyond 2^53, and is rounded on its way here"
    help_ = "let the identity schema have it as a string, or give it a `maximum`"
    return Finding(Code.ROUNDED_INTEGER, place, message, help_)


def place_in(chain: Chain, expression: Expression, offset: int) -> Place:
    """Return where something stands that is `offset` characters into an expression."""
    return chain.sources.inside(expression.view.place, expression.text, offset)
