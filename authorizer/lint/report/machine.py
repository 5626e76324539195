"""Findings for programs: JSON, and the annotations of GitHub Actions."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from authorizer.lint.codes import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.lint.finding import Finding

_COMMANDS: Final = {
    Severity.ERROR: "error",
    Severity.WARNING: "warning",
    Severity.NOTE: "notice",
}


def render_json(findings: Sequence[Finding]) -> str:
    """Return one JSON object; `line` and `column` count from one, 0 means that there is none."""
    return (
        json.dumps(
            {
                "version": 1,
                "findings": [
                    {
                        "code": finding.code.value,
                        "severity": finding.severity.value,
                        "file": finding.place.source,
                        "line": finding.place.line,
                        "column": finding.place.column,
                        "message": finding.message,
                        "help": finding.help,
                    }
                    for finding in findings
                ],
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )


def render_github(findings: Sequence[Finding]) -> str:
    """Return workflow commands, one a line, which GitHub shows beside the lines of a change."""
    return "".join(f"{_command(finding)}\n" for finding in findings)


def _command(finding: Finding) -> str:
    place = finding.place
    properties = {"file": place.source}
    if place.line:
        properties |= {"line": str(place.line), "col": str(place.column)}
    properties["title"] = finding.code.value
    shown = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    message = finding.message + (f"\nhelp: {finding.help}" if finding.help else "")
    return f"::{_COMMANDS[finding.severity]} {shown}::{_data(message)}"


def _data(text: str) -> str:
    """Escape as github.com/actions/toolkit does (core/src/command.ts, escapeData)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Escape as github.com/actions/toolkit does (core/src/command.ts, escapeProperty)."""
    return _data(text).replace(":", "%3A").replace(",", "%2C")
