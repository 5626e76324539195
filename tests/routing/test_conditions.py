"""Conditions on the query and on headers: which route they choose, and what nobody can choose."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from routing.rulebook import compiled, refused

from authorizer.routing.asked import Asked, UnreadableQuery
from authorizer.routing.conditions import Condition, Part, exclude, implies, tie, weight
from authorizer.routing.reading import Address
from authorizer.routing.table import Matched

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authorizer.routing.table import Unmatched

NAMES = ("a", "b")
VALUES = ("1", "2", None)  # None: any


def sets() -> st.SearchStrategy[frozenset[Condition]]:
    wanted = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES))
    return wanted.map(
        lambda items: frozenset(Condition(Part.QUERY, name, value) for name, value in items.items())
    )


def requests() -> list[Asked]:
    """Every request that sends each name at most once, with one of three values."""
    values = (None, "1", "2", "3")
    found = []
    for chosen in itertools.product(values, repeat=len(NAMES)):
        pairs = [f"{name}={value}" for name, value in zip(NAMES, chosen, strict=True) if value]
        found.append(Asked("GET", "&".join(pairs)))
    return found


def fulfilled(conditions: frozenset[Condition]) -> set[int]:
    """Return the requests that fulfil the conditions, found the slow way."""
    return {
        number
        for number, asked in enumerate(requests())
        if all(condition.holds(asked) for condition in conditions)
    }


@given(sets(), sets())
def test_what_is_said_of_two_sets_is_what_requests_show(
    one: frozenset[Condition], other: frozenset[Condition]
) -> None:
    these, those = fulfilled(one), fulfilled(other)
    assert implies(one, other) is (these <= those)
    assert exclude(one, other) is these.isdisjoint(those)
    assert tie(one, other) is (
        bool(these & those) and (these == those or not (these <= those or those <= these))
    )


@given(sets(), sets())
def test_of_two_that_a_request_can_fulfil_the_narrower_weighs_more(
    one: frozenset[Condition], other: frozenset[Condition]
) -> None:
    if implies(one, other) and one != other:
        assert weight(one) > weight(other)


def rules(*routes: Mapping[str, Any]) -> str:
    return json.dumps(
        {
            "version": 1,
            "routes": [
                {
                    "id": f"r{number}",
                    "match": {"path": "/move", "methods": ["POST"], **route},
                    "effect": "allow",
                }
                for number, route in enumerate(routes)
            ],
        }
    )


def choice(
    text: str, query: str, headers: Mapping[str, Sequence[str]] | None = None
) -> Matched | Unmatched:
    return compiled(text).match(Address("http", "a.test", "/move", query), "POST", headers)


@pytest.mark.parametrize(
    ("query", "route"),
    [
        ("", "r0"),
        ("x=1", "r0"),
        ("to=a", "r1"),
        ("to=", "r1"),
        ("to=trash", "r2"),
        ("to=trash&why=old", "r3"),
        ("to=a&why=old", "r1"),
        ("t%6f=trash", "r2"),
    ],
)
def test_the_route_whose_conditions_say_most_is_chosen_in_any_order(query: str, route: str) -> None:
    routes: list[dict[str, Any]] = [
        {},
        {"query": {"to": "*"}},
        {"query": {"to": "trash"}},
        {"query": {"to": "trash", "why": "old"}},
    ]
    for order in itertools.permutations(range(len(routes))):
        text = rules(*(routes[number] for number in order))
        found = choice(text, query)
        assert isinstance(found, Matched)
        assert f"r{order[int(found.route.id[1:])]}" == route


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("", "condition_not_mapped"),
        ("x=1", "condition_not_mapped"),
        ("to=a&to=b", "mapping_failed"),
        ("to=a&TO=b", "mapping_failed"),
        ("to=a;to=b", "mapping_failed"),
        ("to=%ff", "mapping_failed"),
        ("to=%zz", "mapping_failed"),
        ("x&" * 1000 + "to=a", "mapping_failed"),
    ],
)
def test_what_nobody_can_choose_by_is_a_deny(query: str, reason: str) -> None:
    found = choice(rules({"query": {"to": "*"}}), query)
    assert not isinstance(found, Matched)
    assert found.reason.value == reason


@pytest.mark.parametrize(
    "query",
    [
        "PREVIEW=1",
        "%50review=1",
        "preview[]=1",
        "preview=1&preview[]=2",
        "preview=1&preview%5Bx%5D=2",
        "preview=1&+preview=2",
        "preview=1&preview%00x=2",
    ],
)
def test_a_name_that_only_some_applications_read_as_a_conditions_is_a_deny(query: str) -> None:
    """An application that does not see the preview would serve all of it."""
    found = choice(rules({}, {"query": {"preview": "1"}}), query)
    assert not isinstance(found, Matched)
    assert found.reason.value == "mapping_failed"


@pytest.mark.parametrize(
    ("name", "other", "is_clear"),
    [
        ("to", "too", True),
        ("to", "t", True),
        ("to", "x[to]", True),
        ("filter[a]", "filter[b]", True),
        ("filter[a]", "filter", False),
        ("filter[a]", "filter[a][]", False),
        ("ids[]", "ids", False),
        ("ids[]", "ids[0]", False),
        ("move.to", "move_to", False),
    ],
)
def test_names_are_told_apart_as_far_as_every_application_does(
    name: str, other: str, *, is_clear: bool
) -> None:
    asked = Asked("GET", urlencode({name: "1", other: "2"}))
    if is_clear:
        assert asked.sent_query(name) == ["1"]
    else:
        with pytest.raises(UnreadableQuery, match="some applications"):
            asked.sent_query(name)


def test_a_path_without_conditions_does_not_look_at_the_query() -> None:
    assert isinstance(choice(rules({}), "to=%ff;&to=%zz"), Matched)


def test_a_header_is_named_in_letters_of_either_case() -> None:
    text = rules({"headers": {"X-Tenant": "acme"}})
    assert isinstance(choice(text, "", {"x-tenant": ("acme",)}), Matched)
    for sent, reason in (((), "condition_not_mapped"), (("b",), "condition_not_mapped"),
                         (("acme", "b"), "mapping_failed")):  # fmt: skip
        found = choice(text, "", {"x-tenant": sent})
        assert not isinstance(found, Matched)
        assert found.reason.value == reason


@pytest.mark.parametrize(
    ("one", "other", "ties"),
    [
        ({}, {}, True),
        ({"query": {"a": "1"}}, {"query": {"a": "1"}}, True),
        ({"query": {"a": "1"}}, {"query": {"b": "1"}}, True),
        ({"query": {"a": "1"}}, {"headers": {"a": "1"}}, True),
        ({"query": {"a": "1"}}, {"query": {"a": "2"}}, False),
        ({"query": {"a": "1"}}, {"query": {"a": "*"}}, False),
        ({"query": {"a": "1"}}, {}, False),
    ],
)
def test_two_that_one_request_can_fulfil_and_neither_says_more_tie(
    one: Mapping[str, Any], other: Mapping[str, Any], *, ties: bool
) -> None:
    problems = refused(rules(one, other))
    assert bool(problems) is ties
    for problem in problems:
        assert "r0" in problem.message
        assert "r1" in problem.message


@given(st.text(alphabet="ab=&%;2cfF+", max_size=12))
def test_a_query_is_read_or_refused_and_nothing_else(query: str) -> None:
    try:
        found = Asked("GET", query).query
    except UnreadableQuery:
        return
    assert ";" not in query
    assert sum(map(len, found.values())) == len([pair for pair in query.split("&") if pair])
