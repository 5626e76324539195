"""The most specific path owns a request, in any order; who could be meant twice is refused."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from routing.oracle import Rule, verdict
from routing.rulebook import HOST, answer, ask, captures, compiled, refused, rule_file

from authorizer.model import Reason
from authorizer.routing.table import Matched, Unmatched

if TYPE_CHECKING:
    import random


def table_answers(rules: list[Rule], path: str, method: str = "GET", host: str = HOST) -> str:
    return answer(compiled(rule_file(*rules) if rules else rule_file()), path, method, host)


def routes(*paths: str, says: str = "") -> list[Rule]:
    keys = frozenset(filter(None, [says]))
    return [Rule(f"r{n}", path, says=keys if n == 0 else frozenset()) for n, path in
            enumerate(paths)]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/x/a", "literal"),
        ("/x/a:go", "mixed"),
        ("/x/7", "int"),
        ("/x/007", "ambiguous_url"),
        ("/x/0189f7e2-9c3b-7d44-8000-0123456789ab", "uuid"),
        ("/x/a-b", "slug"),
        ("/x/-ABC-", "regex"),
        ("/x/%C3%A9", "any"),
        ("/x/%C3%A9/b", "tail"),
        ("/x/a/b/c", "tail"),
        ("/x", "no_route"),
        ("/x/", "no_route"),
        ("/y/a", "no_route"),
        ("/", "no_route"),
    ],
)
def test_the_most_specific_segment_wins(path: str, expected: str) -> None:
    paths = {
        "any": "/x/{i}", "tail": "/x/{i...}", "literal": "/x/a", "mixed": "/x/{i}:go",
        "int": "/x/{i:int}", "uuid": "/x/{i:uuid}", "slug": "/x/{i:slug}", "regex": "/x/{i:/-.*-/}",
    }  # fmt: skip
    assert table_answers([Rule(name, path) for name, path in paths.items()], path) == expected


@pytest.mark.parametrize(("literal", "path"), [("/x/{n:int}", "/x/007"), ("/x/Admin", "/x/admin")])
def test_what_one_host_alone_has_makes_a_url_ambiguous_there(literal: str, path: str) -> None:
    here, other = "api.acme.test", "www.acme.test"
    rules = [Rule("one", literal, hosts=(here,)), Rule("any", "/x/{i}", hosts=(here, other))]
    assert table_answers(rules, path) == "ambiguous_url"
    assert table_answers(rules, path, host=f"http://{other}") == "any"


def test_segments_are_compared_from_the_left() -> None:
    rules = [Rule("left", "/a/{x}/{y}"), Rule("right", "/{x}/b/c"), Rule("tail", "/a/{x...}")]
    assert table_answers(rules, "/a/b/c") == "left"
    assert table_answers(rules, "/a/b") == "tail"
    assert table_answers(rules, "/z/b/c") == "right"


def test_a_more_specific_beginning_that_leads_nowhere_leaves_the_path_to_others() -> None:
    rules = [Rule("far", "/a/b/c"), Rule("near", "/{x}/b/d"), Rule("int", "/{n:int}/q")]
    assert table_answers(rules, "/a/b/d") == "near"
    assert table_answers([*rules, Rule("any", "/{x}/{y}")], "/7/z") == "any"


# ---------------------------------------------------------------- hosts


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("http://api.acme.test", "/a", "exact"),
        ("http://API.ACME.TEST.:81", "/a", "exact"),
        ("http://api.acme.test", "/b", "long"),
        ("http://api.acme.test", "/c", "short"),
        ("http://api.acme.test", "/d", "any"),
        ("http://x.acme.test", "/a", "long"),
        ("http://x.y.acme.test", "/a", "long"),
        ("http://acme.test", "/a", "short"),
        ("http://test", "/a", "any"),
        ("http://xacme.test", "/b", "short"),
        ("http://[::1]", "/a", "any"),
        ("http://api.acme.test", "/e", "no_route"),
    ],
)
def test_the_most_specific_host_wins_and_falls_through_where_it_has_no_such_path(
    host: str, path: str, expected: str
) -> None:
    rules = [
        Rule("any", "/{x:/[abcd]/}"),
        Rule("short", "/{x:/[abc]/}", hosts=("*.test",)),
        Rule("long", "/{x:/[ab]/}", hosts=("*.Acme.test",)),
        Rule("exact", "/{x:/[a]/}", hosts=("api.acme.test",)),
    ]
    assert table_answers(rules, path, host=host) == expected


def test_a_host_that_owns_the_path_owns_it_for_every_method() -> None:
    rules = [Rule("any", "/a", ("*",)), Rule("own", "/a", ("GET",), ("api.acme.test",))]
    assert table_answers(rules, "/a", "POST") == "method_not_mapped"


# ---------------------------------------------------------------- methods


def test_methods_of_one_path_add_up_and_head_follows_get() -> None:
    rules = [
        Rule("read", "/a/{id}", ("GET",)),
        Rule("write", "/a/{key}", ("PUT", "PATCH")),
        Rule("rest", "/b", ("*",)),
        Rule("get", "/b", ("GET",)),
        Rule("head", "/b", ("HEAD",)),
    ]
    table = compiled(rule_file(*rules))
    asked = {(path, method): answer(table, path, method) for path in ("/a/1", "/b") for method in
             ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "get", "", "*")}  # fmt: skip
    assert asked["/a/1", "GET"] == asked["/a/1", "HEAD"] == "read"
    assert asked["/a/1", "PUT"] == asked["/a/1", "PATCH"] == "write"
    assert {asked["/a/1", m] for m in ("DELETE", "OPTIONS", "get", "", "*")} == {
        "method_not_mapped"
    }
    assert (asked["/b", "GET"], asked["/b", "HEAD"]) == ("get", "head")
    assert {asked["/b", m] for m in ("PUT", "DELETE", "OPTIONS", "", "*")} == {"rest"}
    # An application that reads it as GET would serve what another route is about.
    assert asked["/b", "get"] == "method_not_mapped"


def test_head_follows_get_before_the_rest_takes_it() -> None:
    assert table_answers([Rule("g", "/a"), Rule("rest", "/a", ("*",))], "/a", "HEAD") == "g"


def test_a_method_that_is_not_mapped_is_never_a_broader_routes() -> None:
    rules = [Rule("item", "/a/{id:int}"), Rule("broad", "/a/{x...}", ("*",))]
    table = compiled(rule_file(*rules))
    assert answer(table, "/a/7", "DELETE") == "method_not_mapped"
    assert answer(table, "/a/x", "DELETE") == "broad"


@pytest.mark.parametrize(
    ("extra", "method", "expected", "is_preflight"),
    [
        ("", "OPTIONS", "cors", True),
        ("", "GET", "item", False),
        ("", "POST", "method_not_mapped", False),
        ("OPTIONS", "OPTIONS", "mapped", False),
        ('"*"', "OPTIONS", "cors", True),
        ('"*"', "POST", "mapped", False),
    ],
)
def test_preflight_lets_options_pass_unless_it_is_mapped(
    extra: str, method: str, expected: str, *, is_preflight: bool
) -> None:
    text = """
    version: 1
    routes:
      - {id: cors, match: {path: "/a/{id}"}, preflight: allow}
      - {id: item, match: {path: "/a/{x}", methods: [GET]}, effect: deny}
    """
    if extra:
        text += f'  - {{id: mapped, match: {{path: "/a/{{y}}", methods: [{extra}]}}, effect: deny}}'
    table = compiled(text)
    found = ask(table, "/a/1", method)
    assert answer(table, "/a/1", method) == expected
    assert isinstance(found, Unmatched) or found.preflight is is_preflight


def test_preflight_on_a_route_that_asks_leaves_its_other_methods_alone() -> None:
    table = compiled("""
    version: 1
    defaults: {preflight: allow}
    routes:
      - {id: a, match: {path: /a, methods: [GET]}, effect: deny}
    """)
    options, get = ask(table, "/a", "OPTIONS"), ask(table, "/a", "GET")
    assert isinstance(options, Matched)
    assert isinstance(get, Matched)
    assert (options.preflight, get.preflight) == (True, False)


# ---------------------------------------------------------------- trailing slashes


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ([Rule("a", "/a")], "/a/", "a"),
        ([Rule("a", "/a/")], "/a/", "a"),
        ([Rule("a", "/a/")], "/a", "no_route"),
        ([Rule("a", "/a"), Rule("b", "/a/")], "/a", "a"),
        ([Rule("a", "/a"), Rule("b", "/a/")], "/a/", "ambiguous_url"),
        ([Rule("a", "/a"), Rule("b", "/{x}/")], "/a/", "ambiguous_url"),
        ([Rule("a", "/a/b"), Rule("t", "/a/{x...}")], "/a/b/", "ambiguous_url"),
        ([Rule("t", "/a/{x...}")], "/a/b/", "t"),
        ([Rule("t", "/a/{x...}")], "/a/", "no_route"),
        ([Rule("a", "/a", says=frozenset({"trailing_slash: strict"}))], "/a/", "no_route"),
        ([Rule("a", "/a", says=frozenset({"trailing_slash: strict"}))], "/a", "a"),
        ([Rule("a", "/a", says=frozenset({"trailing_slash: ignore"})), Rule("b", "/a/")],
         "/a/", "a"),
        ([Rule("a", "/a"), Rule("b", "/a/", says=frozenset({"trailing_slash: strict"}))],
         "/a/", "b"),
        ([Rule("a", "/a", says=frozenset({"trailing_slash: strict"})), Rule("b", "/a/")],
         "/a/", "b"),
        # one says that there is no difference, the other that there is: somebody is wrong
        ([Rule("a", "/a", says=frozenset({"trailing_slash: ignore"})),
          Rule("b", "/a/", says=frozenset({"trailing_slash: strict"}))], "/a/", "ambiguous_url"),
        # the other case of it is another's, with the slash
        ([Rule("a", "/a/", says=frozenset({"trailing_slash: strict"})),
          Rule("b", "/A/", says=frozenset({"trailing_slash: strict"}))], "/a/", "ambiguous_url"),
        ([Rule("root", "/")], "/", "root"),
        ([Rule("root", "/")], "//", "ambiguous_url"),
    ],
)  # fmt: skip
def test_a_trailing_slash_is_dropped_unless_another_route_owns_it(
    rules: list[Rule], path: str, expected: str
) -> None:
    assert table_answers(rules, path) == expected
    assert verdict(rules, "api.acme.test", path, "GET") == expected


# ---------------------------------------------------------------- other plausible readings


@pytest.mark.parametrize(
    ("mine", "other", "path", "says"),
    [
        # literals compared undecoded, as Express does
        ("/admin", "/{x}", "/%61dmin", ""),
        ("/a/b", "/a/{x}", "/a/%62", ""),
        ("/{x}:go", "/{x}", "/a%3Ago", ""),
        ("/{x:int}", "/{x}", "/%37", ""),
        ("/{x:slug}", "/{x}", "/%61", ""),
        ("/{x:/a+/}", "/{x}", "/%61", ""),
        ("/admin/{x:int}", "/{y}/{x:int}", "/%61dmin/%37", ""),
        # case folded
        ("/{x}", "/admin", "/Admin", "case: strict"),
        ("/admin", "/Admin", "/admin", "case: strict"),
        ("/{x}/a", "/Admin/{y}", "/admin/a", "case: strict"),
        ("/{x}", "/{x}:go", "/a:GO", "case: strict"),
        ("/{x}", "/{x}:Go", "/a:go", "case: strict"),
        ("/{x}:go", "/{x}:Go", "/a:go", "case: strict"),
        ("/{x}:Go", "/{x}:go", "/a:Go", "case: strict"),
        ("/{x}:Go", "/b{x}:go", "/ba:Go", "case: strict"),
        ("/A/x", "/a/{x}", "/A/x", "case: strict"),
        ("/{x}", "/{x:slug}", "/ABC", "case: strict"),
        ("/{x}", "/{x:/[a-c]+/}", "/ABC", "case: strict"),
        ("/{x}", "/{x:/[A-C]+/}", "/abc", "case: strict"),
        ("/{x}", "/stra\u00dfe", "/STRASSE", "case: strict"),
        ("/{x}", "/k", "/%E2%84%AA", "case: strict"),
        # a suffix dropped
        ("/{x}", "/admin", "/admin.json", "suffix: strict"),
        ("/{x}", "/{x:int}", "/7.json", "suffix: strict"),
        ("/a/{x...}", "/a/b", "/a/b.x", "suffix: strict"),
        ("/{x}", "/admin", "/admin%2Ejson", "suffix: strict"),
        ("/{x}", "/admin", "/admin.json/", "suffix: strict"),
        # a tail that may hold nothing, as in ServeMux and Starlette
        ("/{x}", "/f/{y...}", "/f/", "trailing_slash: ignore"),
        ("/{x}", "/F/{y...}", "/f/", "trailing_slash: ignore"),
        ("/{x}/{y}", "/f/{y}/{z...}", "/f/a/", "trailing_slash: ignore"),
        # values that are not canonical, as in Starlette
        ("/{x}", "/{x:int}", "/007", ""),
        ("/{x}", "/{x:int}", "/12345678901234567890", ""),
        ("/{x}", "/{x:int}", "/+7", ""),
        ("/{x}", "/{x:int}", "/-7", ""),
        ("/{x}", "/{x:int}", "/7%20", ""),
        ("/{x}", "/{x:int}", "/007.json", ""),
        ("/{x}", "/{x:uuid}", "/0189f7e29c3b7d4480000123456789ab", ""),
        ("/{x}", "/{x:uuid}", "/0189F7E2-9c3b7d44-8000-0123456789ab", ""),
        ("/{x}", "/{x:uuid}", "/%7B0189f7e2-9c3b-7d44-8000-0123456789ab%7D", ""),
        ("/{y}/{x}", "/Admin/{x:int}", "/admin/007", ""),
        # more than one at once
        ("/{x}", "/admin", "/ADMIN.json", "suffix: strict"),
        ("/{x}", "/admin", "/ADMIN.json", "case: strict"),
        ("/{y}/{x}", "/admin/{x:int}", "/%61dmin/%37.json", "suffix: strict"),
    ],
)
def test_a_url_that_another_plausible_reading_gives_to_another_route_is_refused(
    mine: str, other: str, path: str, says: str
) -> None:
    assert table_answers(routes(mine, other), path) == "ambiguous_url"
    assert verdict(routes(mine, other), "api.acme.test", path, "GET") == "ambiguous_url"
    assert table_answers(routes(mine), path) == "r0"
    detail = ask(compiled(rule_file(*routes(mine, other))), path)
    assert isinstance(detail, Unmatched)
    assert "r0" in detail.detail
    assert "r1" in detail.detail
    if says:
        assert table_answers(routes(mine, other, says=says), path) == "r0"


@pytest.mark.parametrize(
    ("mine", "other", "path", "says"),
    [
        ("/{x}", "/admin", "/admin;x", "matrix_parameters: keep"),
        ("/{x}", "/admin", "/admin%3Bx", "matrix_parameters: keep"),
        ("/{x}", "/admin", "/admin;x;y", "matrix_parameters: keep"),
        ("/{x}", "/{x:int}", "/7;x;y", "matrix_parameters: keep"),
        ("/{x...}", "/admin/a", "/admin;v=1/a;w", "matrix_parameters: keep"),
        ("/{x...}", "/admin/a", "/admin//a", "empty_segments: allow"),
        ("/{x...}", "/admin", "//admin", "empty_segments: allow"),
        ("/{x...}", "/admin", "//ADMIN.json", "empty_segments: allow"),
    ],
)
def test_a_loosened_reading_is_refused_where_a_stricter_application_would_see_another_route(
    mine: str, other: str, path: str, says: str
) -> None:
    assert table_answers(routes(mine, other, says=says), path) == "ambiguous_url"
    assert table_answers(routes(mine, says=says), path) == "r0"
    assert table_answers(routes(mine), path) == "ambiguous_url"


def test_a_reading_that_is_ruled_out_does_not_rule_out_the_others() -> None:
    rules = routes("/{x}", "/admin.json", says="suffix: strict")
    assert table_answers(rules, "/ADMIN.json") == "ambiguous_url"


# ---------------------------------------------------------------- loosened readings


@pytest.mark.parametrize(
    ("rules", "path", "expected"),
    [
        ([Rule("k", "/f/{x}", says=frozenset({"encoded_slash: keep"}))], "/f/a%2Fb", "k"),
        ([Rule("s", "/f/{x}/{y}", says=frozenset({"encoded_slash: split"}))], "/f/a%2Fb", "s"),
        ([Rule("k", "/f/{x}", says=frozenset({"encoded_slash: split"}))], "/f/a%2Fb",
         "ambiguous_url"),
        # both may be meant
        ([Rule("k", "/f/{x}", says=frozenset({"encoded_slash: keep"})),
          Rule("s", "/f/{x}/{y}", says=frozenset({"encoded_slash: split"}))], "/f/a%2Fb",
         "ambiguous_url"),
        # what nobody declared does not count
        ([Rule("k", "/f/{x}", says=frozenset({"encoded_slash: keep"})), Rule("s", "/f/{x}/{y}")],
         "/f/a%2Fb", "k"),
        # … also where it could be read in two ways
        ([Rule("k", "/f/{x}", says=frozenset({"encoded_slash: keep"})), Rule("s", "/f/{x}/b"),
          Rule("t", "/f/{x}/{y}")], "/f/a%2F%62", "k"),
        ([Rule("k", "/f/{x}", says=frozenset({"encoded_slash: keep"})), Rule("s", "/f/{x}/b"),
          Rule("t", "/f/{x}/b/")], "/f/a%2Fb/", "k"),
        # the most specific path owns it, also where a broader one would permit it
        ([Rule("k", "/f/{x}"), Rule("t", "/{x...}", says=frozenset({"encoded_slash: keep"}))],
         "/f/a%2Fb", "ambiguous_url"),
        ([Rule("e", "/f/{x...}", says=frozenset({"empty_segments: allow"}))], "/f/a//b", "e"),
        ([Rule("e", "/f/{x...}")], "/f/a//b", "ambiguous_url"),
        ([Rule("m", "/f/{x}", says=frozenset({"matrix_parameters: keep"}))], "/f/a;b", "m"),
        ([Rule("m", "/f/{x}")], "/f/a;b", "ambiguous_url"),
        ([], "/f/a;b", "ambiguous_url"),
        ([], "/f/a", "no_route"),
        # every need must be met
        ([Rule("m", "/f/{x}", says=frozenset({"matrix_parameters: keep"}))], "/f/a%2Fb;c",
         "ambiguous_url"),
        ([Rule("m", "/f/{x}", says=frozenset({"matrix_parameters: keep", "encoded_slash: keep"}))],
         "/f/a%2Fb;c", "m"),
    ],
)  # fmt: skip
def test_a_loosened_reading_counts_for_the_route_that_declares_it(
    rules: list[Rule], path: str, expected: str
) -> None:
    assert table_answers(rules, path) == expected
    assert verdict(rules, "api.acme.test", path, "GET") == expected


def test_what_would_help_is_said() -> None:
    found = ask(compiled(rule_file(Rule("k", "/f/{x}"))), "/f/a%2Fb;c")
    assert isinstance(found, Unmatched)
    assert "`encoded_slash: keep` and `matrix_parameters: keep`" in found.detail
    assert "route k" in found.detail
    assert "a%2Fb" not in found.detail


@pytest.mark.parametrize(
    ("rules", "path", "detail", "near"),
    [
        ([], "/f/a;b", "the path has a semicolon", []),
        ([Rule("k", "/f/{x}", says=frozenset({"encoded_slash: keep"}))], "/f/a%2Fb;c",
         "the path has a semicolon; route k would own it if it declared `matrix_parameters: keep`",
         ["k"]),
        ([], "/f", "no route has this host and path", []),
        ([], "/f/..", "the path has a dot segment (. or ..)", []),
        (routes("/{a}.{b}"), "/1.2.3",
         "route r0: a segment can be cut into its captures in two ways", ["r0"]),
        (routes("/a/", "/a"), "/a/",
         "the URL is route r0's, but without its trailing slash it would be route r1's",
         ["r0", "r1"]),
        ([Rule("k", "/f/{x}", says=frozenset({"encoded_slash: keep"})),
          Rule("s", "/f/{x}/{y}", says=frozenset({"encoded_slash: split"}))], "/f/a%2Fb",
         "the URL is route k's, but read in another permitted way it would be route s's",
         ["k", "s"]),
        (routes("/{x}", "/admin"), "/Admin",
         "the URL is route r0's, but with letters of the other case it would be route r1's",
         ["r0", "r1"]),
    ],
)  # fmt: skip
def test_a_refusal_says_only_what_is_missing_and_whose_the_url_nearly_was(
    rules: list[Rule], path: str, detail: str, near: list[str]
) -> None:
    found = ask(compiled(rule_file(*rules)), path)
    assert isinstance(found, Unmatched)
    assert found.detail == detail
    assert [route.id for route in found.near] == near


def test_a_refusal_names_every_step_of_the_reading_that_it_is_for() -> None:
    found = ask(compiled(rule_file(*routes("/{x}", "/admin"))), "/ADMIN.json")
    assert isinstance(found, Unmatched)
    assert "without its suffix and with letters of the other case it would be" in found.detail


CONDITIONAL = json.dumps({
    "version": 1,
    "routes": [
        {"id": f"r{n}", "effect": "allow",
         "match": {"path": "/a", "methods": ["GET"], "query": {"to": value}}}
        for n, value in enumerate(["x", "y"])
    ],
})  # fmt: skip


@pytest.mark.parametrize(
    ("url", "method", "reason", "detail", "near"),
    [
        ("/a?to=x", "POST", Reason.METHOD_NOT_MAPPED, "no route of /a maps this method",
         ["r0", "r1"]),
        ("/a?to=z", "GET", Reason.CONDITION_NOT_MAPPED,
         "no route of /a that maps this method has its conditions fulfilled", ["r0", "r1"]),
        ("/a?to=x&to=x", "GET", Reason.MAPPING_FAILED,
         "route r1: the caller sent query.to twice", ["r1"]),
        ("/a?to=%zz", "GET", Reason.MAPPING_FAILED, "/a: query: ", ["r0", "r1"]),
    ],
)  # fmt: skip
def test_a_path_that_is_known_says_why_none_of_its_routes_is_the_requests(
    url: str, method: str, reason: Reason, detail: str, near: list[str]
) -> None:
    found = ask(compiled(CONDITIONAL), url, method)
    assert isinstance(found, Unmatched)
    assert found.reason is reason
    assert found.detail.startswith(detail)
    assert [route.id for route in found.near] == near


def test_only_options_that_nothing_maps_is_a_preflight() -> None:
    """HEAD is the same route's, as it follows GET; it is no preflight, which is not asked about."""
    match = {"path": "/a", "methods": ["GET"]}
    route = {"id": "a", "match": match, "effect": "deny", "preflight": "allow"}
    table = compiled(json.dumps({"version": 1, "routes": [route]}))
    for method, is_preflight in [("GET", False), ("HEAD", False), ("OPTIONS", True)]:
        found = ask(table, "/a", method)
        assert isinstance(found, Matched)
        assert found.preflight is is_preflight
        assert found.asked.method == method


def test_owners_come_as_they_are_asked_exact_hosts_first_and_then_the_longest_suffix() -> None:
    rules = [
        Rule("any", "/"),
        Rule("suffix", "/", hosts=("*.test",)),
        Rule("longer", "/", hosts=("*.acme.test",)),
        Rule("b", "/", hosts=("b.acme.test",)),
        Rule("a", "/", hosts=("a.acme.test",)),
    ]
    owners = compiled(rule_file(*rules)).owners()
    assert [owner.routes[0].id for owner in owners] == ["a", "b", "longer", "suffix", "any"]


EVERYTHING = frozenset({
    "encoded_slash: keep", "empty_segments: allow", "matrix_parameters: keep",
})  # fmt: skip


@pytest.mark.parametrize("path", ["/..", "/a/%2e%2e/b", "/a%2F..%2Fb", "/a%5Cb", "/a%252Fb"])
def test_nothing_loosens_what_no_route_can_permit(path: str) -> None:
    rules = [Rule("all", "/{x...}", ("*",), says=EVERYTHING), Rule("root", "/", says=EVERYTHING)]
    assert table_answers(rules, path) == "ambiguous_url"


# ---------------------------------------------------------------- captures


@pytest.mark.parametrize(
    ("pattern", "path", "says", "expected"),
    [
        ("/o/{org}/d/{id}", "/o/acme/d/%C3%A9%20x", {}, {"org": "acme", "id": "é x"}),
        ("/d/{id}:archive", "/d/7:archive", {}, {"id": "7"}),
        ("/v{major}/{a}.{b}", "/v2/x.y", {}, {"major": "2", "a": "x", "b": "y"}),
        ("/{n:int}", "/42", {}, {"n": "42"}),
        ("/{u:uuid}", "/0189F7E2-9C3B-7D44-8000-0123456789AB", {},
         {"u": "0189f7e2-9c3b-7d44-8000-0123456789ab"}),
        ("/{user-id}/{x.y}", "/a/b", {}, {"user-id": "a", "x.y": "b"}),
        ("/f/{name...}", "/f/a/b%20c/", {}, {"name": "a/b c"}),
        ("/f/{name...}", "/f/a/b/", {"trailing_slash": "strict"}, {"name": "a/b/"}),
        ("/f/{name...}", "/f/a%2Fb/c", {"encoded_slash": "keep"}, {"name": "a%2Fb/c"}),
        ("/f/{name...}", "/f/a%2fb/c", {"encoded_slash": "split"}, {"name": "a/b/c"}),
        ("/f/{name}", "/f/a%2fb", {"encoded_slash": "keep"}, {"name": "a/b"}),
        ("/f/{name...}", "/f/a//b", {"empty_segments": "allow"}, {"name": "a//b"}),
        ("/f/{name}", "/f/a;v=1", {"matrix_parameters": "keep"}, {"name": "a;v=1"}),
    ],
)  # fmt: skip
def test_captures_are_what_the_path_says_there(
    pattern: str, path: str, says: dict[str, str], expected: dict[str, str]
) -> None:
    assert captures(pattern, path, says) == expected


def test_a_value_that_can_be_cut_in_two_ways_is_refused_for_every_method() -> None:
    rules = [Rule("mixed", "/{a}.{b}", ("GET",)), Rule("any", "/{x}", ("*",))]
    table = compiled(rule_file(*rules))
    assert answer(table, "/1.2.3") == "ambiguous_url"
    # One way to cut, but not one that every application goes: Express does not.
    assert answer(table, "/1.2.") == "ambiguous_url"
    # What fits the mixed pattern is its own, cut or not.
    assert answer(table, "/1.2.3", "POST") == "method_not_mapped"


TAIL = "/f/{name...}"


@given(st.lists(st.sampled_from(["a", "%2F", "/", "%2f", "b", ";", "%3B", "F", "2", "%61"]),
                min_size=1, max_size=8).map("".join),
       st.lists(st.sampled_from(["a", "%2F", "/", "%2f", "b", ";", "%3B", "F", "2", "%61"]),
                min_size=1, max_size=8).map("".join))  # fmt: skip
@example("a%2Fb", "a/b")
@example("a%2F", "a/")
@settings(max_examples=300)
def test_two_different_paths_never_give_one_tail(one: str, other: str) -> None:
    says = frozenset({*EVERYTHING, "trailing_slash: strict"})
    table = compiled(rule_file(Rule("t", TAIL, says=says)))
    first, second = ask(table, f"/f/{one}"), ask(table, f"/f/{other}")
    assume(isinstance(first, Matched) and isinstance(second, Matched))
    assert isinstance(first, Matched)
    assert isinstance(second, Matched)
    if first.path["name"] == second.path["name"]:
        mine, theirs = first.reading, second.reading
        assert (mine.segments, mine.trailing_slash) == (theirs.segments, theirs.trailing_slash)


NAMES = st.text(alphabet="abXé :-~", min_size=1, max_size=5)


@given(st.lists(NAMES, min_size=3, max_size=6))
def test_captures_rebuild_the_path(segments: list[str]) -> None:
    assume("{" not in "".join(segments))
    assume(segments[1].count(":") == 0)
    path = f"/x/{segments[0]}:go:{segments[1]}/{'/'.join(segments[2:])}"
    assume(":go:" not in (segments[0] + ":go")[1:] and ":" not in segments[0])
    encoded = path.replace("é", "%C3%A9").replace(" ", "%20")
    found = captures("/x/{a}:go:{b}/{rest...}", encoded)
    assert f"/x/{found['a']}:go:{found['b']}/{found['rest']}" == path


# ---------------------------------------------------------------- against the oracle

SEGMENTS = (
    "a", "A", "b", "a.x", "{p}", "{p}", "{n:int}", "{s:slug}", "{p}:go", "{p}:Go", "{p}.{q}",
)  # fmt: skip
KEYS = (
    "encoded_slash: keep", "encoded_slash: split", "empty_segments: allow",
    "matrix_parameters: keep", "case: strict", "suffix: strict", "trailing_slash: strict",
    "trailing_slash: ignore",
)  # fmt: skip
HOSTS = ("api.acme.test", "*.acme.test", "*.test")


@st.composite
def rule_paths(draw: st.DrawFn) -> str:
    chosen = draw(st.lists(st.sampled_from(SEGMENTS), max_size=3))
    segments = [segment.replace("p}", f"p{n}}}").replace("q}", f"q{n}}}").replace("n:", f"n{n}:")
                .replace("s:", f"s{n}:") for n, segment in enumerate(chosen)]  # fmt: skip
    ending = draw(st.sampled_from(["", "", "", "/", "{t...}"]))
    if not segments and ending != "{t...}":
        return "/"
    return "/" + "/".join([*segments, ending] if ending else segments)


@st.composite
def rule_sets(draw: st.DrawFn) -> list[Rule]:
    count = draw(st.integers(1, 6))
    rules = []
    for number in range(count):
        says = draw(st.sets(st.sampled_from(KEYS), max_size=2)) if draw(st.booleans()) else set()
        keys = {key.split(":")[0]: key for key in says}
        rules.append(
            Rule(
                id=f"r{number}",
                path=draw(rule_paths()),
                methods=draw(st.sampled_from([("GET",), ("GET",), ("*",), ("POST", "HEAD")])),
                hosts=tuple(sorted(draw(st.sets(st.sampled_from(HOSTS), max_size=1)))),
                says=frozenset(keys.values()),
            )
        )
    return rules


PARTS = (
    "a", "A", "b", "%61", "a.x", "A.X", "x.y.z", "7", "07", "%37", "q:go", "q:GO", "q%3ago", ";v",
    "a;v", "a%2Fb", "a%2fa", "", ".x", "a.json", "%2e%2e",
)  # fmt: skip
PATHS = st.lists(st.sampled_from(PARTS), max_size=4).map(lambda parts: "/" + "/".join(parts))


@given(rule_sets(), st.lists(PATHS, min_size=1, max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=150)
def test_every_answer_is_the_slow_oracles_in_whatever_order_the_rules_come(
    rules: list[Rule], paths: list[str], dice: random.Random
) -> None:
    shuffled = rules.copy()
    dice.shuffle(shuffled)
    cut = dice.randint(0, len(rules))
    # An empty file has no routes; that is fine.
    files = [rule_file(*shuffled[:cut]), rule_file(*shuffled[cut:])]
    if problems := refused(rule_file(*rules)):
        assert len(refused(*files)) == len(problems)
        return
    one, other = compiled(rule_file(*rules)), compiled(*files)
    for path, method, host in itertools.product(
        paths, ("GET", "HEAD", "POST"), ("api.acme.test", "x.acme.test", "other.example")
    ):
        expected = verdict(rules, host, path, method)
        assert answer(one, path, method, f"http://{host}") == expected, (path, method, host)
        assert answer(other, path, method, f"http://{host}") == expected, (path, method, host)
