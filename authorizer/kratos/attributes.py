"""Which attributes a principal can have, for whoever writes a policy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from authorizer.kratos.added import FromTrait, Made
from authorizer.kratos.principal_schema import (
    NOT_ATTRIBUTES,
    WRITTEN_BY,
    auth_schema,
    principal_schema,
)
from authorizer.kratos.selectable import selectable, selected
from authorizer.kratos.traits import traits_of
from authorizer.kratos.writers import Writer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from authorizer.kratos.added import Added, Part
    from authorizer.kratos.identity_schema import IdentitySchema
    from authorizer.kratos.selectable import Selectable
    from authorizer.kratos.writers import Writers

_ATTR: Final = "P.attr"
_AUTH: Final = f"{_ATTR}.auth"
_TRAITS: Final = f"{_AUTH}.identity.traits"


@dataclass(slots=True)
class Attribute:
    """An attribute, as a policy writes it; `[]` in its name stands for each item of a list.

    `types` are JSON Schema's names, or "any"; `schemas` name the identity schemas that declare it
    and the profiles that add it, and are none for what the authorizer adds itself. `required`: by
    every schema, so that an identity that is written now has it, or added to every session.
    """

    name: str
    written_by: Writer
    types: list[str] = field(default_factory=list)
    schemas: list[str] = field(default_factory=list)
    required: bool = True
    description: str = ""

    def meets(self, found: Selectable, schemas: Sequence[str] = ()) -> None:
        """Take in that one more schema declares it."""
        self.types += [name for name in found.types if name not in self.types]
        self.schemas += schemas
        self.required = self.required and found.required
        self.description = self.description or found.description


def attributes(
    schemas: Sequence[IdentitySchema], writers: Writers, added: Sequence[Added] = ()
) -> list[Attribute]:
    """Return the attributes that come of traits, then what profiles add, then those under `auth`.

    Raises SourceError for a reference that leads nowhere.
    """
    traits: dict[str, Attribute] = {}
    for schema in schemas:
        for found in _of_traits(schema):
            attribute = traits.setdefault(found.name, Attribute(found.name, writers.traits))
            attribute.meets(found, [schema.name])
    for attribute in traits.values():
        attribute.required = attribute.required and len(attribute.schemas) == len(schemas)
    shown = [entry for name, entry in traits.items() if not name.startswith(_TRAITS)]
    hidden = [entry for name, entry in traits.items() if name.startswith(_TRAITS)]
    replaced = {selected(_ATTR, one.name) for one in added}
    kept = [entry for entry in shown if not any(_is_in(entry.name, name) for name in replaced)]
    of_profiles = [entry for one in added for entry in _of_added(one, traits, writers)]
    return [*kept, *of_profiles, *_of_auth(writers), *hidden]


def _is_in(name: str, above: str) -> bool:
    return name == above or name.startswith((f"{above}.", f"{above}["))


def _of_added(
    added: Added, traits: Mapping[str, Attribute], writers: Writers
) -> Iterator[Attribute]:
    """Yield an attribute that profiles add, then what it holds, where that is a trait's."""
    name = selected(_ATTR, added.name)
    found: dict[str, Attribute] = {}

    def add(entry: Attribute) -> None:
        known = found.setdefault(entry.name, replace(entry, types=[], schemas=[]))
        known.types += [one for one in entry.types if one not in known.types]
        known.schemas += [one for one in entry.schemas if one not in known.schemas]
        known.required = known.required and entry.required
        known.written_by = min(known.written_by, entry.written_by, key=lambda one: one.strength)
        known.description = known.description or entry.description

    for source in added.sources:
        hands = [writers.of(hand) for hand in source.hands]
        hand = min(hands, key=lambda one: one.strength, default=Writer.NOBODY)
        for part in source.parts:
            for entry in _of_part(name, part, traits):
                # A profile always sets it; whether a trait is there as well, the trait says.
                is_everywhere = not added.leaves_trait or name in traits
                required = entry.name == name and is_everywhere
                schemas = [f"profile {source.profile}"]
                add(replace(entry, written_by=hand, schemas=schemas, required=required))
    if added.leaves_trait:
        for entry in traits.values():
            if _is_in(entry.name, name):
                add(entry)
    yield from found.values()


def _of_part(name: str, part: Part, traits: Mapping[str, Attribute]) -> Iterator[Attribute]:
    """Yield the attribute `name` that one value of it is, and what that holds."""
    if isinstance(part, FromTrait):
        above = _ATTR
        for key in part.path:
            above = selected(above, key)
        inside = [entry for entry in traits.values() if part.path and _is_in(entry.name, above)]
        for entry in inside:
            yield replace(entry, name=f"{name}{entry.name.removeprefix(above)}")
        if inside:
            return
    schema = part.schema if isinstance(part, Made) else {}
    for found in selectable(name, schema, {}, required=True):
        attribute = Attribute(found.name, Writer.NOBODY)
        attribute.meets(found)
        yield attribute


def _of_traits(schema: IdentitySchema) -> Iterator[Selectable]:
    produced = principal_schema([schema])
    definitions = produced.get("$defs", {})
    attr = produced["properties"]
    hidden = attr["auth"]["properties"]["identity"]["properties"]["traits"].get("properties", {})
    for name, trait in traits_of(schema).items():
        parent, types = (_TRAITS, hidden) if name in NOT_ATTRIBUTES else (_ATTR, attr)
        yield from selectable(
            selected(parent, name), types[name], definitions, required=trait.required
        )


def _of_auth(writers: Writers) -> Iterator[Attribute]:
    for found in selectable(_AUTH, auth_schema(), {}, required=True):
        written_by = found.annotations.get(WRITTEN_BY, Writer.NOBODY)
        attribute = Attribute(found.name, writers.of(str(written_by)))
        attribute.meets(found)
        yield attribute
