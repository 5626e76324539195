"""Whether a text is what it seems to whoever reads it: a policy, an application, a log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from authorizer.model import JsonValue

# Oathkeeper puts U+FFFD where bytes were not UTF-8: what the caller sent is not known any more.
_UNCLEAR: Final = re.compile("[\x00-\x1f\x7f-\x9f\ufffd\u2028\u2029]")


def is_clear(value: JsonValue) -> bool:
    """Say whether a value holds nothing that is not what it seems, keys included."""
    match value:
        case str():
            # Nearly all are plain ASCII, and that is known in a quarter of the search's time.
            return (value.isascii() and value.isprintable()) or not _UNCLEAR.search(value)
        case dict():
            return all(is_clear(key) and is_clear(item) for key, item in value.items())
        case list():
            return all(map(is_clear, value))
        case _:
            return True
