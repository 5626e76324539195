"""docs/kratos-schemas.md shows what the commands print, and its commands do what it says."""

from __future__ import annotations

import re

from example.transcripts import refreshed
from kratostranscripts import PAGE


def test_the_transcripts_are_what_the_commands_print() -> None:
    """Where this fails, `python tests/kratostranscripts.py` writes the page anew."""
    page = PAGE.read_text("utf-8")
    assert refreshed(page) == page
    assert len(re.findall(r"^\$ authorizer kratos ", page, re.MULTILINE)) == 3
