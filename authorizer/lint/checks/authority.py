"""Authority that people could give themselves: what hangs on the traits that they write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.expressions.template import Template
from authorizer.kratos.writers import Writer
from authorizer.lint.checks.attributes import place_in
from authorizer.lint.checks.traits import attribute_read
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.reading import reached, read
from authorizer.lint.ruleset import parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from authorizer.kratos.identity_schema import IdentitySchema, Node
    from authorizer.lint.chain import Chain
    from authorizer.lint.conditions import Rule
    from authorizer.principals.profiles import Profile
    from authorizer.source.document import Place

_MAX_LISTED: Final = 3
_SWITCHES: Final = {"registration": "registration", "settings": "the settings method `profile`"}


def in_policies(chain: Chain) -> Iterator[Finding]:
    """Yield traits that people write themselves, where rules of policies depend on them."""
    if chain.conditions is None or not _are_written_by_people(chain):
        return
    uses: dict[tuple[Place, str], dict[str, set[str]]] = {}
    for rule in chain.conditions.rules:
        for place, trait in _traits_of(chain, rule):
            kinds = uses.setdefault((place, trait), {})
            kinds.setdefault(rule.kind, set()).update(rule.actions)
    for (place, trait), kinds in uses.items():
        what = "; ".join(_listed(kinds))
        message = f"people write the trait `{trait}` themselves, and so decide about {what}"
        yield Finding(Code.SELF_WRITTEN_AUTHORITY, place, message, _remedy(chain))


def _listed(kinds: dict[str, set[str]]) -> Iterator[str]:
    for number, (kind, actions) in enumerate(kinds.items()):
        if number == _MAX_LISTED:
            yield f"{len(kinds) - number} more"
            return
        yield f"`{kind}` ({', '.join(sorted(actions))})"


def _traits_of(chain: Chain, rule: Rule) -> Iterator[tuple[Place, str]]:
    """Yield the traits that a rule depends on, by itself or by its derived roles, with places."""
    for condition, scope in rule.conditions():
        for expression in reached(condition, scope):
            first: dict[str, int] = {}
            for one in read(expression, scope, chain.attributes).reads:
                for trait in _written(chain, one.path):
                    first.setdefault(trait, one.at)
            for trait, at in first.items():
                yield place_in(chain, expression, at), trait


def in_profiles(chain: Chain) -> Iterator[Finding]:
    """Yield traits that people write themselves, where profiles take roles from them or ask."""
    if chain.profiles is None or not _are_written_by_people(chain):
        return
    for profile in chain.profiles.by_name.values():
        for templates, what in (
            (profile.roles.sources, "give themselves roles"),
            (profile.require, "let themselves in"),
        ):
            yield from _in_templates(chain, profile, templates, what)


def _in_templates(
    chain: Chain, profile: Profile, templates: Iterable[Template], what: str
) -> Iterator[Finding]:
    for template in templates:
        for trait in _traits_in(chain, template):
            message = f"people write the trait `{trait}` themselves, and so {what}"
            place = chain.profile_place(profile.name, template.text)
            if place is not None:
                inside = chain.sources.inside(place, template.text, 0)
                yield Finding(Code.SELF_WRITTEN_AUTHORITY, inside, message, _remedy(chain))


def in_routes(chain: Chain) -> Iterator[Finding]:
    """Yield traits that people write themselves, where the question to the PDP hangs on them."""
    if chain.rules is None or not _are_written_by_people(chain):
        return
    for route in chain.routes:
        for template in parts(route.checks, Template):
            for trait in _traits_in(chain, template):
                message = (
                    f"people write the trait `{trait}` themselves, and so what the PDP is asked"
                )
                place = chain.rules.inside(route, template, template.text)
                yield Finding(Code.SELF_WRITTEN_AUTHORITY, place, message, _remedy(chain))


def _traits_in(chain: Chain, template: Template) -> dict[str, None]:
    return {
        trait: None
        for expression in template.expressions
        for reference in expression.references
        for trait in _written(chain, attribute_read(reference))
    }


def _written(chain: Chain, path: tuple[str, ...]) -> Iterator[str]:
    """Yield the traits that an attribute is, or is made of by a profile."""
    if trait := chain.attributes.trait(path):
        # What no schema declares is another mistake.
        if chain.attributes.unknown(path) is None:
            yield trait[0]
        return
    for profile in chain.profiles.by_name.values() if chain.profiles is not None else ():
        for name, value in profile.attr:
            if path[:1] == (name,):
                for template in parts(value, Template):
                    yield from _traits_in(chain, template)


def _are_written_by_people(chain: Chain) -> bool:
    return chain.writers is not None and chain.writers.traits is Writer.SELF_SERVICE


def _remedy(chain: Chain) -> str:
    flows = chain.writers.flows if chain.writers is not None else ()
    switches = " and ".join(f"{_SWITCHES[flow.name]} ({flow.place})" for flow in flows)
    return f"turn off {switches}, or decide by `metadata_public`, which administrators write"


def open_traits(chain: Chain) -> Iterator[Finding]:
    """Yield identity schemas that take traits which they do not declare."""
    for schema in chain.schemas or ():
        if _is_closed(schema):
            continue
        message = "this identity schema takes traits that it does not declare"
        if _are_written_by_people(chain):
            message += ", and people write them themselves"
        place = schema.traits.document.place(schema.traits.path, key=True)
        help_ = 'add "additionalProperties": false beside the traits\' "properties"'
        yield Finding(Code.OPEN_TRAITS, place, message, help_)


def _is_closed(schema: IdentitySchema) -> bool:
    waiting = [schema.traits]
    seen: set[tuple[str | int, ...]] = set()
    while waiting:
        node = waiting.pop()
        if node.path in seen:
            continue
        seen.add(node.path)
        if (inner := node.get("additionalProperties")) is not None and inner.value is False:
            return True
        waiting += _always_applied(node)
    return False


def _always_applied(node: Node) -> list[Node]:
    """Return the schemas that whatever fits this one fits too."""
    target = node.target()
    return [target] if target is not None else node.children("allOf")
