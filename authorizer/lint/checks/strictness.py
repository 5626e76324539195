"""Cerbos policies under strict evaluation: what reads an attribute that may not be there?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.kratos.selectable import selected
from authorizer.lint.attributes import Presence
from authorizer.lint.checks.attributes import place_in
from authorizer.lint.codes import Code
from authorizer.lint.described import ITEM
from authorizer.lint.finding import Finding
from authorizer.lint.fitting import shown
from authorizer.lint.reading import reached, read
from authorizer.lint.strict import World

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from authorizer.lint.chain import Chain
    from authorizer.lint.conditions import Rule
    from authorizer.lint.strict import Site
    from authorizer.principals.profiles import Profile
    from authorizer.source.document import Place


def unguarded(chain: Chain) -> Iterator[Finding]:
    """Yield reads that can make a rule err, so that it denies whatever other rules allow."""
    found: dict[tuple[Place, tuple[str, ...]], dict[str, None]] = {}
    null: dict[tuple[Place, tuple[str, ...]], None] = {}
    for world, site in _sites(chain):
        place = place_in(chain, site.expression, site.at)
        if world.null:
            null[place, world.null] = None
        else:
            # A profile that never has it says more than one whose identities may lack it.
            name = "" if world.missing else world.profile.name
            found.setdefault((place, site.path), {})[name] = None
    for (place, path), names in found.items():
        yield _finding(place, path, _lacking(names), _remedy(chain, path))
    for place, path in null:
        # Where it may be missing too, that comes first.
        if not any(other == place and read[: len(path)] == path for other, read in found):
            yield _finding(place, path, "may be null", f"ask first: {shown(path)} != null && …")


def _finding(place: Place, path: tuple[str, ...], reason: str, help_: str) -> Finding:
    message = f"`{shown(path)}` {reason}, and a rule that errs denies, whatever others allow"
    return Finding(Code.UNGUARDED_ATTRIBUTE, place, message, help_)


def _sites(chain: Chain) -> Iterator[tuple[World, Site]]:
    """Yield what can make a rule err, with the principals for whom it does."""
    rules = chain.conditions.rules if chain.conditions is not None else ()
    for profile in chain.profiles_in_use:
        for rule in rules:
            for world in _worlds(chain, profile, rule):
                for site in _errors(world, rule):
                    # What nobody has is told already, by its name.
                    if chain.attributes.unknown(site.path) is None:
                        yield world, site


def _lacking(names: Iterable[str]) -> str:
    profiles = ", ".join(f"`{name}`" for name in names if name)
    return f"is never there for {profiles}" if profiles else "is not always there"


def _remedy(chain: Chain, path: tuple[str, ...]) -> str:
    """Return what to ask first: has() errs itself where what it looks into is missing."""
    if ITEM in path:
        return "ask first whether it is there, by has()"
    above = [path[:length] for length in range(1, len(path))]
    guards = [_guard(one) for one in above if _may_be_missing(chain, one)]
    return f"ask first whether it is there: {' && '.join((*guards, _guard(path)))} && …"


def _may_be_missing(chain: Chain, path: tuple[str, ...]) -> bool:
    return any(
        chain.attributes.presence(path, profile) is not Presence.ALWAYS
        for profile in chain.profiles_in_use
    )


def _guard(path: tuple[str, ...]) -> str:
    written = shown(path)
    if written.endswith("]"):
        key = selected("", path[-1])[1:-1]
        return f"{key} in {shown(path[:-1])}"
    return f"has({written})"


def _worlds(chain: Chain, profile: Profile, rule: Rule) -> Iterator[World]:
    """Yield the principals of a profile, and those without each attribute that they may lack."""
    yield World(chain.attributes, profile)
    paths: dict[tuple[str, ...], None] = {}
    for condition, scope in rule.conditions():
        for expression in reached(condition, scope):
            for one in read(expression, scope, chain.attributes).reads:
                paths.update((one.path[:length], None) for length in range(1, len(one.path) + 1))
    for path in paths:
        if path[-1] != ITEM and chain.attributes.presence(path, profile) is Presence.SOMETIMES:
            yield World(chain.attributes, profile, path)
        if ITEM not in path and _may_be_null(chain, path, profile):
            yield World(chain.attributes, profile, null=path)


def _may_be_null(chain: Chain, path: tuple[str, ...], profile: Profile) -> bool:
    types = chain.attributes.at(path).types
    is_nullable = types is not None and "null" in types
    return is_nullable and chain.attributes.presence(path, profile) is not Presence.NEVER


def _errors(world: World, rule: Rule) -> frozenset[Site]:
    """Return the reads that can make a rule err."""
    errors = [
        world.outcome(role.condition, role.scope).errors
        for role in rule.derived
        if world.is_asked(role)
    ]
    if world.concerns(rule):
        errors.append(world.outcome(rule.condition, rule.scope).errors)
    return frozenset().union(*errors)
