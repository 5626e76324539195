"""The transcripts in docs/lint.md: what lint says of the sets of mistakes in lint/bad/.

`python tests/linttranscripts.py` writes them anew.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path
from typing import Final

from authorizer.cli.main import main

REPOSITORY: Final = Path(__file__).parents[1]
PAGE: Final = REPOSITORY / "docs" / "lint.md"
BAD: Final = Path(__file__).parent / "lint" / "bad"
SETS: Final = {
    "chain": (
        *("--policies", "policies"),
        *("--access-rules", "access-rules.yml"),
        *("--oathkeeper-config", "oathkeeper.yml"),
        *("--identity-schema", "identity.schema.json"),
        *("--kratos-config", "kratos.yml"),
    ),
    "uncompiled": ("--policies", "policies"),
    "refused": (
        *("--policies", "policies"),
        *("--access-rules", "access-rules.json"),
    ),
}


def run(name: str, *more: str) -> tuple[int, str]:
    """Return the exit status and the output of lint in a set of mistakes."""
    output = io.StringIO()
    with contextlib.chdir(BAD / name), contextlib.redirect_stdout(output):
        status = main(["lint", *SETS[name], *more])
    return status, output.getvalue()


def transcript(name: str) -> str:
    """Return the command in a set of mistakes, with what it says, as Markdown."""
    status, output = run(name)
    command = " ".join(("authorizer", "lint", *SETS[name]))
    return f"```console\n$ {command}\n{output}$ echo $?\n{status}\n```"


def refreshed(page: str) -> str:
    """Return the page with each transcript between its markers."""
    for name in SETS:
        marked = re.compile(
            rf"(<!-- begin: tests/lint/bad/{name} -->\n).*?(<!-- end: tests/lint/bad/{name} -->)",
            re.DOTALL,
        )
        found = marked.search(page)
        if found is not None:
            page = page[: found.end(1)] + transcript(name) + "\n" + page[found.start(2) :]
    return page


if __name__ == "__main__":
    sys.stdout.write("docs/lint.md\n")
    PAGE.write_text(refreshed(PAGE.read_text("utf-8")), "utf-8")
