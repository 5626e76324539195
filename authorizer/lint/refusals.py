"""Where in an expression stands what Cerbos refuses, and what was probably meant.

`cerbos compile` names the key that the expression is under, and says all that is wrong with it in
one message (measured on 0.55: "Invalid expression `…`: [undefined field 'role', …]").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from authorizer.source.schema import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from authorizer.lint.conditions import Scope

_INVALID: Final = re.compile(r"Invalid expression `.*`: \[(.*)\]\Z", re.DOTALL)
# Each reason begins with one of these.
_BETWEEN: Final = re.compile(r", (?=undeclared |undefined |found no |expected type |type \')")
_REASON: Final = re.compile(r"(undeclared reference to|undefined field) '([^']*)'")
# An operator, and the types on its two sides.
_OVERLOAD: Final = re.compile(
    r"found no matching overload for '[_@]([^'\w]+|in)_?' applied to '\((.*)\)'"
)
_CONTAINER: Final = re.compile(r" \(in container ''\)")
_STRING: Final = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_ATTR: Final = "attr"
_COMMON: Final = ("id", _ATTR, "policyVersion", "scope")
_PRINCIPAL: Final = ("roles", *_COMMON)
_RESOURCE: Final = ("kind", *_COMMON)
# cerbos.dev/cerbos/latest/policies/conditions: what has members of its own.
_MEMBERS: Final = {
    "P": _PRINCIPAL,
    "R": _RESOURCE,
    "request.principal": _PRINCIPAL,
    "request.resource": _RESOURCE,
    "request": ("principal", "resource", "auxData"),
    "runtime": ("effectiveDerivedRoles",),
}
_MEANT: Final = {
    "principal": "P",
    "resource": "R",
    "p": "P",
    "r": "R",
    "v": "V",
    "c": "C",
    "auxData": "request.auxData",
    "roles": "P.roles",
    "now": "now()",
}
_METHODS: Final = frozenset(
    (
        *("all", "exists", "exists_one", "filter", "map", "size", "contains", "startsWith"),
        *("endsWith", "matches", "lowerAscii", "upperAscii", "trim", "split", "replace"),
        *("substring", "indexOf", "lastIndexOf", "charAt", "join", "format", "intersect"),
        *("hasIntersection", "isSubset", "except", "inIPAddrRange", "timeSince"),
        *("getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear"),
        *("getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    )
)
_FUNCTIONS: Final = _METHODS | frozenset(
    (
        *("has", "int", "uint", "double", "string", "bool", "bytes", "type", "duration"),
        *("timestamp", "now", "hierarchy"),
    )
)


def refusals(message: str, text: str, scope: Scope) -> Iterator[tuple[int, str, str]]:
    """Yield (offset in the expression `text`, message, help) for each reason in Cerbos's message.

    Nothing, where it is no message about an expression.
    """
    found = _INVALID.search(message)
    if found is None:
        return
    masked = _STRING.sub(lambda string: "_" * len(string.group()), text)
    for reason in dict.fromkeys(_BETWEEN.split(found[1])):
        offset, help_ = _explained(reason, masked, scope)
        yield offset, f"Cerbos refuses this: {_CONTAINER.sub('', reason)}", help_


def _explained(reason: str, text: str, scope: Scope) -> tuple[int, str]:
    if operator := _OVERLOAD.match(reason):
        return _operator(operator[1], text), _fitting(operator[1], operator[2])
    if (found := _REASON.fullmatch(_CONTAINER.sub("", reason))) is None:
        return 0, ""
    kind, name = found.groups()
    return _field(name, text) if kind == "undefined field" else _reference(name, text, scope)


def _operator(sign: str, text: str) -> int:
    """Return where an operator stands, if there is only one of it."""
    places = [found.start() for found in re.finditer(rf"(?<!\S){re.escape(sign)}(?!\S)", text)]
    return places[0] if len(places) == 1 else 0


def _fitting(sign: str, types: str) -> str:
    if sign == "==" and types.startswith("list("):
        return "write `… in …` for one of a list"
    if sign == "in" and types.endswith(", string"):
        return "`in` takes a list or a map; a part of a text finds `contains()`"
    return "convert one of the two, by int(), double() or string()"


def _field(name: str, text: str) -> tuple[int, str]:
    for owner, members in _MEMBERS.items():
        pattern = rf"(?<![\w.]){re.escape(owner)}\.{re.escape(name)}\b((?:\.\w+)?)"
        if found := re.search(pattern, text):
            return found.start(), _member(owner, name, found[1], members)
    return _at(rf"(?<=\.){re.escape(name)}\b", text), ""


def _member(owner: str, name: str, rest: str, members: Sequence[str]) -> str:
    if _ATTR in members and name == "traits" and rest:
        return f"a trait is an attribute: write `{owner}.{_ATTR}{rest}`"
    if (meant := nearest(name, members)) is not None:
        return f"did you mean `{owner}.{meant}`?"
    if _ATTR in members:
        return f"attributes stand below `{_ATTR}`: write `{owner}.{_ATTR}.{name}`"
    return "known here: " + ", ".join(f"`{owner}.{member}`" for member in members)


def _reference(name: str, text: str, scope: Scope) -> tuple[int, str]:
    if re.search(method := rf"(?<=\.){re.escape(name)}(?=\s*\()", text):
        return _at(method, text), _meant(nearest(name, _METHODS))
    if re.search(function := rf"(?<![\w.]){re.escape(name)}(?=\s*\()", text):
        return _at(function, text), _meant(nearest(name, _FUNCTIONS))
    offset = _at(rf"(?<![\w.]){re.escape(name)}\b", text)
    for owner, known in (("V", scope.variables), ("C", scope.constants)):
        if name in known:
            return offset, _meant(f"{owner}.{name}")
    return offset, _meant(_MEANT.get(name))


def _meant(name: str | None) -> str:
    return f"did you mean `{name}`?" if name is not None else ""


def _at(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return found.start() if found else 0
