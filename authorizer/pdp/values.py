"""JSON values ↔ `google.protobuf.Value`, exactly.

Of five ways to build the attributes of a Kratos session (1 KB), filling the message in place is
the fastest: 16 us, where `Struct.update` takes 22, writing the wire format oneself and parsing it
37, nested constructors 46, and `ParseDict` 54.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import struct_pb2

if TYPE_CHECKING:
    from typing import TypeAlias

    from authorizer.model import JsonValue

    # protobuf's classes have no types here
    Value: TypeAlias = Any  # a google.protobuf.Value
    ValueMap: TypeAlias = Any  # a protobuf map, string -> Value

# Beyond it, two integers share one double, and a whole float says no integer any more.
_EXACT: Final = 2**53


def fill(value: Value, json: JsonValue) -> None:
    """Set the protobuf `value` to `json`.

    Raises ValueError (UnicodeEncodeError too), OverflowError or TypeError where protobuf has no
    form for it: half a surrogate pair, an integer beyond a double, or something that is not JSON.
    """
    kind = type(json)
    if kind is str:
        value.string_value = json
    elif kind is bool:
        value.bool_value = json
    elif kind is int or kind is float:
        value.number_value = json
    elif json is None:
        value.null_value = struct_pb2.NULL_VALUE
    elif isinstance(json, str):  # a str of another class, an enum's for example
        value.string_value = str(json)
    elif isinstance(json, Mapping):
        # An empty map must still say that it is a map.
        value.struct_value.SetInParent()
        fill_map(value.struct_value.fields, json)
    elif isinstance(json, Sequence) and not isinstance(json, (bytes, bytearray)):
        value.list_value.SetInParent()
        items = value.list_value.values
        for item in json:
            fill(items.add(), item)
    else:
        msg = f"{kind.__name__} is not a JSON value"
        raise TypeError(msg)


def fill_map(fields: ValueMap, json: Mapping[str, JsonValue]) -> None:
    """Set each entry of the protobuf map `fields` from `json`."""
    for name, item in json.items():
        fill(fields[name], item)


def read(value: Value) -> JsonValue:
    """Return what the protobuf `value` says; a whole number comes back as an int.

    A Value that says nothing reads as None.
    """
    match value.WhichOneof("kind"):
        case "string_value":
            return str(value.string_value)
        case "bool_value":
            return bool(value.bool_value)
        case "number_value":
            number = float(value.number_value)
            return int(number) if number.is_integer() and abs(number) <= _EXACT else number
        case "struct_value":
            return {name: read(item) for name, item in value.struct_value.fields.items()}
        case "list_value":
            return [read(item) for item in value.list_value.values]
        case _:
            return None
