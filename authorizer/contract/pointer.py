"""JSON pointers (RFC 6901) that are safe to log."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

# A key may itself be a secret or a person's address, where a template went wrong. What looks like
# a name in a schema is named, anything else is not; tokens of Ory's are longer than this.
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,30}")


def is_nameable(key: str) -> bool:
    """Tell whether a key of a body may appear in a log or an answer."""
    return _NAME.fullmatch(key) is not None


def pointer(tokens: Iterable[str | int], base: str = "") -> str:
    """Return `base` extended by keys and indexes, as far as the keys may be named.

    Where one may not, the pointer ends at the object that holds it.
    """
    parts = [base]
    for token in tokens:
        if isinstance(token, str) and not is_nameable(token):
            break
        parts.append(str(token))
    return "/".join(parts)
