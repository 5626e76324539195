"""Profiles that reject whoever lacks a trait which not everybody has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.expressions.template import Template
from authorizer.kratos.selectable import selected
from authorizer.lint.attributes import AUTH, TRAITS, Presence
from authorizer.lint.celtree import NotCel, TooDeep, parse
from authorizer.lint.checks.traits import attribute_read
from authorizer.lint.codes import Code
from authorizer.lint.conditions import Expression
from authorizer.lint.finding import Finding
from authorizer.lint.paths import ATTR
from authorizer.lint.ruleset import parts
from authorizer.lint.strict import World
from authorizer.lint.view import whole
from authorizer.principals.profiles import Shape
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.expressions.cel import Expression as Compiled
    from authorizer.lint.attributes import Path
    from authorizer.lint.chain import Chain
    from authorizer.principals.profiles import Profile

# What a session says of its identity is an attribute too, and so has a presence.
_EXTRA: Final = {"extra": (*ATTR, AUTH)}


def unguarded_in_profiles(chain: Chain) -> Iterator[Finding]:
    """Yield traits that an `attr` or an `id` reads unasked: without one there is no principal."""
    for name, profile in chain.profiles.by_name.items() if chain.profiles is not None else ():
        if profile.shape is not Shape.SESSION:
            continue
        for template in parts([profile.id, *(value for _, value in profile.attr)], Template):
            place = chain.profile_place(name, template.text)
            if place is None:
                continue
            for expression in template.expressions:
                start = max(template.text.find(expression.text), 0)
                inside = chain.sources.inside(place, template.text, start)
                for path, lacked in _lacked(chain, profile, expression):
                    message = (
                        f"`{_shown(lacked)}` is not always there, and `{name}` rejects whoever "
                        "lacks it"
                    )
                    help_ = f"give a default: {_guards(chain, profile, path)} ? … : …"
                    yield Finding(Code.UNGUARDED_ATTRIBUTE, inside, message, help_)


def _lacked(chain: Chain, profile: Profile, compiled: Compiled) -> Iterator[tuple[Path, Path]]:
    """Yield what an expression reads, with the outermost trait for want of which that errs."""
    try:
        tree = parse(compiled.text)
    except (NotCel, TooDeep):
        return
    expression = Expression(compiled.text, whole(load_yaml("", compiled.text)), tree)
    for path in dict.fromkeys(map(attribute_read, compiled.references)):
        if path[: len(TRAITS)] != TRAITS or chain.attributes.unknown(path) is not None:
            continue
        for one in _optional(chain, profile, path):
            if World(chain.attributes, profile, one).errs(expression, _EXTRA):
                yield path, one
                break


def _optional(chain: Chain, profile: Profile, path: Path) -> Iterator[Path]:
    for length in range(len(TRAITS) + 1, len(path) + 1):
        if chain.attributes.presence(path[:length], profile) is Presence.SOMETIMES:
            yield path[:length]


def _guards(chain: Chain, profile: Profile, path: Path) -> str:
    return " && ".join(f"has({_shown(one)})" for one in _optional(chain, profile, path))


def _shown(path: Path) -> str:
    text = "extra"
    for key in path[1:]:
        text = selected(text, key)
    return text
