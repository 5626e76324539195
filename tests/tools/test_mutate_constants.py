"""Every constant of a module is changed, in each of its characters, and nothing else is."""

from __future__ import annotations

from mutate_constants import mutants

SOURCE = '''"""A module."""

import re
from typing import Final

LIMIT: Final = 8
PATTERN: Final = re.compile(
    r"a\\."
)
NAMES: Final = frozenset(("x", ""))
other = "not a constant"


def function() -> str:
    limit: int = 7
    return f"no constant {limit}"
'''


def test_each_mutant_differs_in_one_number_or_one_character() -> None:
    lines = SOURCE.splitlines()
    found = []
    for number, changed in mutants(SOURCE):
        now = changed.splitlines()
        assert [
            n for n, pair in enumerate(zip(lines, now, strict=True), 1) if len({*pair}) > 1
        ] == [number]
        found.append((number, now[number - 1].strip()))
    assert found == [
        (6, "LIMIT: Final = 7"),
        (6, "LIMIT: Final = 9"),
        (8, 'r"\\."'),
        (8, 'r"a."'),
        (8, 'r"a\\"'),
        (10, 'NAMES: Final = frozenset(("", ""))'),
    ]
