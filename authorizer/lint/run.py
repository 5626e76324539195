"""Run every check over a chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.lint.checks import CHECKS
from authorizer.lint.finding import sorted_once
from authorizer.lint.gather import InputMissing, gather

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from authorizer.lint.chain import Chain
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
    if inputs.cerbos is not None and inputs.policies is not None and inputs.policies.is_dir():
        findings += _uncompiled(inputs.cerbos, inputs.policies, findings, chain)
    return sorted_once(findings)


def _uncompiled(
    cerbos: Path, policies: Path, findings: Sequence[Finding], chain: Chain
) -> list[Finding]:
    from authorizer.lint.compiled import uncompiled  # noqa: PLC0415 - only who compiles waits

    try:
        return uncompiled(cerbos, policies, findings, chain)
    except OSError as error:
        msg = f"{cerbos}: cannot be run: {error.strerror}"
        raise InputMissing(msg) from error
