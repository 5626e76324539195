"""Cerbos policies against the principals that they are asked about: names, types, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.lint.celtree import NotCel
from authorizer.lint.checks.traits import unknown
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.fitting import shown

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
                yield Finding(Code.INVALID_CONDITION, place_in(chain, expression, offset), message)
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
            if chain.attributes.at(read.path).is_rounded:
                message = f"`{shown(read.path)}` may be beyond 2^53, and is rounded on its way here"
                help_ = "let the identity schema have it as a string, or give it a `maximum`"
                place = place_in(chain, expression, read.at)
                yield Finding(Code.ROUNDED_INTEGER, place, message, help_)


def place_in(chain: Chain, expression: Expression, offset: int) -> Place:
    """Return where something stands that is `offset` characters into an expression."""
    return chain.sources.inside(expression.view.place, expression.text, offset)
