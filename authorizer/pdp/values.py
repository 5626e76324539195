"""JSON values ↔ `google.protobuf.Value`, exactly.

Of five ways to write the attributes of a Kratos session (0.7 KB), filling a message in place is
the one: it takes 13 us, where `Struct.update` takes 18, nested constructors 41, and `ParseDict` 42.
Writing the wire format oneself takes 12, and three times the code.
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
    # To ask an ABC takes 0.3 us, ten times a class: it comes second.
    elif isinstance(json, (dict, Mapping)):
        if json:
            fill_map(value.struct_value.fields, json)
        else:
            value.struct_value.SetInParent()  # an empty map must still say that it is a map
    elif isinstance(json, str):  # of another class, an enum's for example
        value.string_value = str(json)
    elif isinstance(json, (list, Sequence)) and not isinstance(json, (bytes, bytearray)):
        array = value.list_value
        array.SetInParent()
        items = array.values
        for item in json:
            fill(items.add(), item)
    else:
        msg = f"{kind.__name__} is not a JSON value"
        raise TypeError(msg)


def fill_map(fields: ValueMap, json: Mapping[str, JsonValue]) -> None:
    """Set each entry of the protobuf map `fields` from `json`."""
    for name, item in json.items():
        if type(item) is str:  # most are: a call less for each
            fields[name].string_value = item
        else:
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
