"""What the pages in docs/ show."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any, Final

import yaml

DOCS: Final = Path(__file__).parents[1] / "docs"


def blocks(page: str) -> list[Any]:
    """Return the YAML of each block of a page, in order."""
    text = (DOCS / page).read_text("utf-8")
    found = re.findall(r"^( *)```yaml\n(.*?)^\1```", text, re.DOTALL | re.MULTILINE)
    return [yaml.safe_load(textwrap.dedent(block)) for _, block in found]
