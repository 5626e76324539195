"""Rules and profiles against identity schemas: does any schema have this trait?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.expressions.template import Template
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.ruleset import parts
from authorizer.source.schema import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from authorizer.expressions.cel import Reference
    from authorizer.lint.chain import Chain
    from authorizer.principals.profiles import Profiles
    from authorizer.routing.route import Route

_TRAITS: Final = ("identity", "traits")
_ATTR: Final = "attr"
# All that is not a trait, nor added by a profile.
_AUTH: Final = "auth"


def unknown_in_routes(chain: Chain) -> Iterator[Finding]:
    """Yield traits that a route's expressions read and no identity schema has."""
    if chain.rules is None or chain.traits is None:
        return
    for route in chain.routes:
        added = _added(chain.profiles, route)
        for template in parts(route, Template):
            for expression in template.expressions:
                for reference in expression.references:
                    path = _trait(reference, added)
                    if path and not chain.traits.has(path):
                        place = chain.rules.inside(route, template, expression.text)
                        yield Finding(Code.UNKNOWN_TRAIT, place, *_words(chain, path))


def unknown_in_profiles(chain: Chain) -> Iterator[Finding]:
    """Yield traits that a configured profile reads and no identity schema has."""
    if chain.profiles is None or chain.traits is None:
        return
    for name, profile in chain.profiles.by_name.items():
        for template in parts(profile, Template):
            place = chain.profile_place(name, template.text)
            if place is None:
                continue
            for expression in template.expressions:
                for reference in expression.references:
                    path = _trait(reference, ())
                    if path and not chain.traits.has(path):
                        start = max(template.text.find(expression.text), 0)
                        inside = chain.sources.inside(place, template.text, start)
                        yield Finding(Code.UNKNOWN_TRAIT, inside, *_words(chain, path))


def _added(profiles: Profiles | None, route: Route) -> tuple[str, ...]:
    """Return the attributes that profiles add, of those that may use the route."""
    if profiles is None:
        return ()
    return tuple(
        name
        for profile in profiles.by_name.values()
        if not route.profiles or profile.name in route.profiles
        for name, _ in profile.attr
    )


def _trait(reference: Reference, added: Sequence[str]) -> tuple[str, ...]:
    """Return the path of the trait that a reference reads; empty where it reads none."""
    keys = reference.keys
    if reference.name == "extra" and keys[:2] == _TRAITS:
        return keys[2:]
    if reference.name != "principal" or keys[:1] != (_ATTR,) or len(keys) == 1:
        return ()
    if keys[1] == _AUTH:
        return keys[4:] if keys[2:4] == _TRAITS else ()
    return () if keys[1] in added else keys[1:]


def _words(chain: Chain, path: Sequence[str]) -> tuple[str, str]:
    known = chain.traits.siblings(path) if chain.traits is not None else ()
    return f"no identity schema has the trait `{'.'.join(path)}`", did_you_mean(path[-1], known)
