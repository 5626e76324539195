"""`cache` on a route: for how long an answer may be used again, or why the rules are refused."""

from __future__ import annotations

import pytest

from authorizer.errors import RulesError
from authorizer.explain.table import table_data, table_text
from authorizer.routing.compile import compile_rules
from authorizer.source.yaml import load_yaml

RULES = """
version: 1
defaults: {cache: {ttl: 5s}}
routes:
  - {id: by.default, match: {path: /a, methods: [GET]}, resource: {kind: a, id: a}, action: view}
  - id: own
    match: {path: /b, methods: [GET]}
    resource: {kind: b, id: b}
    action: view
    cache: {ttl: 1500ms}
  - {id: static, match: {path: /c, methods: [GET]}, effect: deny}
"""


def test_a_route_has_its_own_time_to_live_or_its_files_and_a_static_one_none() -> None:
    table = compile_rules([load_yaml(RULES, "rules.yaml")])
    found = {route.id: route.cache for route in table.routes}
    assert found == {"by.default": 5.0, "own": 1.5, "static": None}
    assert {row["route"]: row["cache_seconds"] for row in table_data(table)} == found
    cells = {line.split()[3]: line.split()[-3] for line in table_text(table).splitlines()[1:]}
    assert {cells[id_] for id_ in ("by.default", "own", "static")} == {"5s", "1.5s", "-"}


def test_a_route_may_say_that_nothing_of_it_is_kept() -> None:
    rules = RULES.replace("cache: {ttl: 1500ms}", "cache: null")
    table = compile_rules([load_yaml(rules, "rules.yaml")])
    assert {route.id: route.cache for route in table.routes} == {
        "by.default": 5.0,
        "own": None,
        "static": None,
    }


def test_without_the_key_nothing_is_kept() -> None:
    rules = RULES.replace("defaults: {cache: {ttl: 5s}}\n", "").replace("    cache: {ttl: 1500ms}\n", "")  # fmt: skip  # noqa: E501 - two replacements
    table = compile_rules([load_yaml(rules, "rules.yaml")])
    assert {route.cache for route in table.routes} == {None}
    assert "CACHE" not in table_text(table)


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("cache: {ttl: 0s}", "a duration above zero"),
        ("cache: {ttl: 5}", "5"),
        ("cache: {ttl: 5sec}", "a duration above zero"),
        ("cache: {}", "ttl"),
        ("cache: 5s", "mapping"),
        ("cache: {tll: 5s}", "ttl"),
    ],
)
def test_what_is_no_time_to_live_is_refused_with_what_one_looks_like(
    written: str, words: str
) -> None:
    with pytest.raises(RulesError) as refused:
        compile_rules([load_yaml(RULES.replace("cache: {ttl: 1500ms}", written), "rules.yaml")])
    assert any(words in str(problem) for problem in refused.value.problems)


def test_a_static_route_with_the_key_itself_is_refused_in_its_place() -> None:
    rules = RULES.replace("effect: deny}", "effect: deny, cache: {ttl: 5s}}")
    with pytest.raises(RulesError) as refused:
        compile_rules([load_yaml(rules, "rules.yaml")])
    (problem,) = refused.value.problems
    assert problem.line == 11
    assert "no PDP is asked" in problem.message
