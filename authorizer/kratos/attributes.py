"""Which attributes a principal can have, for whoever writes a policy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

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
    from collections.abc import Iterator, Sequence

    from authorizer.kratos.identity_schema import IdentitySchema
    from authorizer.kratos.selectable import Selectable
    from authorizer.kratos.writers import Writers

_ATTR: Final = "P.attr"
_AUTH: Final = f"{_ATTR}.auth"
_TRAITS: Final = f"{_AUTH}.identity.traits"


@dataclass(slots=True)
class Attribute:
    """An attribute, as a policy writes it; `[]` in its name stands for each item of a list.

    `types` are JSON Schema's names, or "any"; `schemas` name the identity schemas that declare it,
    and are none for what the authorizer adds. `required`: by every schema, so that an identity
    that is written now has it.
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


def attributes(schemas: Sequence[IdentitySchema], writers: Writers) -> list[Attribute]:
    """Return the attributes that come of traits, then all that stands under `auth`.

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
    return [*shown, *_of_auth(writers), *hidden]


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
