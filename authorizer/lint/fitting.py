"""What is known of the values in an expression, and which operations can never take them.

Measured on Cerbos 0.55, strict: `==` between types is false, and every other operation between
them errs. Numbers of attributes are doubles: they compare with integers, and do not compute with
them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.kratos.selectable import selected
from authorizer.lint.described import ITEM
from authorizer.source.schema import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    # What is wrong, and what to do, which may be empty.
    Words: TypeAlias = tuple[str, str]

COMPARISONS: Final = ("_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_", "@in")
_EQUAL: Final = ("_==_", "_!=_")
_SETS: Final = ("hasIntersection", "intersect", "isSubset", "except")
_ARITHMETIC: Final = ("_-_", "_*_", "_/_", "_%_")
_LOGIC: Final = ("_&&_", "_||_", "!_")
_CHOICE: Final = "_?_:_"
BOOLEAN: Final = frozenset(("boolean",))
NUMBER: Final = frozenset(("number",))
STRING: Final = frozenset(("string",))
ARRAY: Final = frozenset(("array",))
OBJECT: Final = frozenset(("object",))
NULL: Final = frozenset(("null",))
LOOPED: Final = ARRAY | OBJECT
_ORDERED: Final = STRING | NUMBER | BOOLEAN
_SUMMED: Final = STRING | NUMBER | ARRAY
# What the first argument of a function has to be; of a method, it is the target.
_TAKES: Final = {
    "startsWith": STRING,
    "endsWith": STRING,
    "contains": STRING,
    "matches": STRING,
    "lowerAscii": STRING,
    "upperAscii": STRING,
    "trim": STRING,
    "split": STRING,
    "replace": STRING,
    "substring": STRING,
    "inIPAddrRange": STRING,
    "duration": STRING,
    "hasIntersection": ARRAY,
    "intersect": ARRAY,
    "isSubset": ARRAY,
    "except": ARRAY,
    "join": ARRAY,
    "size": STRING | LOOPED,
}
# Operations that err where one of their arguments is null.
TAKING_NO_NULL: Final = frozenset(
    (*_TAKES, *_ARITHMETIC, "_+_", "_<_", "_<=_", "_>_", "_>=_", "timestamp", "int", "double")
)
_GIVES: Final = {
    **dict.fromkeys((*COMPARISONS, *_LOGIC), BOOLEAN),
    **dict.fromkeys(("startsWith", "endsWith", "contains", "matches", "inIPAddrRange"), BOOLEAN),
    **dict.fromkeys(("hasIntersection", "isSubset", "bool"), BOOLEAN),
    **dict.fromkeys(("lowerAscii", "upperAscii", "trim", "string", "replace", "join"), STRING),
    **dict.fromkeys(("size", "int", "uint", "double"), NUMBER),
    **dict.fromkeys(("split", "intersect", "except"), ARRAY),
}
_SPELLED: Final = {
    "string": "a string is written in quotes",
    "number": "a number is written without quotes",
    "boolean": "true and false are written without quotes",
}
_ARTICLES: Final = {
    "array": "a list",
    "object": "an object",
    "string": "a string",
    "number": "a number",
    "boolean": "a boolean",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What is known of a value: its types and those of its items, None for any.

    `path` is an attribute's; `values` are the strings that it can be, None for any. `texts` are
    those of a literal: one, or those of a list. `is_integer`: it is an integer for CEL, no double.
    """

    types: frozenset[str] | None = None
    items: frozenset[str] | None = None
    path: tuple[str, ...] | None = None
    values: frozenset[str] | None = None
    texts: tuple[str, ...] = ()
    is_integer: bool = False


ANYTHING: Final = Kind()


def shown(path: Sequence[str]) -> str:
    """Return an attribute as a policy writes it."""
    text = "P.attr"
    for key in path:
        text = f"{text}[]" if key == ITEM else selected(text, key)
    return text


def in_words(types: frozenset[str]) -> str:
    """Return types in words."""
    return " or ".join(sorted(_ARTICLES.get(name, name) for name in types))


def of_value(value: object) -> Kind:
    """Return what is known of a constant; None is one that is not known."""
    match value:
        case bool():
            return Kind(BOOLEAN)
        case int() | float():
            return Kind(NUMBER, is_integer=isinstance(value, int))
        case str():
            return Kind(STRING, texts=(value,))
        case list():
            return of_items([of_value(item) for item in value])
        case dict():
            return Kind(OBJECT)
        case _:
            return ANYTHING


def of_items(kinds: Sequence[Kind]) -> Kind:
    """Return what is known of a list of values."""
    known = [kind.types for kind in kinds if kind.types is not None]
    items = frozenset[str]().union(*known) if kinds and len(known) == len(kinds) else None
    return Kind(ARRAY, items, texts=tuple(text for kind in kinds for text in kind.texts))


def given(function: str, kinds: Sequence[Kind]) -> Kind:
    """Return what is known of what a function gives for arguments."""
    if function == _CHOICE:
        one, other = kinds[1:]
        return Kind(one.types) if one.types == other.types else ANYTHING
    if function in (*_ARITHMETIC, "_+_"):
        found = next((kind.types for kind in kinds if kind.types in (NUMBER, STRING)), None)
        return Kind(found)
    return Kind(_GIVES.get(function))


def identifies(function: str, kinds: Sequence[Kind]) -> bool:
    """Say whether two values count as one here where they are one number.

    Equality with a constant tells what it is meant to tell.
    """
    if function == "string":
        return True
    equates = function in (*_EQUAL, *_SETS, "@in")
    return equates and all(kind.path or kind.types is None for kind in kinds)


def misfit(function: str, kinds: Sequence[Kind]) -> Words | None:
    """Return why a function can never take these, one of them an attribute; None where it may."""
    attribute = next((kind for kind in kinds if kind.path), None)
    if attribute is None:
        return None
    if function in COMPARISONS:
        one, other = kinds
        if function == "@in":
            return _not_in(one, other)
        value = other if attribute is one else one
        return _unequal(attribute, value) if function in _EQUAL else _unordered(attribute, value)
    if function in (*_ARITHMETIC, "_+_"):
        return _not_computed(function, attribute, kinds)
    if function in _LOGIC or function == _CHOICE:
        asked = kinds[:1] if function == _CHOICE else kinds
        return next((words for kind in asked if (words := not_of(kind, BOOLEAN))), None)
    takes = _TAKES.get(function)
    return not_of(kinds[0], takes) if takes is not None else None


def not_of(kind: Kind, takes: frozenset[str]) -> Words | None:
    """Return that an attribute is nothing of what is taken; None where it may be."""
    if not kind.path or kind.types is None or kind.types & takes:
        return None
    return f"{_is(kind)}, and not {in_words(takes)}", _turned(kind, takes)


def _turned(kind: Kind, takes: frozenset[str]) -> str:
    """Return how an attribute of another type is asked about."""
    written = shown(kind.path or ())
    if takes == BOOLEAN:
        return f"compare it with something: `{written} == …`"
    if takes == STRING and kind.types == ARRAY:
        return f"look at each of its items: `{written}.exists(one, …)`"
    if takes == NUMBER and (kind.types or NULL) - NULL == STRING:
        return f"`double({written})` makes a number of it, `timestamp({written})` a time"
    if takes == STRING and kind.types in (NUMBER, BOOLEAN):
        return f"`string({written})` makes a string of it"
    if takes == ARRAY and kind.types == STRING:
        return f"it is one value: `{written} in […]`"
    return ""


def _written(types: frozenset[str]) -> str:
    """Return how a value of the types is written; "" where there are several."""
    known = types - NULL
    return _SPELLED.get(next(iter(known)), "") if len(known) == 1 else ""


def _is(attribute: Kind) -> str:
    return f"`{shown(attribute.path or ())}` is {in_words(attribute.types or frozenset())}"


def _unequal(attribute: Kind, value: Kind) -> Words | None:
    if attribute.types is None or value.types is None:
        return None
    if value.types & attribute.types:
        return _never(attribute, value)
    if value.types == NULL:
        return f"{_is(attribute)}, and never null", "whether it is there says has()"
    is_list = attribute.types == ARRAY
    help_ = "write `… in …` for one of a list" if is_list else _written(attribute.types)
    return f"{_is(attribute)}, and never equals {in_words(value.types)}", help_


def _never(attribute: Kind, value: Kind) -> Words | None:
    """Return that an attribute never is a text that it is compared with."""
    if attribute.values is None:
        return None
    for text in value.texts:
        if text not in attribute.values:
            listed = ", ".join(f'"{one}"' for one in sorted(attribute.values))
            message = f'`{shown(attribute.path or ())}` is never "{text}"'
            return message, did_you_mean(text, attribute.values) or f"it is one of {listed}"
    return None


def _unordered(attribute: Kind, value: Kind) -> Words | None:
    if words := not_of(attribute, _ORDERED):
        return words
    if attribute.types is None or value.types is None or value.types & attribute.types:
        return None
    message = f"{_is(attribute)}, and cannot be compared with {in_words(value.types)}"
    return message, _written(attribute.types)


def _not_in(item: Kind, container: Kind) -> Words | None:
    if words := not_of(container, LOOPED):
        return words[0], "`in` takes a list or a map"
    if container.types != ARRAY or not container.items or item.types is None:
        return None
    if item.types & container.items:
        return _never(item, container) if item.path else None
    if item.path:
        return f"{_is(item)}, and never equals {in_words(container.items)}", _written(
            container.items
        )
    listed = in_words(container.items)
    message = f"`{shown(container.path or ())}` is a list of what is {listed}"
    return f"{message}, and never has {in_words(item.types)}", _written(container.items)


def _not_computed(function: str, attribute: Kind, kinds: Sequence[Kind]) -> Words | None:
    if words := not_of(attribute, _SUMMED if function == "_+_" else NUMBER):
        return words
    if attribute.types != NUMBER:
        return None
    if function == "_%_":
        written = shown(attribute.path or ())
        return f"{_is(attribute)}, for CEL a double, which has no %", f"write int({written})"
    if any(kind.is_integer for kind in kinds):
        message = f"{_is(attribute)}, for CEL a double, and does not compute with an integer"
        return message, "write 2.0 for 2"
    return None
