"""Mutants of a module's constants, which mutmut leaves alone: its `Final`s.

    .venv/bin/python tools/mutate_constants.py MODULE.py TEST.py...

In each mutant one string has lost one character as it is written, or one number is one more or
less; the tests must fail. It works on a copy. Those that do not even load are not counted.
"""

from __future__ import annotations

import ast
import io
import os
import shutil
import subprocess
import sys
import tempfile
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
COPIED: Final = ("authorizer", "tests", "tools")
# What pytest exits with; 2 is that it could not even collect the tests.
PASSED, FAILED, UNLOADED = 0, 1, 2


def mutants(source: str) -> Iterator[tuple[int, str]]:
    """Yield the number of the line that is changed, from 1, and the whole changed source."""
    lines = source.splitlines(keepends=True)
    constants = {
        line
        for statement in ast.parse(source).body
        if isinstance(statement, ast.AnnAssign)
        for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    }
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        (number, start), (last, end) = token.start, token.end
        if number in constants and number == last:
            line = lines[number - 1]
            for text in _changed(token):
                changed = line[:start] + text + line[end:]
                yield number, "".join([*lines[: number - 1], changed, *lines[number:]])


def _changed(token: tokenize.TokenInfo) -> Iterator[str]:
    text = token.string
    if token.type == tokenize.NUMBER:
        yield from (str(int(text, 0) + step) for step in (-1, 1))
    elif token.type == tokenize.STRING:
        begin = text.index(text[-1]) + 1
        yield from (text[:at] + text[at + 1 :] for at in range(begin, len(text) - 1))


def run(copy: Path, tests: Sequence[str]) -> int:
    """Return what pytest exits with."""
    command = [sys.executable, "-m", "pytest", "-qx", "--hypothesis-profile=mutants"]
    # Two mutants may be of one size and one second, which is all that a .pyc is known by.
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *tests],
        cwd=copy,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode


def main(module: str, *tests: str) -> int:
    """Print each mutant that survives, and how many there were; return 1 if any survives."""
    source = (ROOT / module).read_text()
    lines = source.splitlines()
    counted = {PASSED: 0, FAILED: 0, UNLOADED: 0}
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(temporary)
        for name in COPIED:
            leave = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, ignore=leave)
        shutil.copy(ROOT / "pyproject.toml", copy)
        for number, changed in mutants(source):
            (copy / module).write_text(changed)
            outcome = run(copy, tests)
            counted[outcome] += 1
            if outcome == PASSED:
                print(f"{module}:{number}: {lines[number - 1].strip()}")
                print(f"  survives as: {changed.splitlines()[number - 1].strip()}", flush=True)
    print(f"{counted[FAILED]} killed, {counted[PASSED]} survived")
    return 1 if counted[PASSED] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
