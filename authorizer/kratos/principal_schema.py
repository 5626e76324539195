"""The JSON Schema of a Cerbos principal, made from identity schemas."""

from __future__ import annotations

import copy
import functools
import importlib.resources
import json
from typing import TYPE_CHECKING, Any, Final

from authorizer.kratos.modern import Modernizer
from authorizer.kratos.traits import traits_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.kratos.identity_schema import IdentitySchema
    from authorizer.kratos.traits import Trait

# What stands in `auth.schema.json` beside JSON Schema: who can write a value.
WRITTEN_BY: Final = "x-written-by"
# No trait of these names is an attribute: the first is ours, and Cerbos refuses the second.
# `principals.session` leaves them out alike.
NOT_ATTRIBUTES: Final = ("auth", "")

_GENERATED: Final = "Made from identity schemas by `authorizer kratos principal-schema`."
_DESCRIPTION: Final = (
    "Every trait of an identity is an attribute under its own name; what is listed must have its "
    "type. No trait has to be there: not everybody is a person, and Kratos keeps identities that "
    "were written before a trait was required. All that is not a trait sits under `auth`."
)
_OPEN: Final = (
    " A trait that is not listed is accepted as it comes, so that the identity schema can grow "
    "while everything runs."
)


def principal_schema(schemas: Sequence[IdentitySchema], *, closed: bool = False) -> dict[str, Any]:
    """Return the schema (draft 2020-12) of the principals whose identities fit one of `schemas`.

    A trait of several of them fits one of its types. With `closed`, a trait that none of them
    declares is refused. Raises SourceError for a reference that leads nowhere.
    """
    modernizer = Modernizer()
    traits = _traits(schemas, modernizer)
    auth = _without_writers(auth_schema())
    hidden = {name: traits.pop(name) for name in NOT_ATTRIBUTES if name in traits}
    if hidden:
        auth["properties"]["identity"]["properties"]["traits"]["properties"] = hidden
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$comment": _GENERATED,
        "title": "A principal, as the authorizer builds it",
        "description": _DESCRIPTION if closed else _DESCRIPTION + _OPEN,
        "type": "object",
        "additionalProperties": not closed,
        "required": ["auth"],
        "properties": {**traits, "auth": auth},
        **({"$defs": modernizer.definitions} if modernizer.definitions else {}),
    }


def rendered(schema: dict[str, Any]) -> str:
    """Return a schema as it is printed, with a line break at the end."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def auth_schema() -> dict[str, Any]:
    """Return the schema of `auth`, with who can write each value; the caller may change it."""
    return copy.deepcopy(_auth_schema())


@functools.cache
def _auth_schema() -> dict[str, Any]:
    text = importlib.resources.files(__package__).joinpath("auth.schema.json").read_text("utf-8")
    schema: dict[str, Any] = json.loads(text)
    return schema


def _traits(schemas: Sequence[IdentitySchema], modernizer: Modernizer) -> dict[str, Any]:
    alternatives: dict[str, list[Any]] = {}
    for schema in schemas:
        for name, trait in traits_of(schema).items():
            alternatives.setdefault(name, []).append(_type(trait, modernizer))
    return {name: _one_of("anyOf", types) for name, types in alternatives.items()}


def _type(trait: Trait, modernizer: Modernizer) -> Any:  # noqa: ANN401 - a schema
    if trait.always:
        return _one_of("allOf", [modernizer.rewritten(node) for node in trait.always])
    return _one_of("anyOf", [modernizer.rewritten(node) for node in trait.sometimes])


def _one_of(keyword: str, schemas: list[Any]) -> Any:  # noqa: ANN401 - a schema
    """Return the schemas joined by `keyword`, or the only one that there is."""
    distinct = [schema for at, schema in enumerate(schemas) if schema not in schemas[:at]]
    return distinct[0] if len(distinct) == 1 else {keyword: distinct}


def _without_writers(schema: Any) -> Any:  # noqa: ANN401 - a schema, or a part of one
    if isinstance(schema, dict):
        return {key: _without_writers(schema[key]) for key in schema if key != WRITTEN_BY}
    return schema
