"""The form of a Cerbos policy as a JSON Schema, made from Cerbos's own messages.

The SDK has them, with the constraints that a PDP holds each file to when it loads it
(`buf.validate`). So nothing is written down here that a release of Cerbos could make wrong.
Keys, their values' shapes, words that are one of a few, and what may not be missing are taken from
there; patterns of names are not, as one of Cerbos's needs RE2 to end (`^([a-zA-Z][…]*)*$`).
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from buf.validate import validate_pb2  # type: ignore[import-untyped] # it has no py.typed
from cerbos.policy.v1 import policy_pb2
from google.protobuf.descriptor import FieldDescriptor

from authorizer.source.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    # protobuf's descriptors have types that differ between its implementations.
    Message: TypeAlias = Any
    Field: TypeAlias = Any
    Definition: TypeAlias = dict[str, Any]

# Every JSON value has its place in these.
_ANYTHING: Final = "google.protobuf."
# Cerbos makes a text of any scalar, and takes nothing for an empty one (measured, 0.55.0).
_SCALAR: Final[Definition] = {
    "type": ["string", "number", "boolean", "null"],
    "x-expected": "a text",
}
_BOOLEAN: Final[Definition] = {"type": ["boolean", "null"]}


@functools.cache
def policy_schema() -> Schema:
    """Return what each policy file fits; made once."""
    definitions: dict[str, Definition] = {}
    top = _reference(policy_pb2.Policy.DESCRIPTOR, definitions)
    return Schema({**top, "$defs": definitions})


def _reference(message: Message, definitions: dict[str, Definition]) -> Definition:
    name = message.full_name
    if name not in definitions:
        definitions[name] = {}  # for those that hold themselves
        definitions[name].update(_of_message(message, definitions))
    return {"$ref": f"#/$defs/{name}"}


def _of_message(message: Message, definitions: dict[str, Definition]) -> Definition:
    fields = {field: _of_field(field, definitions) for field in message.fields}
    # protobuf's JSON has two spellings of a key; the second is rare, and no hint.
    others = {
        f"^{field.name}$": definition
        for field, definition in fields.items()
        if field.name != field.json_name
    }
    known = {name for field in fields for name in (field.json_name, field.name)}
    demands = [_demand((field,)) for field in fields if _is_required(field)]
    demands += [
        _demand(oneof.fields)
        for oneof in message.oneofs
        if oneof.GetOptions().Extensions[validate_pb2.oneof].required
    ]
    return {
        "type": "object",
        "properties": {field.json_name: definition for field, definition in fields.items()},
        "patternProperties": others,
        "additionalProperties": False,
        # A key that is misspelled is told as unknown, and not as missing too.
        "if": {"propertyNames": {"enum": sorted(known)}},
        "then": {"allOf": demands},
    }


def _demand(fields: Iterable[Field]) -> Definition:
    """Return what demands one of the fields."""
    required = [{"required": [field.json_name]} for field in fields]
    other = [{"required": [field.name]} for field in fields if field.name != field.json_name]
    wanted = required[0] if len(required) == 1 else {"anyOf": required}
    return {"if": {"anyOf": other}, "else": wanted} if other else wanted


def _of_field(field: Field, definitions: dict[str, Definition]) -> Definition:
    message = field.message_type
    if message is not None and message.GetOptions().map_entry:
        value = _of_value(message.fields_by_name["value"], definitions)
        return {"type": "object", "additionalProperties": value}
    if not field.is_repeated:
        return _of_value(field, definitions)
    items = _of_value(field, definitions)
    least = _rules(field).repeated.min_items
    return {"type": "array", "items": items, **({"minItems": least} if least else {})}


def _of_value(field: Field, definitions: dict[str, Definition]) -> Definition:
    if (message := field.message_type) is not None:
        is_any = message.full_name.startswith(_ANYTHING)
        return {} if is_any else _reference(message, definitions)
    if field.enum_type is not None:
        return _of_enum(field)
    if field.type == FieldDescriptor.TYPE_BOOL:
        return _BOOLEAN
    if const := _rules(field).string.const:
        return {"const": const}
    return {**_SCALAR, "minLength": 1} if _is_required(field) else _SCALAR


def _of_enum(field: Field) -> Definition:
    """Return the words that a field may be; as JSON of protobuf, their numbers as well."""
    taken = getattr(_rules(field).enum, "in")
    values = [value for value in field.enum_type.values if not taken or value.number in taken]
    names = [value.name for value in values]
    numbers = [value.number for value in values]
    nothing = [] if _is_required(field) else [None]
    return {"enum": [*names, *numbers, *nothing], "x-expected": " or ".join(names)}


def _rules(field: Field) -> Any:  # noqa: ANN401 - a protobuf message
    return field.GetOptions().Extensions[validate_pb2.field]


def _is_required(field: Field) -> bool:
    return bool(_rules(field).required)
