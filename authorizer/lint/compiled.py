"""What `cerbos compile` has against policies: all that a PDP would refuse, in its own words."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding, from_problems
from authorizer.pdp.compilation import compile_policies
from authorizer.pdp.serverconfig import child_environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

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


def uncompiled(cerbos: Path, policies: Path, found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield what the program `cerbos` refuses and `found` does not tell; raises OSError.

    Told is what is in the same line, and of a problem without a line what is in the same file.
    """
    told = {finding.place for finding in found if finding.code in _REFUSED}
    lines = {(place.source, place.line) for place in told} | {(one.source, 0) for one in told}
    environment = child_environment(dict(os.environ))
    problems = asyncio.run(compile_policies(cerbos, policies, environment=environment))
    for finding in from_problems(Code.INVALID_POLICY, problems):
        if (finding.place.source, finding.place.line) not in lines:
            yield finding
