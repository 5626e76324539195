"""JSON values in protobuf's form and back."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

import pytest
from google.protobuf import json_format, struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from authorizer.pdp import values

if TYPE_CHECKING:
    from authorizer.model import JsonValue

EXACT = 2**53
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-EXACT, max_value=EXACT)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8")), inner, max_size=4)
    ),
    max_leaves=30,
)


def there_and_back(json: JsonValue) -> JsonValue:
    value = struct_pb2.Value()
    values.fill(value, json)
    return values.read(struct_pb2.Value.FromString(value.SerializeToString()))


@given(JSON)
def test_every_json_value_comes_back_from_the_wire_as_it_was(json: JsonValue) -> None:
    assert there_and_back(json) == json


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON, max_size=4))
def test_it_says_what_protobufs_own_converter_says(json: dict[str, JsonValue]) -> None:
    ours = struct_pb2.Struct()
    values.fill_map(ours.fields, json)
    assert ours == json_format.ParseDict(json, struct_pb2.Struct())


@pytest.mark.parametrize("json", [True, False, 0, 1, None, "", {}, [], {"a": {}}, [[]], [None]])
def test_a_value_keeps_its_type(json: JsonValue) -> None:
    """True is not 1, and an empty map is neither null nor a list."""
    back = there_and_back(json)
    assert back == json
    assert type(back) is type(json)


def test_a_whole_number_is_an_int_again_as_far_as_doubles_are_exact() -> None:
    assert isinstance(there_and_back(3.0), int)
    assert isinstance(there_and_back(1e300), float)


def test_tuples_and_string_enums_are_lists_and_strings() -> None:
    class Colour(enum.StrEnum):
        RED = "red"

    assert there_and_back((1, (2, Colour.RED))) == [1, [2, "red"]]


@pytest.mark.parametrize("json", ["\ud800", {"\ud800": 1}, 10**400, object(), b"bytes", {1, 2}])
def test_what_protobuf_cannot_say_raises(json: JsonValue) -> None:
    with pytest.raises((ValueError, OverflowError, TypeError)):
        values.fill(struct_pb2.Value(), json)
