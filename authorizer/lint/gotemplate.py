"""Go's text/template, as far as a payload needs it: its actions, and what they would print."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_STRING: Final = r'"(?:[^"\\]|\\.)*"|`[^`]*`|\'(?:[^\'\\]|\\.)*\''
_ACTION: Final = re.compile(
    r"\{\{(?P<left>-\s)?\s*(?P<body>(?:/\*.*?\*/|" + _STRING + r'|[^"`\'}]|\}(?!\}))*?)'
    r"\s*(?P<right>\s-)?\}\}",
    re.DOTALL,
)
_STRINGS: Final = re.compile(_STRING)
_KEYWORDS: Final = frozenset(
    "if else end range with define block template break continue".split()  # noqa: SIM905 - a list
)
_ASSIGNMENT: Final = re.compile(r"\$\w*(?:\s*,\s*\$\w+)?\s*:?=")
# They write JSON: what they print is one value, whatever goes in.
_JSON: Final = re.compile(r"\(?\s*(?:must)?[tT]o(?:Raw|Pretty)?Json\b")
# They print a number or a boolean.
_HARMLESS: Final = re.compile(r"(?:len|eq|ne|lt|le|gt|ge|not|true|false|[+-]?\d+)\b")


@dataclass(frozen=True, slots=True)
class Action:
    """A `{{ … }}` at `offset` of its template; `body` is what stands inside."""

    text: str
    offset: int
    body: str
    trims_before: bool = False
    trims_after: bool = False

    @property
    def is_control(self) -> bool:
        """Whether it decides what else is printed, rather than printing."""
        found = re.match(r"\w+", self.body)
        return bool(found and found.group() in _KEYWORDS)

    @property
    def prints(self) -> bool:
        """Whether it prints a value."""
        return not (
            self.is_control
            or self.body == ""
            or self.body.startswith("/*")
            or _ASSIGNMENT.match(self.body)
        )

    @property
    def names(self) -> str:
        """Its body without the contents of strings: what it reads."""
        return _STRINGS.sub('""', self.body)

    @property
    def is_constant(self) -> bool:
        """Whether it prints a string that stands in the template itself."""
        return _STRINGS.fullmatch(self.body) is not None

    @property
    def is_json(self) -> bool:
        """Whether what it prints is one JSON value, whatever the caller sends."""
        last = _commands(self.body)[-1].strip()
        return bool(_JSON.match(last) or (last == self.body and _HARMLESS.match(last)))

    @property
    def header(self) -> str:
        """The header that it reads by name, in lower case, or ""."""
        found = re.search(r'\.Header\.(?:Values|Get)\s+"([^"]*)"', self.body)
        return found[1].lower() if found else ""


def actions(template: str) -> Iterator[Action]:
    """Yield the actions of a template, in order."""
    for found in _ACTION.finditer(template):
        yield Action(
            found.group(),
            found.start(),
            found["body"],
            trims_before=found["left"] is not None,
            trims_after=found["right"] is not None,
        )


def _commands(body: str) -> list[str]:
    """Cut a pipeline at its bars, outside of strings and parentheses."""
    masked = _STRINGS.sub(lambda found: "_" * len(found.group()), body)
    commands = []
    depth = start = 0
    for at, character in enumerate(masked):
        depth += (character == "(") - (character == ")")
        if character == "|" and depth == 0:
            commands.append(body[start:at])
            start = at + 1
    commands.append(body[start:])
    return commands


# They print a string in Go's quotes, which are not always JSON's.
_QUOTED: Final = re.compile(r'quote\b|printf\s+"%q"')

# What a request is like: enough to see what becomes of it.
_SAMPLES: Final[Sequence[tuple[str, object]]] = (
    (r"\.URL\.String\b", "http://host.example/path"),
    (r"\.URL\.RawPath\b", ""),
    (r"\.URL\.(?:Path|EscapedPath)\b", "/path"),
    (r"\.URL\.Host\b", "host.example"),
    (r"\.URL\.Scheme\b", "http"),
    (r"\.Method\b", "GET"),
    (r"\.Header\.Get\b", "value"),
    (r"\bindex\b.*\.Header\b.*\s\d+\b|\b(?:(?:must)?(?:[fF]irst|[lL]ast)|join)\b", "value"),
    (r"\bindex \S*\.Header\b", ["value"]),
    (r"\.Header\.Values\b", ["value"]),
    (r"\.Header\b", {"X-Name": ["value"]}),
    (r"\.RegexpCaptureGroups\b", ["value"]),
    (r"\.Extra(?!\.)\b", {"key": "value"}),
)


def render(template: str) -> str | None:
    """Return what the template prints for a sample request; None where it has conditions."""
    out = ""
    position = 0
    trims = False
    for action in actions(template):
        if action.is_control:
            return None
        between = template[position : action.offset]
        out += between.lstrip() if trims else between
        if action.trims_before:
            out = out.rstrip()
        if action.prints:
            out += _printed(action)
        trims = action.trims_after
        position = action.offset + len(action.text)
    rest = template[position:]
    return out + (rest.lstrip() if trims else rest)


def _printed(action: Action) -> str:
    if action.is_constant:
        return _unquoted(action.body)
    value = next((sample for regex, sample in _SAMPLES if re.search(regex, action.names)), "value")
    if action.is_json:
        return "1" if _HARMLESS.match(action.body) else json.dumps(value)
    if _QUOTED.match(_commands(action.body)[-1].strip()):
        return json.dumps(str(value))
    return value if isinstance(value, str) else "map[]"


def _unquoted(text: str) -> str:
    if text.startswith('"'):
        try:
            return str(json.loads(text))
        except ValueError:
            return text[1:-1]
    return text[1:-1]
