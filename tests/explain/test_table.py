"""The table of routes, in the order in which the matcher asks."""

from __future__ import annotations

import json

from authorizer.explain.table import table_data, table_text
from authorizer.routing.compile import compile_rules
from authorizer.source.yaml import load_yaml

RULES = """
version: 1
routes:
  - {id: tail, match: {path: "/{rest...}", methods: ["*"]}, effect: deny}
  - id: item
    description: One of them
    match: {path: "/d/{id}", hosts: [b.test, "*.test"], case: strict, encoded_slash: keep}
    mode: observe
    profiles: [kratos]
    resource: {kind: document, id: "${path.id}"}
    actions: {GET: view, PATCH: edit}
  - id: move.to
    match: {path: "/d/{id}/move", methods: [POST], hosts: [a.test], query: {to: "*"}}
    effect: deny
  - id: move
    match: {path: "/d/{id}/move", methods: [POST], hosts: [a.test]}
    require: any
    preflight: allow
    checks:
      - {resource: {kind: document, id: "${path.id}"}, action: move}
      - {resource: {kind: folder, id: "1"}, action: add}
  - {id: knock, match: {path: /d/knock, hosts: [a.test]}, preflight: allow}
"""
TABLE = compile_rules([load_yaml(RULES, "rules.yaml")])


def test_each_path_of_each_host_is_a_line_the_most_specific_first() -> None:
    heading, *lines = [line.split() for line in table_text(TABLE).splitlines()]
    assert heading == ["HOST", "PATH", "METHODS", "IF", "ROUTE", "ASKS", "READS", "MODE", "PLACE"]
    assert [(line[0], line[1]) for line in lines] == [
        ("a.test", "/d/knock"),
        ("a.test", "/d/{id}/move"),
        ("a.test", "/d/{id}/move"),
        ("b.test", "/d/{id}"),
        ("*.test", "/d/{id}"),
        ("*", "/{rest...}"),
    ]


def test_a_line_says_what_the_route_asks_and_how_it_reads() -> None:
    text = " ".join(table_text(TABLE).split())
    assert (
        "b.test /d/{id} GET PATCH - item document ${path.id}: GET view, PATCH edit"
        " case: strict, encoded_slash: keep observe rules.yaml:5:9" in text
    )
    assert (
        "a.test /d/{id}/move POST OPTIONS (preflight) - move"
        " any of document ${path.id}: move; folder 1: add - enforce" in text
    )
    assert "a.test /d/knock OPTIONS (preflight) - knock nothing: a preflight only" in text
    assert "* /{rest...} * - tail nothing: deny" in text


def test_a_column_that_is_empty_is_left_out() -> None:
    plain = compile_rules([load_yaml(RULES[: RULES.index("  - id: item")], "rules.yaml")])
    heading, line = [each.split() for each in table_text(plain).splitlines()]
    assert heading == ["HOST", "PATH", "METHODS", "ROUTE", "ASKS", "MODE", "PLACE"]
    assert line == [
        "*",
        "/{rest...}",
        "*",
        "tail",
        "nothing:",
        "deny",
        "enforce",
        "rules.yaml:4:10",
    ]


def test_as_data_it_says_the_same() -> None:
    data = json.loads(json.dumps(table_data(TABLE)))
    assert [row["route"] for row in data] == ["knock", "move", "move.to", "item", "item", "tail"]
    assert data[3] == {
        "host": "b.test",
        "path": "/d/{id}",
        "methods": ["GET", "PATCH"],
        "conditions": [],
        "preflight": False,
        "route": "item",
        "description": "One of them",
        "effect": None,
        "require": "all",
        "checks": [
            {
                "kind": "document",
                "id": "${path.id}",
                "actions": {"GET": "view", "PATCH": "edit"},
            }
        ],
        "reading": ["case: strict", "encoded_slash: keep"],
        "cache_seconds": None,
        "profiles": ["kratos"],
        "response_headers": {},
        "redact": [],
        "mode": "observe",
        "file": "rules.yaml",
        "line": 5,
    }
    assert data[2]["conditions"] == ["query.to"]
    assert data[1]["preflight"] is True
    assert data[1]["checks"][0]["actions"] == {"*": "move"}
