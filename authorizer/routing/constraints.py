"""What the PDP takes, held to before it is asked: a violation would fail the whole call.

The constraints are Cerbos's own (cerbos.request.v1 and cerbos.engine.v1, protovalidate rules of the
fields), and one of ours: no value whose bytes are not what the caller sent, or that hides some.
What a rule says outright is held to them when it is loaded, what a caller makes of it at a request.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from authorizer.expressions.clarity import is_clear

if TYPE_CHECKING:
    from authorizer.model import JsonValue

# Go's \w is ASCII.
_PATTERNS: Final = {
    "policy_version": re.compile(r"[0-9A-Za-z_]*"),
    "scope": re.compile(r"(|\.|[0-9a-zA-Z][0-9A-Za-z_-]*(\.[0-9A-Za-z_][0-9A-Za-z_-]*)*)"),
}
UNCLEAR: Final = "it gives a control character, or bytes that were not UTF-8 (U+FFFD)"


def objection(key: str, value: JsonValue) -> str:
    """Return why `value` cannot be a check's `key` (id, scope, …), or ""; never quotes it."""
    if not isinstance(value, str):
        return "it must give a string; use string(…)"
    if (pattern := _PATTERNS.get(key)) is not None:
        takes = f"it must give what Cerbos takes: {pattern.pattern}"
        return "" if pattern.fullmatch(value) else takes
    if not value:
        return "it gives an empty string"
    return "" if is_clear(value) else UNCLEAR
