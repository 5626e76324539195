"""Findings as a compiler shows them: the source line, and a caret under the place."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from authorizer.lint.codes import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.lint.finding import Finding
    from authorizer.lint.places import Sources

# What stands at a place: a quoted string, an action of a Go template, a name that walks down, or
# a word.
_EXTENT: Final = re.compile(
    r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|\{\{.*?\}\}"""
    r"""|[A-Za-z_]\w*(?:\.\w+)*(?:\['[^']*'\])+|[^\s,{}\[\]]+"""
)
_WIDEST: Final = 120
_AHEAD: Final = 40
_ELLIPSIS: Final = "…"


def render_text(findings: Sequence[Finding], sources: Sources) -> str:
    """Return all findings, and a last line that counts them."""
    blocks = [_block(finding, sources) for finding in findings]
    return "\n".join([*blocks, summary(findings), ""])


def summary(findings: Sequence[Finding]) -> str:
    """Return how many findings of each severity there are, in words."""
    counts = [
        _counted(count, severity.value)
        for severity in Severity
        if (count := sum(finding.severity is severity for finding in findings))
    ]
    return ", ".join(counts) or "nothing found"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _block(finding: Finding, sources: Sources) -> str:
    place = finding.place
    head = f"{finding.severity}[{finding.code}]: {_shown(finding.message)}"
    excerpt = _excerpt(finding, sources)
    margin = " " * len(str(place.line))
    lines = [head, f"{margin}--> {_shown(str(place))}"]
    if excerpt is not None:
        line, carets = excerpt
        lines += [f"{margin} |", f"{place.line} | {line}", f"{margin} | {carets}"]
    if finding.help:
        lines.append(f"{margin} = help: {_shown(finding.help)}")
    return "\n".join([*lines, ""])


def _excerpt(finding: Finding, sources: Sources) -> tuple[str, str] | None:
    """Return the source line and the carets under it, cut where the line is long."""
    place = finding.place
    lines = sources.lines(place.source) if place.line else ()
    if not 0 < place.line <= len(lines):
        return None
    line = _shown(lines[place.line - 1].replace("\t", " "))
    start = min(max(place.column - 1, 0), len(line))
    found = _EXTENT.match(line, start)
    length = max(len(found.group().rstrip(":")) if found else 1, 1)
    cut = max(start - _AHEAD, 0) if len(line) > _WIDEST else 0
    text = line[cut : cut + _WIDEST].rstrip()
    if cut:
        text = _ELLIPSIS + text[1:]
    if cut + _WIDEST < len(line):
        text = text[:-1] + _ELLIPSIS
    ahead = _width(text[: start - cut])
    under = max(_width(text[start - cut : start - cut + length]), 1)
    return text, " " * ahead + "^" * under


def _shown(text: str) -> str:
    """Return a text in which nothing moves a terminal's cursor; each character stays one."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(0 if unicodedata.combining(character) else _columns(character) for character in text)


def _columns(character: str) -> int:
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
