"""JSON as RFC 8259 has it, and nothing that two readers could read differently.

`json` alone keeps the last of duplicate keys, takes NaN, turns 1e999 into infinity and a lone
surrogate into a string that cannot be encoded. Every one of these is refused here, with a JSON
pointer. The work is linear in the size of the text, for any text.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from authorizer.contract.pointer import is_nameable, pointer
from authorizer.errors import MalformedRequest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.model import JsonValue

MAX_LEVELS: Final = 32
# Bytes are cheap and values are not: 256 KiB of empty lists took most of the deadline to read and
# to send on, while nobody else was answered. A session has about a hundred values.
MAX_PIECES: Final = 10_000

# The longest integer that a double can hold has 309 digits. A longer one is refused unread:
# reading an integer takes time quadratic in its digits.
_MAX_INTEGER: Final = len("-") + 309
_OUT_OF_RANGE: Final = "is a number that a double cannot hold"
_MAYBE_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# Up to its end, or to that of the text: so nothing is looked at twice.
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)

# The way from a value to the root: its key or index, and its parent's way.
_Way: TypeAlias = "tuple[str | int, _Way] | None"


@dataclass(frozen=True, slots=True)
class _Flaw:
    """Stands in the tree for a value that JSON's grammar allows and we do not."""

    reason: str


def parse(data: bytes, *, base: str = "", levels: int = MAX_LEVELS) -> JsonValue:
    """Return what `data` says; objects are dicts, arrays are lists.

    `base` is the pointer to the value that `data` is; `levels` is how deep it may nest
    (1: a scalar's container, such as `[1]`).
    Raises MalformedRequest.
    """
    if may_have_too_many_pieces(data) and pieces(_STRING.sub(b"", data)) > MAX_PIECES:
        raise MalformedRequest(
            base, f"has too many values; a body may have {MAX_PIECES} commas, [ and {{ in all"
        )
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedRequest(base, f"is not UTF-8 (at byte {error.start})") from None
    if text.startswith("\ufeff"):
        raise MalformedRequest(base, "begins with a byte order mark; send the JSON without it")
    reader = _Reader()
    try:
        tree = reader.decode(text)
    except RecursionError:
        raise _too_deep(base) from None
    except json.JSONDecodeError as error:
        # `msg` is one of json's fixed sentences; `doc`, with the values, stays behind.
        reason = (
            f"is not JSON: {error.msg.rstrip(': ')} (line {error.lineno}, column {error.colno})"
        )
        raise MalformedRequest(base, reason) from None
    if is_deeper(tree, levels):
        raise _too_deep(base)
    if reader.flawed:
        _refuse_flaw(tree, base)
    if _MAYBE_SURROGATE.search(data):
        _refuse_surrogate(tree, base)
    return tree  # type: ignore[no-any-return]  # json is untyped; no flaw is left in it


def may_have_too_many_pieces(data: bytes) -> bool:
    """Tell whether there may be more than MAX_PIECES commas, `[` and `{` outside of strings."""
    return len(data) > MAX_PIECES and pieces(data) > MAX_PIECES


def pieces(data: bytes) -> int:
    """Return the number of commas, `[` and `{`, wherever they stand: one or more a value."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")


def is_deeper(tree: Any, levels: int) -> bool:  # noqa: ANN401 - whatever JSON can say
    """Tell whether containers nest deeper than `levels`."""
    level = [tree] if isinstance(tree, (dict, list)) else []
    for _ in range(levels):
        if not level:
            return False
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, (dict, list))
        ]
    return bool(level)


def _too_deep(base: str) -> MalformedRequest:
    return MalformedRequest(base, f"nests too deep; a body may have {MAX_LEVELS} levels")


class _Reader:
    """json's decoder, with a _Flaw wherever it would have been lenient."""

    def __init__(self) -> None:
        self.flawed = False
        self.decode = json.JSONDecoder(
            object_pairs_hook=self._object,
            parse_int=self._integer,
            parse_float=self._float,
            parse_constant=self._constant,
        ).decode

    def _flaw(self, reason: str) -> _Flaw:
        self.flawed = True
        return _Flaw(reason)

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Flaw:
        result = dict(pairs)
        if len(result) == len(pairs):
            return result
        seen: set[str] = set()
        # set.add gives None, so that this finds the first key that was there before.
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        return self._flaw(f"has {f'the key {twice!r}' if is_nameable(twice) else 'a key'} twice")

    def _integer(self, digits: str) -> int | _Flaw:
        if len(digits) <= _MAX_INTEGER:
            value = int(digits)
            try:
                float(value)
            except OverflowError:
                pass
            else:
                return value
        return self._flaw(_OUT_OF_RANGE)

    def _float(self, digits: str) -> float | _Flaw:
        value = float(digits)
        return value if math.isfinite(value) else self._flaw(_OUT_OF_RANGE)

    def _constant(self, _: str) -> _Flaw:
        return self._flaw("is NaN or infinite, which JSON cannot say")


def _walk(tree: Any) -> Iterator[tuple[_Way, Any]]:  # noqa: ANN401 - whatever JSON can say
    """Yield every value, in no promised order, with the way to it."""
    pending: list[tuple[_Way, Any]] = [(None, tree)]
    while pending:
        way, value = pending.pop()
        yield way, value
        if isinstance(value, dict):
            pending.extend(((key, way), child) for key, child in value.items())
        elif isinstance(value, list):
            pending.extend(((index, way), child) for index, child in enumerate(value))


def _pointer_to(base: str, way: _Way) -> str:
    tokens: list[str | int] = []
    while way is not None:
        token, way = way
        tokens.append(token)
    return pointer(reversed(tokens), base)


def _refuse_flaw(tree: Any, base: str) -> None:  # noqa: ANN401 - whatever JSON can say
    for way, value in _walk(tree):
        if isinstance(value, _Flaw):
            raise MalformedRequest(_pointer_to(base, way), value.reason)


def _refuse_surrogate(tree: Any, base: str) -> None:  # noqa: ANN401 - whatever JSON can say
    for way, value in _walk(tree):
        texts = value if isinstance(value, dict) else (value,)
        if any(isinstance(text, str) and _SURROGATE.search(text) for text in texts):
            raise MalformedRequest(_pointer_to(base, way), "holds half of a surrogate pair")
