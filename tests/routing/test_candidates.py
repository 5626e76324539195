"""Every route that came near a request is named, with why it lost."""

from __future__ import annotations

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from routing.oracle import Rule
from routing.rulebook import ask, compiled, refused, rule_file

from authorizer.model import Reason
from authorizer.routing.asked import Asked
from authorizer.routing.candidates import Candidate, Verdict, candidates
from authorizer.routing.reading import Address, locate
from authorizer.routing.table import Matched, RouteTable, Unmatched

SAYS_KEEP = frozenset({"encoded_slash: keep"})
STRICT_SLASH = frozenset({"trailing_slash: strict"})


def found(table: RouteTable, path: str, method: str, host: str) -> tuple[Candidate, ...]:
    address = locate(f"http://{host}{path}")
    assert isinstance(address, Address)
    answer = ask(table, path, method, f"http://{host}")
    return candidates(table, address, Asked(method, address.query), answer)


def verdicts(
    rules: list[Rule], path: str, method: str = "GET", host: str = "api.acme.test"
) -> list[tuple[str, str]]:
    table = compiled(rule_file(*rules))
    return [(c.route.id, c.verdict.value) for c in found(table, path, method, host)]


def details(rules: list[Rule], path: str, method: str = "GET") -> list[str]:
    table = compiled(rule_file(*rules))
    return [candidate.detail for candidate in found(table, path, method, "api.acme.test")]


COLLECTION = Rule("collection", "/a/{id}", ("GET",))
EXACT = Rule("exact", "/a/b", ("GET",))


def test_the_owner_comes_first_and_says_what_the_broader_routes_lack() -> None:
    rules = [Rule("tail", "/{rest...}"), COLLECTION, EXACT]
    assert verdicts(rules, "/a/b") == [
        ("exact", "owns"),
        ("collection", "less_specific_path"),
        ("tail", "less_specific_path"),
    ]
    assert details(rules, "/a/b")[1:] == [
        "in segment 2, `b` of exact is more specific than `{id}`",
        "in segment 1, `a` of exact is more specific than `{rest...}`",
    ]


def test_a_pattern_is_shown_as_it_was_written() -> None:
    rules = [
        Rule("mixed", "/{x}.{y}"),
        Rule("int", "/{n:int}"),
        Rule("slug", "/{s:slug}"),
        Rule("regex", "/{r:/[0-9]+/}"),
    ]
    assert details(rules, "/7") == [
        "",
        "in segment 1, `{n:int}` of int is more specific than `{s:slug}`",
        "in segment 1, `{n:int}` of int is more specific than `{r:/[0-9]+/}`",
    ]
    below = [Rule("mixed", "/{x}:{y}"), Rule("any", "/{z}")]
    assert details(below, "/a:b")[1] == (
        "in segment 1, `{x}:{y}` of mixed is more specific than `{z}`"
    )


def test_a_route_of_the_owning_path_says_which_methods_it_maps() -> None:
    rules = [EXACT, Rule("write", "/a/b", ("POST", "PUT")), COLLECTION]
    assert verdicts(rules, "/a/b", "PUT")[0:2] == [
        ("exact", "method_not_mapped"),
        ("write", "owns"),
    ]
    assert verdicts(rules, "/a/b", "DELETE") == [
        ("exact", "method_not_mapped"),
        ("write", "method_not_mapped"),
        ("collection", "less_specific_path"),
    ]
    assert details(rules, "/a/b", "DELETE")[1] == "the methods that it maps are POST PUT"


def test_the_star_of_a_path_gives_way_to_what_maps_the_method_itself() -> None:
    rules = [EXACT, Rule("rest", "/a/b", ("*",))]
    assert verdicts(rules, "/a/b", "HEAD") == [("exact", "owns"), ("rest", "method_not_mapped")]
    assert details(rules, "/a/b")[1] == "another route of this path maps the method more closely"
    assert verdicts(rules, "/a/b", "POST") == [("exact", "method_not_mapped"), ("rest", "owns")]


def test_hosts_that_are_broader_or_other_are_named() -> None:
    rules = [
        Rule("one", "/a/b", hosts=("api.acme.test",)),
        Rule("wide", "/a/b", hosts=("*.acme.test",)),
        Rule("any", "/a/b"),
        Rule("other", "/a/b", hosts=("x.test", "*.y.test")),
    ]
    assert verdicts(rules, "/a/b") == [
        ("one", "owns"),
        ("wide", "less_specific_host"),
        ("any", "less_specific_host"),
        ("other", "other_host"),
    ]
    assert details(rules, "/a/b")[1:] == [
        "the host `api.acme.test` of one is more specific than `*.acme.test`",
        "the host `api.acme.test` of one is more specific than `*`",
        "it is only for the host `x.test` or `*.y.test`",
    ]


def test_a_reading_that_a_route_does_not_declare_is_named() -> None:
    """A broader route that declares the reading does not take the URL from it."""
    rules = [EXACT, COLLECTION, Rule("loose", "/{rest...}", says=SAYS_KEEP)]
    assert verdicts(rules, "/a/b%2Fc") == [
        ("collection", "reading_not_declared"),
        ("loose", "less_specific_path"),
    ]
    declared = "it would take the URL if it declared `encoded_slash: keep`"
    assert details(rules, "/a/b%2Fc")[0] == declared


def test_both_routes_that_contest_a_url_are_named() -> None:
    rules = [EXACT, Rule("page", "/a/{page}"), Rule("else", "/{x}/{y}")]
    assert verdicts(rules, "/a/B") == [
        ("exact", "contested"),
        ("page", "contested"),
        ("else", "less_specific_path"),
    ]
    assert details(rules, "/a/B")[:2] == [
        "by another reading, the URL is this route's",
        "as the URL is written, it is this route's",
    ]


def test_a_segment_that_can_be_cut_twice_is_the_routes_own_trouble() -> None:
    rules = [Rule("mixed", "/{x}.{y}"), Rule("any", "/{z}")]
    assert verdicts(rules, "/1.2.3") == [
        ("mixed", "cut_in_two_ways"),
        ("any", "less_specific_path"),
    ]


def test_where_no_path_fits_the_nearest_say_where_they_part() -> None:
    rules = [
        Rule("documents", "/orgs/{org}/documents/{id}"),
        Rule("move", "/orgs/{org}/documents/{id}/move"),
        Rule("slash", "/orgs/", says=STRICT_SLASH),
        Rule("elsewhere", "/people"),
        Rule("abroad", "/orgs/{org}/documents/{id}/x", hosts=("other.test",)),
    ]
    assert verdicts(rules, "/orgs/a/documentz/1") == [
        ("documents", "other_path"),
        ("move", "other_path"),
        ("slash", "other_path"),
    ]
    assert details(rules, "/orgs/a/documentz/1") == [
        "segment 3 of the URL, `documentz`, does not fit `documents`",
        "segment 3 of the URL, `documentz`, does not fit `documents`",
        "the URL goes on behind segment 1, where this path ends",
    ]
    assert "the URL ends before segment 3, `documents`" in details(rules, "/orgs/a")
    assert "the URL has no trailing slash, and here that is another path" in details(rules, "/orgs")
    assert verdicts(rules, "/elsewhere") == []


def test_a_trailing_slash_that_a_route_tells_apart_is_what_it_parts_by() -> None:
    rules = [Rule("strict", "/orgs", says=STRICT_SLASH)]
    assert details(rules, "/orgs/") == [
        "the URL has a trailing slash, and here that is another path"
    ]


def test_a_url_that_cannot_be_read_has_no_candidates() -> None:
    assert verdicts([EXACT], "/a/../b") == []


CONDITIONS = """
version: 1
routes:
  - {id: any, match: {path: /a, methods: [GET]}, effect: allow}
  - {id: to, match: {path: /a, methods: [GET], query: {to: "*"}}, effect: allow}
  - id: both
    match: {path: /a, methods: [GET], query: {to: "1"}, headers: {x-tenant: acme}}
    effect: allow
  - {id: only, match: {path: /b, methods: [GET], query: {to: "*"}}, effect: allow}
"""


def conditional(path: str, **headers: str) -> dict[str, tuple[str, str]]:
    table = compiled(CONDITIONS)
    address = locate(f"http://api.acme.test{path}")
    assert isinstance(address, Address)
    sent = {name.replace("_", "-"): (value,) for name, value in headers.items()}
    answer = table.match(address, "GET", sent)
    near = candidates(table, address, Asked("GET", address.query, sent), answer)
    return {candidate.route.id: (candidate.verdict.value, candidate.detail) for candidate in near}


def test_conditions_that_do_not_hold_are_named() -> None:
    assert conditional("/b") == {
        "only": ("condition_not_mapped", "it is only for requests with `query.to`")
    }
    assert conditional("/a")["both"] == (
        "condition_not_mapped",
        "it is only for requests with `headers.x-tenant is acme` and `query.to is 1`",
    )
    assert conditional("/a?to=1")["both"] == (
        "condition_not_mapped",
        "it is only for requests with `headers.x-tenant is acme`",
    )
    assert conditional("/a?to=1")["to"] == ("owns", "")


def test_a_route_with_more_conditions_wins_over_those_that_hold_too() -> None:
    found = conditional("/a?to=1", x_tenant="acme")
    more = ("condition_not_mapped", "another route of this path has more conditions that hold")
    assert found == {"both": ("owns", ""), "to": more, "any": more}


def test_what_is_sent_twice_leaves_conditions_open() -> None:
    found = conditional("/b?to=1&to=2")
    assert found["only"][0] == "condition_not_mapped"
    assert found["only"][1].startswith("nobody can say whether its conditions hold: ")


HOSTS = ("api.acme.test", "*.acme.test")
SEGMENTS = ("a", "b", "{p}", "{n:int}", "{p}.{q}")
PARTS = ("a", "b", "A", "7", "a.b", "1.2.3", "x%2Fy", "", "%61", "c")
PATHS = st.lists(st.sampled_from(PARTS), max_size=3).map(lambda parts: "/" + "/".join(parts))


@st.composite
def a_rule(draw: st.DrawFn, number: int) -> Rule:
    pieces = draw(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=3))
    named = [
        piece.replace("{p}", f"{{p{n}}}").replace("{q}", f"{{q{n}}}").replace("{n:", f"{{n{n}:")
        for n, piece in enumerate(pieces)
    ]
    return Rule(
        id=f"r{number}",
        path="/" + "/".join([*named, draw(st.sampled_from(["", "{t...}", "c"]))]),
        methods=draw(st.sampled_from([("GET",), ("*",), ("POST", "HEAD")])),
        hosts=tuple(sorted(draw(st.sets(st.sampled_from(HOSTS), max_size=1)))),
        says=draw(st.sampled_from([frozenset[str](), SAYS_KEEP, STRICT_SLASH])),
    )


@st.composite
def rule_sets(draw: st.DrawFn) -> list[Rule]:
    return [draw(a_rule(number)) for number in range(draw(st.integers(1, 6)))]


LOST = {Verdict.UNDECLARED, Verdict.OTHER_HOST, Verdict.OTHER_PATH}


@given(rule_sets(), PATHS, st.sampled_from(["GET", "HEAD", "POST"]))
@settings(max_examples=400, deadline=None)
def test_the_slow_look_at_every_route_agrees_with_the_table(
    rules: list[Rule], path: str, method: str
) -> None:
    """Exactly the owner owns; it is the most specific; nobody else could have been."""
    text = rule_file(*rules)
    assume(not refused(text))
    table = compiled(text)
    answer = ask(table, path, method)
    near = found(table, path, method, "api.acme.test")
    owners = [candidate.route for candidate in near if candidate.verdict is Verdict.OWNS]
    able = [candidate for candidate in near if candidate.verdict not in LOST]
    if isinstance(answer, Matched):
        assert owners == [answer.route]
        ahead = able[: [candidate.verdict for candidate in able].index(Verdict.OWNS)]
        assert {candidate.verdict for candidate in ahead} <= {Verdict.OTHER_METHOD}
    else:
        assert owners == []
        if answer.reason is Reason.NO_ROUTE:
            assert able == []
        if answer.reason is Reason.METHOD_NOT_MAPPED:
            assert able[0].verdict is Verdict.OTHER_METHOD
        assert {route.id for route in answer.near} <= {candidate.route.id for candidate in near}
    assert len({candidate.route.id for candidate in near}) == len(near)


def test_an_answer_that_names_nobody_is_explained_all_the_same() -> None:
    """A reason of the table's that says nothing of routes leaves the most specific one to blame."""
    table = compiled(rule_file(EXACT, COLLECTION))
    address = locate("http://api.acme.test/a/b")
    assert isinstance(address, Address)
    nobody = Unmatched(Reason.CONDITION_NOT_MAPPED, "")
    near = candidates(table, address, Asked("GET"), nobody)
    assert [candidate.verdict for candidate in near] == [
        Verdict.OTHER_CONDITION,
        Verdict.LESS_SPECIFIC_PATH,
    ]
