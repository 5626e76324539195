"""Run every check over a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.lint.checks import CHECKS
from authorizer.lint.finding import sorted_once
from authorizer.lint.gather import gather

if TYPE_CHECKING:
    from authorizer.lint.finding import Finding
    from authorizer.lint.gather import Inputs


def lint(inputs: Inputs) -> tuple[Finding, ...]:
    """Return all findings, in the order of their places, each once.

    Raises InputMissing (see `gather`).
    """
    findings: list[Finding] = []
    chain = gather(inputs, findings)
    for check in CHECKS:
        findings += check(chain)
    return sorted_once(findings)
