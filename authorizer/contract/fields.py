"""What the fields of a request mean, for whoever has read them.

Each function gives None where the value is not what the contract says, and no reason: the fast
reader needs none, and the careful one finds it.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

REQUIRED: Final = ("subject", "method", "url")
OPTIONAL: Final = ("profile", "extra", "raw_path", "headers", "forwarded_uri")

# RFC 9110, section 5.6.2. A method is a token, and so is the name of a header.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_ABSOLUTE: Final = re.compile(r"https?://[^/?#]")


def is_method(text: str) -> bool:
    """Tell whether `text` is an HTTP method, known or not."""
    return _TOKEN.fullmatch(text) is not None


def is_absolute(url: str) -> bool:
    """Tell whether `url` begins with http(s) and an authority; routing reads the rest."""
    return _ABSOLUTE.match(url) is not None


def profiles(profile: str | Sequence[str]) -> tuple[str, ...] | None:
    """Return the names of the profiles: at least one, none empty, none twice."""
    names = (profile,) if isinstance(profile, str) else tuple(profile)
    return names if names and all(names) and len(set(names)) == len(names) else None


def headers(
    named: Mapping[str, str | Sequence[str] | None],
) -> dict[str, tuple[str, ...]] | None:
    """Return the headers that are there, with their names in lower case, none clashing."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in named.items():
        lower = header_name(name)
        if lower is None or lower in found:
            return None
        found[lower] = values(value)
    return {name: present for name, present in found.items() if present}


@functools.lru_cache(maxsize=256)  # a payload template has the same names in every request
def header_name(name: str) -> str | None:
    """Return a header's name in lower case."""
    return name.lower() if _TOKEN.fullmatch(name) else None


def values(value: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return all values of a header; null has none."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
