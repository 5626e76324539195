"""What the attributes are that profiles add, as far as their expressions say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.expressions.template import Template
from authorizer.kratos.added import Added, FromTrait, Made, Source
from authorizer.lint.celtree import (
    Call,
    Constant,
    Entries,
    Items,
    Loop,
    Name,
    NotCel,
    Select,
    TooDeep,
    parse,
)
from authorizer.lint.described import ITEM
from authorizer.lint.fitting import ANYTHING, BOOLEAN, Kind, given, of_value
from authorizer.principals.profiles import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from authorizer.expressions.cel import Reference
    from authorizer.expressions.template import ValueTemplate
    from authorizer.kratos.added import Part
    from authorizer.lint.celtree import Tree
    from authorizer.principals.profiles import Profile

_TRAITS: Final = ("extra", "identity", "traits")
_CHOICE: Final = "_?_:_"
_ANYTHING: Final = Made({})
_LIST: Final = {"type": "array", "items": {}}
# Whose hand a part of a Kratos identity is from; what else is in it only administrators write.
_OF_IDENTITY: Final = {
    "id": "nobody",
    "traits": "traits",
    "verifiable_addresses": "verification",
    # Kratos fills them from traits.
    "recovery_addresses": "traits",
}


def added_by(profiles: Iterable[Profile]) -> tuple[Added, ...]:
    """Return the attributes that the profiles add, each once."""
    sources: dict[str, list[Source]] = {}
    sessions = []
    for profile in profiles:
        if profile.shape is Shape.SESSION:
            sessions.append(dict(profile.attr))
        for name, value in profile.attr:
            source = Source(profile.name, tuple(_of_value(value)), tuple(_hands(profile, value)))
            sources.setdefault(name, []).append(source)
    return tuple(
        Added(name, tuple(found), leaves_trait=any(name not in attr for attr in sessions))
        for name, found in sources.items()
    )


def _of_value(value: ValueTemplate) -> Iterator[Part]:
    match value.value:
        case Template(parts=(only,)) if not isinstance(only, str):
            try:
                yield from _of(parse(only.text))
            except (NotCel, TooDeep):
                yield _ANYTHING
        case Template():
            yield Made({"type": "string"})
        case None | bool() | int() | float() | str() as constant:
            yield Made({"enum": [constant]})
        case _:
            yield _ANYTHING


def _of(tree: Tree) -> Iterator[Part]:
    """Yield each of the values that an expression can give."""
    path = _path(tree)
    if path is not None and path[: len(_TRAITS)] == _TRAITS:
        yield FromTrait(path[len(_TRAITS) :])
        return
    match tree:
        case Call(function=function, args=(_, one, other)) if function == _CHOICE:
            yield from _of(one)
            yield from _of(other)
        case Constant(kind="boolean" | "integer" | "number" | "string" | "null", value=value):
            yield Made({"enum": [value]})
        case Items(items=items):
            # One without items says nothing of what another could have.
            yield Made(_LIST if items else {"type": "array"})
        case Entries(parts=()):
            yield Made({"type": "object"})
        case _:
            (type_,) = _kind(tree).types or (None,)
            if type_ is None:
                yield _ANYTHING
            else:
                yield Made(_LIST if type_ == "array" else {"type": type_})


def _kind(tree: Tree) -> Kind:
    """Return what is known of a value by its operation alone; of at most one type."""
    match tree:
        case Select(is_test=True):
            return Kind(BOOLEAN)
        case Name(name="subject"):
            return Kind(frozenset(("string",)))
        case Constant(value=value):
            return of_value(value)
        case Items():
            return Kind(frozenset(("array",)))
        case Loop(start=start):
            # `all` and `exists` collect a boolean, `map` and `filter` a list.
            return _kind(start)
        case Call(function=function, args=args):
            return given(function, [_kind(arg) for arg in args])
        case _:
            return ANYTHING


def _path(tree: Tree) -> tuple[str, ...] | None:
    """Return the keys from a name to what a tree selects; None where it computes."""
    match tree:
        case Name(name=name):
            return (name,)
        case Select(operand=operand, field=key, is_test=False):
            pass
        case Call(function="_[_]", args=(operand, Constant(kind=kind, value=value))):
            key = value if kind == "string" else ITEM
        case _:
            return None
    above = _path(operand)
    return None if above is None else (*above, key)


def _hands(profile: Profile, value: ValueTemplate) -> Iterator[str]:
    for template in value.templates():
        for expression in template.expressions:
            for reference in expression.references:
                yield _hand(profile, reference)


def _hand(profile: Profile, reference: Reference) -> str:
    """Return who has written what is read; of a whole that several write, the weakest of them."""
    if reference.name != "extra":
        return "nobody"
    if profile.shape is not Shape.SESSION:
        return "issuer"
    match reference.keys:
        case () | ("identity",):
            return "traits"
        case ("identity", key, *_):
            return _OF_IDENTITY.get(key, "administrator")
        case _:
            return "session"
