"""What `cerbos compile` has against policies: all that a PDP would refuse, where it stands."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from authorizer.lint.checks.attributes import place_in
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding, from_problems
from authorizer.lint.refusals import refusals
from authorizer.pdp.compilation import compile_policies
from authorizer.pdp.serverconfig import child_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from authorizer.lint.chain import Chain
    from authorizer.lint.conditions import Expression, Scope
    from authorizer.source.document import Place

# What is found here without the program, and said with a remedy.
_REFUSED: Final = frozenset(
    (
        Code.UNREADABLE_FILE,
        Code.INVALID_POLICY,
        Code.INVALID_CONDITION,
        Code.UNKNOWN_DERIVED_ROLES,
        Code.UNKNOWN_VARIABLE,
    )
)


def uncompiled(
    cerbos: Path, policies: Path, found: Iterable[Finding], chain: Chain
) -> list[Finding]:
    """Return what the program `cerbos` refuses and `found` does not tell; raises OSError.

    Told is what is in the same line or expression, and of a problem without a line what is in the
    same file.
    """
    told = {finding.place for finding in found if finding.code in _REFUSED}
    lines = {(place.source, place.line) for place in told} | {(one.source, 0) for one in told}
    environment = child_environment(dict(os.environ))
    problems = asyncio.run(compile_policies(cerbos, policies, environment=environment))
    return [
        finding
        for problem in from_problems(Code.INVALID_POLICY, problems)
        if not any((problem.place.source, line) in lines for line in _lines(problem.place, chain))
        for finding in _explained(problem, chain)
    ]


def _explained(problem: Finding, chain: Chain) -> Iterator[Finding]:
    """Yield a problem, or each of the reasons for it where in the expression it stands."""
    explained = [
        Finding(problem.code, place_in(chain, expression, offset), message, help_)
        for expression, scope in _expressions_at(problem.place, chain)
        for offset, message, help_ in refusals(problem.message, expression.text, scope)
    ]
    yield from explained or [problem]


def _lines(place: Place, chain: Chain) -> Iterable[int]:
    """Return the lines of what is refused in a place."""
    ends = [
        place_in(chain, expression, len(expression.text.rstrip()) - 1).line
        for expression, _ in _expressions_at(place, chain)
    ]
    return range(place.line, max([place.line, *ends]) + 1)


def _expressions_at(place: Place, chain: Chain) -> Iterator[tuple[Expression, Scope]]:
    """Yield the expressions that Cerbos means: by their keys, and variables by themselves."""
    for expression, scope in chain.conditions.expressions if chain.conditions is not None else ():
        if place in (expression.view.key_place, expression.view.place):
            yield expression, scope
