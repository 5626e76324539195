"""Checks as bytes: what tells one question about a principal from another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.model import Check


def text_of(checks: Sequence[Check]) -> bytes | None:
    """Return checks as bytes, equal for equal ones alone: to Python, `1` is `True` and `1.0`.

    None where they say what the PDP cannot be asked: half a surrogate pair, too large an integer.
    """
    try:
        return msgspec.msgpack.encode(checks)
    except (msgspec.MsgspecError, ValueError, OverflowError, TypeError, RecursionError):
        return None
