"""The quick types and the schema: what the types take, the schema takes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.routing.shape import is_well_formed
from authorizer.source.schema import load_schema
from authorizer.source.yaml import load_yaml, read_yaml

EXAMPLE: Final = Path(__file__).parents[2] / "rules"

FULL: Final[dict[str, Any]] = {
    "version": 1,
    "defaults": {
        "hosts": ["api.acme.test"],
        "encoded_slash": "keep",
        "empty_segments": "allow",
        "matrix_parameters": "keep",
        "case": "strict",
        "trailing_slash": "ignore",
        "suffix": "strict",
        "mode": "enforce",
        "profiles": ["kratos"],
        "preflight": "allow",
    },
    "routes": [
        {
            "id": "a",
            "description": "d",
            "match": {
                "path": "/a/{id}",
                "methods": ["GET", "*"],
                "hosts": ["a.test", "b.test"],
                "query": {"to": "*"},
                "headers": {"x-tenant": "acme"},
                "encoded_slash": "split",
            },
            "checks": [
                {
                    "resource": {"kind": "k", "id": "i", "attr": {"a": [1, None, {"b": 2.5}]}},
                    "actions": {"GET": "view"},
                    "policy_version": "v",
                    "scope": "s",
                },
                {"resource": {"kind": "k", "id": "i", "scope": "s"}, "action": "view"},
            ],
            "require": "any",
            "mode": "observe",
            "profiles": ["kratos", "staff"],
            "preflight": "allow",
            "response_headers": {"X-A": "", "X-B": "${outputs.b}"},
            "redact": ["id"],
        },
        {"id": "b", "match": {"path": "/b", "methods": ["GET"]}, "effect": "allow"},
        {
            "id": "c",
            "match": {"path": "/c"},
            "resource": {"kind": "k", "id": "i", "policy_version": "v"},
            "actions": {"GET": "view"},
        },
    ],
}


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:  # noqa: ANN401 - JSON
    found = [path]
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, item in items:
        found += places(item, (*path, key))
    return found


def changed(path: tuple[str | int, ...], change: str, new: object) -> Any:  # noqa: ANN401 - JSON
    root = [copy.deepcopy(FULL)]
    inner: Any = root
    *ahead, last = (0, *path)
    for step in ahead:
        inner = inner[step]
    match change:
        case "set":
            inner[last] = new
        case "remove":
            del inner[last]
        case "add" if isinstance(inner[last], dict):
            inner[last][str(new)] = new
        case "add" if isinstance(inner[last], list):
            inner[last].append(new)
    return root[0] if root else None


def schema_takes(value: object) -> bool:
    return not load_schema("authorizer.routing", "rules.schema.json").problems(
        load_yaml(json.dumps(value), "rules")
    )


ODD: Final = st.sampled_from(
    [None, True, 0, 1, 1.0, 2.5, "", "a", "*", "GET", "get", "GET\n", "keep", "a b", "é",
     "x" * 300, [], ["a"], ["a", "a"], [1], {}, {"a": 1}, {"": "a"}, {"GET": "view"}, {"path": "/"}]
)  # fmt: skip


@given(st.data())
def test_what_the_types_take_the_schema_takes(data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(places(FULL)))
    change = data.draw(st.sampled_from(["set", "remove", "add"]))
    value = changed(path, change, data.draw(ODD))

    if is_well_formed(value):
        assert schema_takes(value)


@pytest.mark.parametrize("path", places(FULL), ids=str)
def test_every_key_of_the_language_is_known_to_the_types(path: tuple[str | int, ...]) -> None:
    """Else a file that uses it would be slow; it would still be right."""
    assert is_well_formed(FULL)
    last = path[-1] if path else ""
    if isinstance(last, str) and path and "attr" not in path[:-1]:
        assert not is_well_formed(changed(path, "set", object()))


@pytest.mark.parametrize("file", sorted(EXAMPLE.glob("*.yaml")), ids=lambda file: file.name)
def test_the_example_is_taken_by_both(file: Path) -> None:
    document = read_yaml(file)
    assert is_well_formed(document.value)
    assert not load_schema("authorizer.routing", "rules.schema.json").problems(document)
