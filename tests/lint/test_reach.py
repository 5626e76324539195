"""What an access rule plainly says it has, it is seen to reach."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.lint.access_rules import AccessRule, OathkeeperConfig, read_access_rules
from authorizer.lint.foreign import load_foreign
from authorizer.lint.reach import explore
from authorizer.routing.compile import compile_rules
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from authorizer.routing.table import RouteTable

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
# A segment of a route, and what an access rule may say in its place.
PLACES = st.sampled_from(
    [
        ("docs", ("docs", "<docs|notes>", "<[^/]+>", "<.*>")),
        ("notes", ("notes", "<docs|notes>", "<[^/]+>", "<.*>")),
        ("{%s}", ("<[^/]+>", "<acme|globex>", "<[a-z]{3,8}>", "<.*>", "<(?!x)[^/]+>")),
        ("{%s:int}", ("<[0-9]+>", r"<\d{2}>", "<[^/]+>", "<.+>")),
        ("{%s:uuid}", (f"<{UUID}>", "<[^/]+>", "<[0-9a-f-]+>")),
        ("{%s:slug}", ("<[a-z-]+>", "<[^/]+>")),
        ("{%s}:move", ("<[^/]+>:move", "<[^:]+:(?:move|copy)>", "<.*>")),
    ]
)
PAIRS = st.lists(
    PLACES.flatmap(lambda place: st.tuples(st.just(place[0]), st.sampled_from(place[1]))),
    max_size=5,
)
PREFIX = st.sampled_from(["https://api.test/", "<https?>://<api|www>.test/", "http://<[^/]+>:80/"])


def table(*paths: str, method: str = "GET") -> RouteTable:
    routes = [
        {"id": f"r{number}", "match": {"path": path, "methods": [method]}, "effect": "allow"}
        for number, path in enumerate(paths)
    ]
    return compile_rules([load_yaml(json.dumps({"version": 1, "routes": routes}), "rules")])


def access_rules(*urls: str) -> tuple[AccessRule, ...]:
    rules = [
        {
            "id": f"a{number}",
            "match": {"url": url, "methods": ["GET"]},
            "authorizer": {"handler": "remote_json"},
        }
        for number, url in enumerate(urls)
    ]
    return read_access_rules(load_foreign(json.dumps(rules), "rules"), OathkeeperConfig(None))


@given(PREFIX, PAIRS)
def test_a_rule_made_for_a_route_reaches_it_and_is_covered(
    prefix: str, pairs: list[tuple[str, str]]
) -> None:
    path = "/" + "/".join(
        segment % f"c{number}" if "%" in segment else segment
        for number, (segment, _) in enumerate(pairs)
    )
    [rule] = access_rules(prefix + "/".join(text for _, text in pairs))
    reach = explore(table(path), [rule])
    assert reach.rules["r0"] == (rule,)
    assert reach.methods["r0"] == {"GET"}


@given(PAIRS)
def test_nothing_reaches_a_route_on_another_path(pairs: list[tuple[str, str]]) -> None:
    [rule] = access_rules("https://api.test/guarded/" + "/".join(text for _, text in pairs))
    reach = explore(table("/elsewhere", "/elsewhere/{id}/{rest...}"), [rule])
    assert set(reach.rules.values()) == {()}
    assert reach.uncovered[rule]


def test_a_more_specific_route_takes_its_urls_away() -> None:
    rules = access_rules("https://api.test/a/new")
    reach = explore(table("/a/{id}", "/a/new"), rules)
    assert (reach.rules["r0"], reach.rules["r1"]) == ((), rules)


@pytest.mark.parametrize("text", [*":@!$&'()*+,=~"])
def test_a_capture_with_text_is_reached_beside_a_plain_capture(text: str) -> None:
    rules = access_rules("https://api.test/payments/<[^/]+>")
    reach = explore(table("/payments/{id}", f"/payments/{{id}}{text}pay"), rules)
    assert (reach.rules["r0"], reach.rules["r1"]) == (rules, rules)


def test_a_rule_with_other_methods_lacks_those_of_the_route() -> None:
    rules = access_rules("https://api.test/a", "https://api.test/b")
    reach = explore(table("/a", "/{other}", method="POST"), rules)
    assert set(reach.rules.values()) == {()}
    assert (reach.lacking["r0"], reach.lacking["r1"]) == (rules[:1], rules[1:])


def test_each_alternative_of_a_pattern_is_a_space_of_its_own() -> None:
    [rule] = access_rules("https://api.test/<users|teams|health>/<.*>")
    reach = explore(table("/users/{id}", "/health/{rest...}"), [rule])
    assert [prefix.path for prefix in reach.uncovered[rule]] == ["/teams/"]


def test_a_rule_for_everything_is_not_asked_to_be_covered() -> None:
    for url in ("https://api.test/<.*>", "https://api.test<.*>", "<.*>", "<.*>://<[^/]*>/<.*>"):
        [rule] = access_rules(url)
        assert explore(table("/a"), [rule]).uncovered[rule] == (), url
