"""YAML (and JSON, its subset) into plain values with positions; nothing in it can run code.

Stricter than YAML, so that a file means one thing to every reader: one document of mappings with
string keys, no tags, no merge keys, no duplicate keys, and no plain scalar that YAML 1.1 and 1.2
read differently (see `scalars`). Anchors and aliases are allowed, within bounds.
"""

from __future__ import annotations

import os
import re
import stat
import zlib
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

import yaml

from authorizer.errors import Problem, SourceError
from authorizer.source.compose import Composer
from authorizer.source.document import Document, Place

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from authorizer.source.document import Marks

__all__ = ["Document", "Place", "load_yaml", "read_yaml"]

MAX_BYTES: Final = 64 * 1024 * 1024

# libyaml's parser where PyYAML was built with it, ten times as fast as the one in Python.
_Loader: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# What would make a file read otherwise than it looks: control characters, the line breaks that
# only YAML 1.1 has, a byte order mark, and what reverses the direction of the text beside it
# (CVE-2021-42574).
_INVISIBLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
    "\ufffe\uffff\ud800-\udfff]"
)
_BYTE_ORDER_MARK: Final = "\ufeff"
_LINE_BREAK: Final = re.compile("\r\n|\r|\n")
# A binary file holds thousands; a few say enough.
_MAX_INVISIBLE: Final = 10


def read_yaml(path: Path, name: str | None = None) -> Document:
    """Return the document in the file at `path`; `name` (by default `path`) stands for it.

    Raises SourceError when the file cannot be read, and as `load_yaml` does.
    """
    name = str(path) if name is None else name
    try:
        # Asked before it is opened: opening a pipe would wait for its other end.
        if not stat.S_ISREG(path.stat().st_mode):
            raise SourceError([Problem(name, 0, 0, "is not a regular file")])
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SourceError([Problem(name, 0, 0, f"cannot be read: {reason}")]) from error
    return load_yaml(content, name)


def load_yaml(text: str | bytes, name: str) -> Document:
    """Return the document that `text` holds; `name` stands for it in errors.

    An empty text is a document whose value is None. Raises SourceError with all problems that
    can be found at once, in the order of the text.
    """
    text = _decoded(text, name)
    if invisible := list(islice(_invisible(text, name), _MAX_INVISIBLE)):
        raise SourceError(invisible)
    composer = _composed(text, name, marked=False)
    if composer.problems:
        # Once more, with what it takes to say where the first of two equal keys is.
        problems = _composed(text, name, marked=True).problems
        raise SourceError(sorted(problems, key=lambda found: (found.line, found.column)))
    # Packed, as it is kept for as long as what was made of it; of rules, a tenth is left. No
    # closure: a document can be sent to another process.
    packed = zlib.compress(text.encode(), level=1)
    return Document(name, composer.value, partial(_marks, packed, name))


def _marks(packed: bytes, name: str) -> Marks:
    return _composed(zlib.decompress(packed).decode(), name, marked=True).marks


def _composed(text: str, name: str, *, marked: bool) -> Composer:
    composer = Composer(name, marked=marked)
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if not composer.take(event):
                break
    except yaml.MarkedYAMLError as error:
        composer.problems.append(_syntax_problem(error, text, name))
    except yaml.YAMLError as error:
        composer.problems.append(Problem(name, 0, 0, f"is not YAML: {error}"))
    return composer


def _decoded(text: str | bytes, name: str) -> str:
    if len(text) > MAX_BYTES:
        raise SourceError([Problem(name, 0, 0, f"is larger than {MAX_BYTES >> 20} MiB")])
    if isinstance(text, str):
        return text
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        place = _place(name, text[: error.start].decode())
        problem = place.problem("is not UTF-8", "save the file as UTF-8")
        raise SourceError([problem]) from error


def _place(name: str, before: str) -> Place:
    """Return the place of what follows the text `before`."""
    lines = _LINE_BREAK.split(before)
    return Place(name, len(lines), len(lines[-1]) + 1)


def _invisible(text: str, name: str) -> Iterator[Problem]:
    for found in _INVISIBLE.finditer(text):
        place = _place(name, text[: found.start()])
        if found.start() == 0 and found.group() == _BYTE_ORDER_MARK:
            hint = "save the file as UTF-8 without BOM"
            yield place.problem("starts with a byte order mark", hint)
        else:
            code = ord(found.group())
            hint = f'remove it, or write it as "\\u{code:04x}" in double quotes'
            yield place.problem(f"holds the invisible character U+{code:04X}", hint)


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, name: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name)
    what = error.problem or "this is not YAML"
    if mark and text[mark.index : mark.index + 1] == "\t":
        return place.problem("a tab cannot stand here", "indent with spaces")
    if error.context:
        began = error.context_mark
        since = f" from line {began.line + 1}" if began and mark and began.line < mark.line else ""
        return place.problem(f"{error.context}{since}: {what}", _advice(what))
    return place.problem(what, _advice(what))


def _advice(what: str) -> str:
    """Return what to do about what the parser says, for its commonest complaints."""
    if "mapping values are not allowed" in what:
        return 'put a value that holds ": " in quotes, and check the indentation'
    if "cannot start any token" in what:
        return "put the value in quotes"
    if "expected" in what or "end of stream" in what:
        return "check the indentation, and that each bracket and quote is closed"
    return ""
