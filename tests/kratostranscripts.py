"""The transcripts in docs/kratos-schemas.md: what the commands say of the example.

`python tests/kratostranscripts.py` writes them anew.
"""

from __future__ import annotations

import sys
from typing import Final

from example.transcripts import REPOSITORY, refreshed

PAGE: Final = REPOSITORY / "docs" / "kratos-schemas.md"

if __name__ == "__main__":
    PAGE.write_text(refreshed(PAGE.read_text("utf-8")), "utf-8")
    sys.stdout.write("docs/kratos-schemas.md\n")
