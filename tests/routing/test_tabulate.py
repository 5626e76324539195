"""Two routes of which nobody could say which one is meant are refused, both with their places."""

from __future__ import annotations

import itertools

import pytest
from routing.oracle import Rule
from routing.rulebook import compiled, refused, rule_file

KEEP = frozenset({"encoded_slash: keep"})


def route(name: str, match: str) -> str:
    return f"version: 1\nroutes:\n  - id: {name}\n    match: {{{match}}}\n    effect: allow\n"


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ("path: /a, methods: [GET]", "path: /a, methods: [POST, GET]", "both map GET on /a"),
        ('path: "/{x}", methods: [GET]', 'path: "/{y}", methods: [GET]', "both map GET"),
        ('path: /a, methods: ["*"]', 'path: /a, methods: ["*"]', "both map *"),
        ('path: "/{x...}", methods: [GET]', 'path: "/{y...}", methods: [GET]', "both map GET"),
        ("path: /a, methods: [GET], hosts: [h.test, i.test]",
         "path: /a, methods: [GET], hosts: [I.test.]", "both map GET"),
        ('path: "/{x:/a+/}", methods: [GET]', 'path: "/{x:/b+/}/c", methods: [POST]',
         "a segment may fit both"),
        ('path: "/{a}.{b}", methods: [GET]', 'path: "/{a}:{b}", methods: [POST]',
         "a segment may fit both"),
        ('path: "/v{a}", methods: [GET]', 'path: "/{a}:x", methods: [GET]',
         "a segment may fit both"),
        ("path: /a, methods: [GET], encoded_slash: keep", "path: /a, methods: [PUT]",
         "read it in two ways"),
        ("path: /a, methods: [GET], case: strict", "path: /a, methods: [PUT]",
         "read it in two ways"),
    ],
)  # fmt: skip
def test_what_could_tie_is_refused_with_both_places_in_any_order(
    one: str, other: str, why: str
) -> None:
    files = [route("one", one), route("other", other)]
    for order in itertools.permutations([0, 1]):
        (problem,) = refused(*(files[number] for number in order))
        assert why in problem.message
        assert problem.hint
        text = str(problem)
        for number, name in zip(order, ("0.yaml:3:9", "1.yaml:3:9"), strict=True):
            assert name in text, number
        assert "`one`" in text or problem.source == f"{order.index(0)}.yaml"
        assert "`other`" in text or problem.source == f"{order.index(1)}.yaml"


@pytest.mark.parametrize(
    "rules",
    [
        [Rule("a", "/x", ("GET",)), Rule("b", "/x", ("POST", "*"))],
        [Rule("a", "/{x}:go"), Rule("b", "/{x}:stay")],
        [Rule("a", "/a{x}.{y}"), Rule("b", "/b{x}.{y}")],
        [Rule("a", "/{x}"), Rule("b", "/{x:slug}"), Rule("c", "/{x:int}"), Rule("d", "/{x...}")],
        [Rule("a", "/x"), Rule("b", "/x/")],
        [Rule("a", "/x", hosts=("a.test",)), Rule("b", "/x", hosts=("*.test",)), Rule("c", "/x")],
        [Rule("a", "/x", hosts=("a.test",)), Rule("b", "/x", hosts=("b.test",), says=KEEP)],
        [Rule("a", "/p/{x:/a/}"), Rule("b", "/q/{x:/b/}"), Rule("c", "/p/{y:/a/}/z")],
    ],
)
def test_what_cannot_tie_adds_up(rules: list[Rule]) -> None:
    for order in itertools.permutations(rules):
        assert refused(rule_file(*order)) == []


def test_ids_are_unique_over_all_files() -> None:
    files = route("one", "path: /a, methods: [GET]"), route("one", "path: /b, methods: [GET]")
    (problem,) = refused(*files)
    assert str(problem).startswith("1.yaml:3:9: the id `one` is taken by the route at 0.yaml:3:9")


def test_a_table_knows_its_routes_by_id() -> None:
    table = compiled(rule_file(Rule("b", "/b"), Rule("a", "/a")))
    assert [r.id for r in table.routes] == ["a", "b"]
    assert {name: r.id for name, r in table.by_id.items()} == {"a": "a", "b": "b"}


def test_no_route_at_all_is_a_table_that_denies_everything() -> None:
    assert compiled(rule_file()).routes == ()
    assert compiled().routes == ()
