"""By which of its entries a route maps a method."""

from __future__ import annotations

import pytest

from authorizer.routing.compile import compile_rules
from authorizer.routing.methods import mapping
from authorizer.source.yaml import load_yaml

RULES = """
version: 1
routes:
  - {id: read, match: {path: /a, methods: [GET]}, effect: allow}
  - {id: head, match: {path: /b, methods: [GET, HEAD]}, effect: allow}
  - {id: rest, match: {path: /c, methods: ["*"]}, preflight: allow, effect: allow}
  - {id: preflight, match: {path: /d, methods: [POST]}, preflight: allow, effect: allow}
"""


@pytest.mark.parametrize(
    ("route", "method", "entry"),
    [
        ("read", "GET", "GET"),
        ("read", "HEAD", "GET"),
        ("read", "POST", None),
        ("read", "OPTIONS", None),
        ("head", "HEAD", "HEAD"),
        ("rest", "GET", "*"),
        ("rest", "PURGE", "*"),
        ("rest", "get", None),
        ("rest", "OPTIONS", "OPTIONS"),
        ("preflight", "OPTIONS", "OPTIONS"),
        ("preflight", "GET", None),
    ],
)
def test_head_follows_get_and_a_star_takes_what_is_left(
    route: str, method: str, entry: str | None
) -> None:
    table = compile_rules([load_yaml(RULES, "rules.yaml")])
    assert mapping(table.by_id[route], method) == entry
