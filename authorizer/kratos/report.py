"""The table of attributes, as text, Markdown or JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from authorizer.kratos.writers import Writer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.kratos.attributes import Attribute

_HEADINGS: Final = ("attribute", "type", "required", "schema", "written by")
_UNKNOWN: Final = "unknown: give --kratos-config"
_GAP: Final = "  "


def as_text(attributes: Sequence[Attribute]) -> str:
    """Return the table for a terminal."""
    rows = [[heading.upper() for heading in _HEADINGS], *map(_cells, attributes)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        _GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def as_markdown(attributes: Sequence[Attribute]) -> str:
    """Return the table for a page, with what the schemas say of each attribute."""
    lines = [_line([*_HEADINGS, "meaning"]), _line(["---"] * (len(_HEADINGS) + 1))]
    for attribute in attributes:
        name, *others = _cells(attribute)
        lines.append(_line([f"`{name}`", *others, " ".join(attribute.description.split())]))
    return "\n".join(lines) + "\n"


def as_json(attributes: Sequence[Attribute]) -> str:
    """Return the table for a program: a list of objects."""
    rows = [
        {
            "attribute": attribute.name,
            "types": attribute.types,
            "required": attribute.required,
            "schemas": attribute.schemas,
            "written_by": attribute.written_by,
            "description": attribute.description,
        }
        for attribute in attributes
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _cells(attribute: Attribute) -> list[str]:
    return [
        attribute.name,
        " | ".join(attribute.types),
        "yes" if attribute.required else "no",
        ", ".join(attribute.schemas) or "-",
        _UNKNOWN if attribute.written_by is Writer.UNKNOWN else attribute.written_by,
    ]


def _line(cells: Sequence[str]) -> str:
    # A bar ends a cell, in code too (GitHub Flavored Markdown, "Tables").
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
