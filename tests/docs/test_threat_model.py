"""docs/threat-model.md names tests, and each of them exists."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

import pytest
from docpages import DOCS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROOT: Final = DOCS.parent
PAGE: Final = (DOCS / "threat-model.md").read_text("utf-8")
NAMED: Final = sorted(set(re.findall(r"`(tests/[^`]+)`", PAGE)))


def _tests(path: Path) -> Iterator[str]:
    for statement in ast.parse(path.read_text("utf-8")).body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name, body=body):
                yield from (
                    f"{name}::{inner.name}"
                    for inner in body
                    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
                )


@pytest.mark.parametrize("named", NAMED)
def test_a_test_that_the_page_names_exists(named: str) -> None:
    file, _, name = named.partition("::")
    assert name.rpartition("::")[2].startswith("test_")
    assert name in set(_tests(ROOT / file))


def test_each_threat_has_a_defence_and_a_test() -> None:
    threats = PAGE.partition("\n## Threats\n")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in threats.splitlines() if line.startswith("| ")]
    rows = [row for row in rows if row[0] not in ("| threat", "| ---")]
    assert len(rows) >= 30
    for row in rows:
        threat, defence, shown = row
        assert threat.strip("| ")
        assert defence.strip()
        assert "`tests/" in shown, threat
