"""What a schema refuses is said in words, in its place, in the order of the text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.errors import SourceError
from authorizer.source.schema import Schema, did_you_mean, load_schema
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MANY_OR_ONE = {
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string", "minLength": 1}}]
}


def refusals(definition: dict[str, Any], text: str) -> list[str]:
    found = Schema(definition).problems(load_yaml(text, "a.yaml"))
    return [str(problem).removeprefix("a.yaml:") for problem in found]


@pytest.mark.parametrize(
    ("node", "value", "expected"),
    [
        ({"type": "string"}, "5", "expected a string, found a whole number"),
        ({"type": "integer"}, "text", "expected a whole number, found a string"),
        ({"type": "integer"}, "true", "expected a whole number, found true"),
        ({"type": "boolean"}, "0.5", "expected true or false, found a number"),
        ({"type": ["string", "null"]}, "[a]", "expected a string or nothing, found a list"),
        ({"type": "object"}, "", "expected a mapping, found nothing"),
        ({"type": "string", "x-expected": "a port"}, "{}", "expected a port, found a mapping"),
        ({"pattern": "^a$", "x-expected": "the letter a"}, "b", "expected the letter a"),
        ({"pattern": "^a$"}, "b", "expected what matches /^a$/"),
        ({"type": "array"}, "a", "expected a list, found a string (put it in brackets, as a list)"),
        (
            {"type": "object", "examples": [{"ttl": "5s", "n": [1]}]},
            "5s",
            "expected a mapping, found a string (write it like `{ttl: 5s, n: [1]}`)",
        ),
        ({"enum": ["json", "text"]}, "jsn", "expected `json` or `text` (did you mean `json`?)"),
        ({"enum": [501, 503]}, "500", "expected 501 or 503"),
        ({"enum": ["a", "b"]}, "zzz", "expected `a` or `b`"),
        ({"const": 1}, "2", "expected 1"),
        ({"minimum": 1}, "0", "expected at least 1"),
        ({"maximum": 9}, "10", "expected at most 9"),
        ({"exclusiveMinimum": 1}, "1", "expected more than 1"),
        ({"exclusiveMaximum": 1}, "1", "expected less than 1"),
        ({"multipleOf": 2}, "3", "expected a multiple of 2"),
        ({"minLength": 1}, '""', "must not be empty"),
        ({"minLength": 2}, "a", "expected at least 2 characters"),
        ({"maxLength": 1}, "ab", "expected at most 1 character"),
        ({"minItems": 1}, "[]", "expected at least 1 item"),
        ({"maxItems": 1}, "[1, 2]", "expected at most 1 item"),
        ({"uniqueItems": True}, "[1, 1]", "an item is there twice"),
        ({"minProperties": 1}, "{}", "expected at least 1 key"),
        ({"maxProperties": 1}, "{b: 1, c: 2}", "expected at most 1 key"),
        ({"not": {"const": 1}}, "1", "is not allowed here"),
        (MANY_OR_ONE, "5", "expected a string or a list, found a whole number"),
        ({**MANY_OR_ONE, "x-expected": "one name or several"}, "5",
         "expected one name or several, found a whole number"),
    ],
)  # fmt: skip
def test_each_keyword_has_its_sentence(node: dict[str, Any], value: str, expected: str) -> None:
    assert refusals({"properties": {"a": node}}, f"a: {value}") == [
        f"1:{4 if value else 3}: {expected}"
    ]


def test_an_unknown_key_is_refused_where_it_stands_with_what_was_meant() -> None:
    definition = {"properties": {"listen": {}, "tls": {}}, "additionalProperties": False}
    assert refusals(definition, "listen: 1\nLisen: 2\nxyz: 3\n") == [
        "2:1: unknown key `Lisen` (did you mean `listen`?)",
        "3:1: unknown key `xyz` (known here: `listen`, `tls`)",
    ]


def test_keys_that_a_pattern_allows_are_known() -> None:
    definition = {"patternProperties": {"^[A-Z]+$": {}}, "additionalProperties": False}
    assert refusals(definition, "GET: 1\nget: 2\n") == ["2:1: unknown key `get`"]


def test_a_key_of_the_wrong_form_is_refused_where_it_stands() -> None:
    definition = {"propertyNames": {"pattern": "^[a-z]+$", "x-expected": "small letters"}}
    assert refusals(definition, "a: 1\nB: 2\n") == ["2:1: as a key: expected small letters"]


def test_each_missing_key_is_told_once_at_the_key_of_its_mapping() -> None:
    definition = {"properties": {"tls": {"required": ["certificate", "key"]}}}
    assert refusals(definition, "x: 1\ntls:\n  other: 1\n") == [
        "2:1: `certificate` is missing",
        "2:1: `key` is missing",
    ]


def test_a_missing_key_that_is_there_misspelt_is_one_problem() -> None:
    names: dict[str, Any] = {"certificate": {}, "key": {}, "chain": {}}
    definition = {"required": ["certificate", "key"], "properties": names}
    closed = {**definition, "additionalProperties": False}
    assert refusals({"properties": {"tls": closed}}, "tls:\n  certificat: 1\n") == [
        "1:1: `key` is missing",
        "2:3: unknown key `certificat` (did you mean `certificate`?)",
    ]
    assert refusals({"properties": {"tls": definition}}, "tls: {certificat: 1, key: 1}\n") == [
        "1:1: `certificate` is missing"
    ]


def test_a_key_that_needs_another_is_refused_where_it_stands() -> None:
    definition = {"dependentRequired": {"certificate": ["key"]}}
    assert refusals(definition, "b: 1\ncertificate: c\n") == [
        "2:1: `certificate` needs `key` beside it"
    ]


def test_one_of_several_keys_is_asked_for_by_their_names() -> None:
    definition = {"oneOf": [{"required": ["action"]}, {"required": ["actions"]}]}
    assert refusals(definition, "b: 1\n") == ["1:1: one of `action`, `actions` is missing"]
    assert refusals(definition, "action: 1\nactions: 2\n") == [
        "1:1: only one of `action` and `actions` may be there"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: ['x', '']", "1:10: must not be empty"),
        ("a: [1]", "1:5: expected a string, found a whole number"),
    ],
)
def test_alternatives_are_judged_by_the_one_that_was_meant(text: str, expected: str) -> None:
    assert refusals({"properties": {"a": MANY_OR_ONE}}, text) == [expected]


def test_a_constant_says_which_alternative_was_meant() -> None:
    definition = {
        "oneOf": [
            {"properties": {"kind": {"const": "a"}, "x": {"type": "string"}}},
            {"properties": {"kind": {"const": "b"}, "x": {"type": "integer"}}},
        ]
    }
    for text, expected in (
        ("kind: a\nx: 1\n", "2:4: expected a string, found a whole number"),
        ("kind: b\nx: text\n", "2:4: expected a whole number, found a string"),
    ):
        assert refusals(definition, text) == [expected]


def test_all_problems_come_in_the_order_of_the_text_and_once() -> None:
    """What an alias repeats is wrong in one place only."""
    definition = {
        "properties": {
            "z": {"type": "string"},
            "list": {"items": {"properties": {"a": {"type": "string"}}}},
        }
    }
    text = "list:\n  - &x {a: 1}\n  - *x\n  - {a: 2}\nz: 3\n"
    assert [refusal.split(" ")[0] for refusal in refusals(definition, text)] == [
        "2:12:",
        "4:9:",
        "5:4:",
    ]


def test_checking_raises_all_problems_or_nothing() -> None:
    schema = Schema({"type": "object"})
    schema.check(load_yaml("a: 1", "a.yaml"))
    with pytest.raises(SourceError, match=r"a\.yaml:1:1: expected a mapping, found a list"):
        schema.check(load_yaml("[]", "a.yaml"))


_SECRET = "s3cr3t"  # noqa: S105 - what must not be told


@given(
    st.recursive(
        st.just(_SECRET) | st.integers(0, 3),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner),
    ),
    st.sampled_from(
        [
            {"type": "integer"},
            {"type": "object", "additionalProperties": {"enum": [1]}},
            {"items": {"const": 1}, "maxItems": 1, "contains": {"const": 5}},
            {"oneOf": [{"type": "array"}, {"pattern": "^x"}, {"required": ["q"]}]},
            {"not": {"type": "string"}, "unevaluatedProperties": False},
            {"if": {"type": "string"}, "then": {"maxLength": 2}, "else": {"minProperties": 5}},
        ]
    ),
)
def test_no_value_is_ever_quoted(value: Any, definition: dict[str, Any]) -> None:  # noqa: ANN401 - JSON

    assert _SECRET not in "\n".join(refusals(definition, json.dumps(value)))


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("lisen", ["listen", "tls"], "did you mean `listen`?"),
        ("LISTEN", ["listen", "tls"], "did you mean `listen`?"),
        ("q", ["a", "b"], "known here: `a`, `b`"),
        ("q", [f"key{number}" for number in range(100)], ""),
        ("q", [], ""),
    ],
)
def test_a_hint_names_the_nearest_or_a_few(word: str, known: Sequence[str], expected: str) -> None:
    assert did_you_mean(word, known) == expected


def test_a_schema_file_is_read_and_compiled_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    package = tmp_path / "schemas_of_a_test"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.json").write_text('{"type": "object"}')
    monkeypatch.syspath_prepend(tmp_path)
    schema = load_schema(package.name, "a.json")
    assert schema.definition == {"type": "object"}
    assert load_schema(package.name, "a.json") is schema
