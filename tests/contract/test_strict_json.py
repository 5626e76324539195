import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.contract.strict_json import is_deeper, parse
from authorizer.errors import MalformedRequest

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_whatever_json_can_say_is_read_as_it_was_written(value: object, escaped: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
    text = json.dumps(value, ensure_ascii=escaped)
    assert parse(text.encode()) == value


@pytest.mark.parametrize(
    ("text", "pointer", "reason"),
    [
        (b"", "", "is not JSON: Expecting value (line 1, column 1)"),
        (b"{} {}", "", "is not JSON: Extra data (line 1, column 4)"),
        (b'{"a": 01}', "", "is not JSON"),
        (b'{"a": 1,}', "", "is not JSON"),
        (b"{'a': 1}", "", "is not JSON"),
        (b'["\x01"]', "", "is not JSON: Invalid control character"),
        (b'["\\x"]', "", "is not JSON: Invalid \\escape"),
        (b'{"a": "\xff"}', "", "is not UTF-8 (at byte 7)"),
        (b'{"a": "\xed\xa0\x80"}', "", "is not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "", "is not UTF-8"),
        (b"\xef\xbb\xbf{}", "", "begins with a byte order mark"),
        (b'{"a": 1, "a": 1}', "", "has the key 'a' twice"),
        (b'{"a": 1, "\\u0061": 1}', "", "has the key 'a' twice"),
        (b'{"x": [0, {"a": {}, "b": 1, "a": {}}]}', "/x/1", "has the key 'a' twice"),
        (b'{"x": {"a@b": 1, "a@b": 2}}', "/x", "has a key twice"),
        (b'{"a@b": {"c": [NaN]}}', "", "is NaN or infinite"),
        (b'{"x": [1, NaN]}', "/x/1", "is NaN or infinite"),
        (b'{"x": -Infinity}', "/x", "is NaN or infinite"),
        (b'{"x": 1e999}', "/x", "is a number that a double cannot hold"),
        (b'{"x": -1e999}', "/x", "is a number that a double cannot hold"),
        (b'{"x": 1' + b"0" * 309 + b"}", "/x", "is a number that a double cannot hold"),
        (b'{"x": ' + b"9" * 309 + b"}", "/x", "is a number that a double cannot hold"),
        (b'{"x": -' + b"9" * 5000 + b"}", "/x", "is a number that a double cannot hold"),
        (b'{"x": ["\\ud800"]}', "/x/0", "holds half of a surrogate pair"),
        (b'{"x": ["\\uDC00\\uD800"]}', "/x/0", "holds half of a surrogate pair"),
        (b'{"x": {"\\ud800": 1}}', "/x", "holds half of a surrogate pair"),
        (b"[" * 33 + b"]" * 33, "", "nests too deep"),
        (b"[" * 9_000, "", "nests too deep"),
        (b'{"a":' * 9_000, "", "nests too deep"),
        (b"[" * 100_000, "", "has too many values"),
        (b'{"a":' * 100_000, "", "has too many values"),
        (b'{"x": [' + b"0," * 9_999 + b"0]}", "", "has too many values"),
        (b"[" + b"{}," * 5_000 + b"0]", "", "has too many values"),
        (b'["' + rb"\"" * 10_000 + b'",' + b"0," * 10_000 + b"0]", "", "has too many values"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused_with_place_and_reason(
    text: bytes, pointer: str, reason: str
) -> None:
    with pytest.raises(MalformedRequest) as raised:
        parse(text)
    assert raised.value.pointer == pointer
    assert raised.value.reason.startswith(reason)


@pytest.mark.parametrize(
    "text",
    [
        b"[" * 32 + b"]" * 32,
        b'["\\ud83d\\ude00"]',
        b"[1" + b"0" * 308 + b"]",
        b"[1e308, 1e-999, -0, -0.0]",
        b' \t\r\n{"a": null} ',
        b"[" + b"0," * 9_999 + b"0]",
        b'["' + b",[{" * 10_000 + b'"]',
        b'["' + rb"\",[{" * 10_000 + b'"]',
    ],
)
def test_the_last_that_is_allowed_is_allowed(text: bytes) -> None:
    assert parse(text) == json.loads(text)


def test_the_pointer_begins_where_the_text_stands() -> None:
    with pytest.raises(MalformedRequest) as raised:
        parse(b'{"a": [NaN]}', base="/extra")
    assert raised.value.pointer == "/extra/a/0"


@given(JSON, st.integers(0, 5))
def test_depth_is_counted_in_containers(value: object, levels: int) -> None:
    def depth(value: object) -> int:
        if isinstance(value, dict):
            return 1 + max(map(depth, value.values()), default=0)
        return 1 + max(map(depth, value), default=0) if isinstance(value, list) else 0

    assert is_deeper(value, levels) is (depth(value) > levels)
