"""Rules and profiles against identity schemas: is there such an attribute?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.expressions.template import Template
from authorizer.lint.attributes import TRAITS
from authorizer.lint.codes import Code
from authorizer.lint.described import ITEM
from authorizer.lint.finding import Finding
from authorizer.lint.fitting import in_words, shown
from authorizer.lint.ruleset import parts
from authorizer.source.schema import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from authorizer.expressions.cel import Expression, Reference
    from authorizer.lint.chain import Chain
    from authorizer.source.document import Place

_IN_EXTRA: Final = ("identity", "traits")
_ATTR: Final = "attr"
# What a principal has beside its attributes.
_OF_PRINCIPAL: Final = (("id",), ("roles",))


def unknown_in_routes(chain: Chain) -> Iterator[Finding]:
    """Yield attributes that a route's expressions read and that nobody has."""
    if chain.rules is None:
        return
    for route in chain.routes:
        for template in parts(route, Template):
            for expression in template.expressions:
                for reference in expression.references:
                    text = _written(reference, expression)
                    place = chain.rules.inside(route, template, text)
                    yield from unknown(chain, attribute_read(reference), place)


def unknown_in_profiles(chain: Chain) -> Iterator[Finding]:
    """Yield traits that a configured profile reads and no identity schema has."""
    if chain.profiles is None:
        return
    for name, profile in chain.profiles.by_name.items():
        for template in parts(profile, Template):
            place = chain.profile_place(name, template.text)
            if place is None:
                continue
            for expression in template.expressions:
                for reference in expression.references:
                    start = max(template.text.find(_written(reference, expression)), 0)
                    inside = chain.sources.inside(place, template.text, start)
                    yield from unknown(chain, attribute_read(reference), inside)


def _written(reference: Reference, expression: Expression) -> str:
    """Return how an expression writes a reference, or all of it where it writes it otherwise."""
    text = ".".join((reference.name, *reference.keys))
    return text if text in expression.text else expression.text


def attribute_read(reference: Reference) -> tuple[str, ...]:
    """Return the attribute that a reference reads, by the keys below `attr`; () where none.

    A trait that a profile reads in `extra` is the attribute where all traits are.
    """
    keys = reference.keys
    if reference.name == "extra" and keys[:2] == _IN_EXTRA:
        return (*TRAITS, *keys[2:])
    return keys[1:] if reference.name == "principal" and keys[:1] == (_ATTR,) else ()


def _elsewhere(chain: Chain, path: tuple[str, ...]) -> str:
    """Return where what was sought among the attributes is, or an empty text."""
    if path in _OF_PRINCIPAL:
        return f"did you mean `P.{path[0]}`?"
    meant = chain.attributes.meant(path)
    return f"did you mean `{shown(meant)}`?" if meant is not None else ""


def unknown(chain: Chain, path: Sequence[str], place: Place) -> Iterator[Finding]:
    """Yield that an attribute is not there, if that is certain; `path` are keys below `attr`."""
    attributes = chain.attributes
    found = attributes.unknown(tuple(path))
    if found is None:
        return
    there = tuple(path[: found.number + 1])
    if found.of:
        message = f"`{shown(there[:-1])}` is {in_words(found.of)}, and has no members"
        yield Finding(Code.MISTYPED_ATTRIBUTE, place, message)
        return
    help_ = _elsewhere(chain, tuple(path)) or did_you_mean(there[-1], found.known)
    if trait := attributes.trait(there):
        written = ".".join(trait).replace(f".{ITEM}", ITEM)
        message = f"no identity schema has the trait `{written}`"
        yield Finding(Code.UNKNOWN_TRAIT, place, message, help_)
    else:
        message = f"the authorizer never says `{shown(there)}`"
        yield Finding(Code.UNKNOWN_AUTH_MEMBER, place, message, help_)
