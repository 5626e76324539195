"""The transcripts in docs/testing-rules.md: what the commands say of the example.

`python tests/example/transcripts.py` writes them anew.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import sys
from pathlib import Path
from typing import Final

from authorizer.cli.main import main

REPOSITORY: Final = Path(__file__).parents[2]
PAGE: Final = REPOSITORY / "docs" / "testing-rules.md"
_BLOCK: Final = re.compile(r"```console\n\$ authorizer (.*)\n(?:.*\n)*?```")
_DURATION: Final = re.compile(r"in [0-9]+\.[0-9]+ s$", re.MULTILINE)


def refreshed(page: str) -> str:
    """Return the page with what each of its commands says now; durations are made one."""
    return _BLOCK.sub(lambda found: _transcript(found[1]), page)


def _transcript(command: str) -> str:
    output = io.StringIO()
    with contextlib.chdir(REPOSITORY), contextlib.redirect_stdout(output):
        main(shlex.split(command))
    shown = _DURATION.sub("in 0.3 s", output.getvalue())
    return f"```console\n$ authorizer {command}\n{shown}```"


if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write("docs/testing-rules.md\n")
