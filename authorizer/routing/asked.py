"""What a caller asks for, beside the path: the method, the query and the headers."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
# What comes behind these, PHP and Express leave out without a word, and Django refuses.
_MAX_PARAMETERS: Final = 1_000
_UNDERSCORED: Final = str.maketrans(" .", "__")


class UnreadableQuery(ValueError):
    """A query of which nobody knows how the application reads it. `reason` says why."""

    def __init__(self, reason: str) -> None:
        """Say why nobody knows."""
        self.reason = reason
        super().__init__(reason)


class Asked(msgspec.Struct, frozen=True, dict=True):
    """One request's method, query string (still encoded) and headers (lower-case names)."""

    method: str
    query_string: str = ""
    headers: Mapping[str, Sequence[str]] = msgspec.field(default_factory=dict)

    def __repr__(self) -> str:
        """Return it without the headers: one may be a token."""
        return f"Asked(method={self.method!r}, query_string={self.query_string!r})"

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        """Every parameter with all its values, in order; read when a rule first wants it.

        Raises UnreadableQuery.
        """
        text = self.query_string
        if not text:
            return {}
        if text.count("&") >= _MAX_PARAMETERS:
            reason = f"it has more than {_MAX_PARAMETERS} parameters"
            raise UnreadableQuery(reason)
        if ";" in text:
            # Separates parameters in Go before 1.17, Rack before 3, Python before 3.10, …
            reason = "it has a `;`, which some applications read as `&`"
            raise UnreadableQuery(reason)
        if _BAD_ESCAPE.search(text):
            reason = "it has a % that begins no escape"
            raise UnreadableQuery(reason)
        try:
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
        except ValueError:
            reason = "it is not UTF-8 when it is decoded"
            raise UnreadableQuery(reason) from None
        parameters: dict[str, list[str]] = {}
        for name, value in pairs:
            parameters.setdefault(name, []).append(value)
        return parameters

    def sent_query(self, name: str) -> list[str]:
        """Return every value of a parameter.

        Raises UnreadableQuery, also where a parameter is there that only some applications take
        for this one: theirs may not be the value that is asked about.
        """
        wanted = _as_some_read(name)
        base = wanted.removesuffix("[]")
        for known in self.query:
            if known == name:
                continue
            folded = _as_some_read(known)
            if folded in (wanted, base) or _holds(base, folded) or _holds(folded, wanted):
                reason = f"it has a parameter that some applications read as `{name}`"
                raise UnreadableQuery(reason)
        return self.query.get(name, [])


def _as_some_read(name: str) -> str:
    """Return a name as lenient applications compare it: ASP.NET's case, PHP's variable names."""
    return name.partition("\0")[0].lstrip(" ").translate(_UNDERSCORED).casefold()


def _holds(name: str, other: str) -> bool:
    """Say whether `other` is an element of `name`, as PHP, Rack and qs read `name[element]`."""
    return other.startswith(name + "[")
