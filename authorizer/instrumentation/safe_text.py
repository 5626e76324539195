"""Text that can be shown to a person: no control character, and no value out of an exception."""

from __future__ import annotations

import traceback
from typing import Final

from authorizer.errors import AuthorizerError

_MAX_CHAIN: Final = 8
_MAX_FRAMES: Final = 30
_MAX_GROUP: Final = 5


def printable(text: str) -> str:
    """Return `text` with every character escaped that would not show as itself.

    These are controls (C0, DEL, C1), line and paragraph separators, format characters such as
    the bidirectional overrides, surrogates, and every space but the plain one: with one of them
    in a URL a caller could write lines of a log, or make a line read as something else.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def describe_exception(error: BaseException) -> str:
    """Return the traceback of `error` and of what caused it, without any value.

    Frames are shown without their local variables. Messages are shown only of our own errors
    (they quote no caller) and of the operating system's: `KeyError: 'alice@…'` holds a trait,
    and aiohttp's complaint about a bad request line or header holds that line, cookie and all.
    """
    blocks: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(blocks) < _MAX_CHAIN:
        seen.add(id(current))
        blocks.append(_describe_one(current))
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )
    return "\n\nwhich led to:\n\n".join(reversed(blocks))


def _describe_one(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__, limit=-_MAX_FRAMES)
    lines = ["Traceback (most recent call last):"] if frames else []
    for frame in frames:
        lines.append(f'  File "{printable(frame.filename)}", line {frame.lineno}, in {frame.name}')
        if frame.line:
            lines.append(f"    {printable(frame.line)}")
    kind = type(error)
    message = printable(_message(error))
    lines.append(f"{kind.__module__}.{kind.__qualname__}" + (f": {message}" if message else ""))
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions[:_MAX_GROUP]:
            lines.append("which holds:")
            lines.extend(f"  {line}" for line in describe_exception(part).splitlines())
    return "\n".join(lines)


def _message(error: BaseException) -> str:
    if isinstance(error, AuthorizerError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)
    return ""
