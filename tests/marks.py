"""A mark in every text of a value, to find where any of them came out."""

from __future__ import annotations

from typing import Any, Final

MARK: Final = "zq7marker"


def marked(value: Any) -> Any:  # noqa: ANN401 - JSON
    """Return the value with the mark in each of its texts; its keys stay."""
    match value:
        case dict():
            return {key: marked(item) for key, item in value.items()}
        case list():
            return [marked(item) for item in value]
        case str():
            return f"{MARK}{value}"
        case _:
            return value
