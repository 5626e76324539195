"""Names of files, for people."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from authorizer.source.document import Place


def short_name(source: str) -> str:
    """Return a file's name as someone in the working directory would write it."""
    path = Path(source)
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else source


def short_place(place: Place) -> str:
    """Return where something was written, `file:line:column`, with a short name of the file."""
    return str(type(place)(short_name(place.source), place.line, place.column))
