"""Pictures of what was measured, as SVG that reads on light and dark pages. Pure."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_WIDTH: Final = 760
_LABELS: Final = 210  # the width of the column of names
_NUMBERS: Final = 90  # and of that of numbers
_ROW: Final = 22
_TOP: Final = 44
_GREY: Final = "#8a8f98"
_COLOURS: Final = ("#3b82c4", "#e08a2e", "#4f9d69", "#8a6fc0")


def waterfall(
    title: str, unit: str, parts: Mapping[str, float], widest: float | None = None
) -> str:
    """Return bars of which each begins where the one before ends, and their sum.

    `widest` is the amount that is as wide as the picture: pictures to be compared share it.
    """
    whole = sum(parts.values())
    scale = _room() / (widest or whole)
    rows, at = [], 0.0
    for number, (name, amount) in enumerate(parts.items()):
        rows.append(_row(number, name, at * scale, amount * scale, f"{amount:.0f} {unit}"))
        at += amount
    rows.append(_row(len(parts), "all", 0.0, whole * scale, f"{whole:.0f} {unit}", _GREY))
    return _picture(title, rows, len(parts) + 1)


def bars(title: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """Return bars in groups: group → series → amount. A series has one colour in all groups."""
    names = list(dict.fromkeys(name for series in groups.values() for name in series))
    scale = _room() / max(amount for series in groups.values() for amount in series.values())
    rows, number = [], 0
    for group, series in groups.items():
        for name, amount in series.items():
            label = group if name == next(iter(series)) else ""
            colour = _COLOURS[names.index(name) % len(_COLOURS)]
            rows.append(_row(number, label, 0.0, amount * scale, f"{amount:,.0f}", colour))
            number += 1
    return _picture(title, [*rows, *_legend(names, number)], number + 1)


def _room() -> float:
    return _WIDTH - _LABELS - _NUMBERS


def _row(
    number: int, label: str, start: float, length: float, amount: str, colour: str = _COLOURS[0]
) -> str:
    y = _TOP + number * _ROW
    x = _LABELS + start
    return (
        f'<text x="{_LABELS - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>'
        f'<rect x="{x:.1f}" y="{y + 3}" width="{max(length, 1):.1f}" height="{_ROW - 6}" '
        f'fill="{colour}"/>'
        f'<text x="{x + length + 6:.1f}" y="{y + 14}">{escape(amount)}</text>'
    )


def _legend(names: Sequence[str], number: int) -> list[str]:
    y = _TOP + number * _ROW
    step = (_WIDTH - _LABELS) / len(names)
    return [
        f'<rect x="{_LABELS + place * step:.1f}" y="{y + 6}" width="12" height="12" '
        f'fill="{_COLOURS[place % len(_COLOURS)]}"/>'
        f'<text x="{_LABELS + place * step + 18:.1f}" y="{y + 16}">{escape(name)}</text>'
        for place, name in enumerate(names)
    ]


def _picture(title: str, rows: Sequence[str], count: int) -> str:
    height = _TOP + count * _ROW + 12
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}"',
            f' width="{_WIDTH}" height="{height}" role="img"',
            ' font-family="sans-serif" font-size="12" fill="#6b7078">',
            f"<title>{escape(title)}</title>",
            f'<text x="12" y="24" font-size="15">{escape(title)}</text>',
            *rows,
            "</svg>\n",
        )
    )
