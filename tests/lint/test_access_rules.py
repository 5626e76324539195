"""Access rules are read in every form that they have, and held to what routes say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from lintfolder import PAYLOAD

if TYPE_CHECKING:
    from lintfolder import Folder

RULE = {
    "match": {"url": "https://api.test/documents/<[^/]+>", "methods": ["GET"]},
    "authenticators": [{"handler": "cookie_session"}],
    "authorizer": {"handler": "remote_json", "config": {"payload": PAYLOAD}},
    "upstream": {"url": "http://127.0.0.1:3000"},
}
MAESTER = {"apiVersion": "oathkeeper.ory.sh/v1alpha1", "kind": "Rule", "metadata": {"name": "one"}}
OTHER = {"apiVersion": "v1", "kind": "Service", "spec": {"match": {"url": "<.*>"}}}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rules.json", json.dumps([RULE | {"id": "one"}])),
        ("rules.yaml", json.dumps([RULE | {"id": "one"}], indent=1)),
        ("deep/rule.yaml", json.dumps(MAESTER | {"spec": RULE})),
        (
            "list.yaml",
            json.dumps({"apiVersion": "v1", "kind": "List", "items": [MAESTER | {"spec": RULE}]}),
        ),
        ("many.yaml", f"{json.dumps(OTHER)}\n---\n{json.dumps(MAESTER | {'spec': RULE})}\n---\n"),
    ],
)
def test_each_form_of_an_access_rule_reaches_its_route(
    folder: Folder, name: str, text: str
) -> None:
    folder.write(f"access-rules/{name}", text)
    folder.route("/documents/{id}")
    assert folder.codes() == []
    folder.route("/elsewhere/{id}")
    assert sorted(folder.codes()) == ["uncovered-space", "unreachable-route"]


def test_maester_spells_strip_path_in_its_own_way(folder: Folder) -> None:
    rule = RULE | {
        "match": {"url": "https://api.test/documents/<.*>", "methods": ["GET"]},
        "upstream": {"url": "http://127.0.0.1:3000", "stripPath": "/documents"},
    }
    folder.write("access-rules/one.yaml", json.dumps(MAESTER | {"spec": rule}))
    folder.route("/documents/{id}", encoded_slash="keep")
    assert folder.codes() == ["rewritten-path"]
    folder.route("/documents/{id}")
    assert folder.codes() == []


@pytest.mark.parametrize(
    ("url", "route", "codes"),
    [
        ("https://api.test/<.*>", "/a/{b}/{c:int}", []),
        ("https://api.test/<a|b>/<[0-9]+>", "/b/{id}", ["uncovered-space"]),
        ("https://api.test/<a|b>/<[0-9]+>", "/{x}/{id:int}", []),
        ("https://api.test/a/<[A-Z]{3}-[0-9]{2}>", "/a/{id}", []),
        ("https://api.test/a/<[0-9a-f-]{36}>", "/a/{id:uuid}", []),
        ("https://api.test/a/<[a-z]+>", "/a/{id:int}", ["uncovered-space", "unreachable-route"]),
        ("https://api.test/<(?!private/).*>", "/private/{id}", ["unreachable-route"]),
        ("https://api.test/<(?!private/).*>", "/public/{id}", []),
        ("https://api.test/a/<.+>:archive", "/a/{id}:archive", []),
        ("https://api.test/v<[12]>/things", "/v{major}/things", []),
        ("https://api.test/files/<.*>", "/files/{name...}", []),
        ("https://api.test/a/<(?<id>[0-9]+)>", "/a/{id}", []),
        ("https://api.test/a/<(?i)[a-f]+>", "/a/{id}", []),
        ("https://api.test/a/<[a-f]{2}>", "/a/{id:/[a-f]{2}/}", []),
        ("https://api.test/", "/", []),
    ],
)
def test_reach_is_seen_both_ways(folder: Folder, url: str, route: str, codes: list[str]) -> None:
    folder.access_rule(url)
    folder.route(route)
    assert sorted(folder.codes()) == codes


def test_hosts_and_methods_count(folder: Folder) -> None:
    folder.access_rule("https://api.test/a")
    folder.route("/a", hosts='["*.test"]')
    assert folder.codes() == []
    folder.route("/a", hosts='["other.test"]')
    assert sorted(folder.codes()) == ["uncovered-space", "unreachable-route"]
    folder.route("/a", methods="[GET, POST]")
    assert folder.codes() == ["unreachable-method"]
    folder.access_rule("https://api.test/a", methods="[HEAD]")
    folder.route("/a")
    assert folder.codes() == ["unreachable-method"]


def test_methods_are_compared_as_both_programs_do(folder: Folder) -> None:
    folder.access_rule("https://api.test/a", methods="[get, options]")
    for match in (
        {},
        {"methods": '["*"]'},
        {"setting": "preflight: allow"},
        {"methods": "[OPTIONS]"},
    ):
        folder.route("/a", **match)
        assert folder.codes() == [], match
    folder.access_rule("https://api.test/a", methods="[options]")
    folder.route("/a")
    assert folder.codes() == ["unreachable-route"]
    folder.route("/a", setting="preflight: allow")
    assert folder.codes() == ["unreachable-method"]


def test_globs_are_read_where_oathkeeper_says_so(folder: Folder) -> None:
    folder.write(
        "oathkeeper.yml",
        """\
        access_rules: {matching_strategy: glob}
        authenticators: {cookie_session: {enabled: true, config: {extra_from: "@this"}}}
        authorizers: {remote_json: {enabled: true, config: {retry: {give_up_after: 10ms}}}}
        """,
    )
    folder.access_rule("https://api.test/<{a,b}>/<*>")
    folder.route("/{x}/{id:int}")
    assert folder.codes() == []
    folder.route("/a/{id}/more")
    assert sorted(folder.codes()) == ["uncovered-space"] * 2 + ["unreachable-route"]
    folder.access_rule("https://api.test/a/<**>")
    assert folder.codes() == []


@pytest.mark.parametrize(
    ("url", "is_chosen"),
    [
        ("https://api.test/a", False),
        ("https://api.test:8443/a", False),
        ("<https|http>://api.test/a", False),
        ("https://<api|www>.test/a", False),
        (r"https://<api\.test|localhost>/a", False),
        ("https://<[^/]+>/a", True),
        ("<.*>://<.*>/a", True),
        ("https://api.test<.*>/a", True),
        ("https://<api.test>/a", True),
        ("https://<[a-z]+>/a", True),
        ("https://<[a-z]+>.test/a", False),
        ("<.*>", True),
        ("<.+>", True),
        ("http<.*>", True),
        ("<.*>/a", True),
        ("<.*>api.test/a", True),
    ],
)
def test_a_host_that_a_caller_may_choose_is_told(
    folder: Folder, url: str, *, is_chosen: bool
) -> None:
    folder.access_rule(url)
    folder.route("/a")
    assert folder.codes() == (["chosen-host"] if is_chosen else [])


def test_a_route_behind_a_rule_that_asks_nobody_is_told_with_that_rule(folder: Folder) -> None:
    rule = RULE | {"id": "open", "authorizer": {"handler": "allow"}}
    folder.write("access-rules/one.json", json.dumps([rule]))
    folder.route("/documents/{id}")
    [finding] = folder.lint()
    assert finding.code == "unreachable-route"
    assert "`open`" in finding.help


def test_while_a_pattern_cannot_be_read_nothing_is_called_unreachable(folder: Folder) -> None:
    folder.access_rule(r"https://api.test/<\p{L}+>")
    folder.route("/elsewhere")
    assert folder.codes() == ["unchecked-pattern"]


def test_two_rules_for_one_request_are_told_and_two_for_two_are_not(folder: Folder) -> None:
    folder.route("/documents/{id}")
    for url, methods, codes in [
        ("https://api.test/<.*>", ["GET"], ["overlapping-access-rules"]),
        ("https://api.test/<.*>", ["DELETE"], []),
        ("https://api.test/<(?!documents/).*>", ["GET"], []),
    ]:
        other = RULE | {"id": "two", "match": {"url": url, "methods": methods}}
        folder.write("access-rules/one.json", json.dumps([RULE | {"id": "one"}, other]))
        assert folder.codes() == codes


def test_an_access_rule_that_lacks_the_methods_of_a_route_is_named_with_its_place(
    folder: Folder,
) -> None:
    folder.access_rule("https://api.test/documents", methods="[GET]")
    folder.route("/documents", methods="[POST]")
    [finding] = folder.lint()
    assert (finding.code, finding.place.line) == ("unreachable-route", 4)
    place = f"{folder.path}/access-rules/rules.yml:2:"
    assert finding.help.startswith(f"add POST to the methods of the access rule `rule` ({place}")


def test_a_method_that_is_lacking_is_to_be_added_where_the_others_stand(folder: Folder) -> None:
    folder.access_rule("https://api.test/documents", methods="[GET]")
    folder.route("/documents", methods="[GET, POST]")
    [finding] = folder.lint()
    assert finding.code == "unreachable-method"
    assert "add POST to the methods of the access rule `rule` (" in finding.help
    assert "access-rules/rules.yml:2:" in finding.help


def test_a_preflight_route_wants_options_of_its_access_rule(folder: Folder) -> None:
    folder.route("/a", setting="preflight: allow")
    folder.access_rule("https://api.test/a", methods="[GET]")
    [finding] = folder.lint()
    assert (finding.code, finding.place.line) == ("unreachable-method", 6)
    assert "add OPTIONS to the methods" in finding.help
    folder.access_rule("https://api.test/a", methods="[GET, OPTIONS]")
    assert folder.codes() == []


def test_where_oathkeeper_answers_preflights_itself_none_is_missed(folder: Folder) -> None:
    folder.route("/a", setting="preflight: allow")
    folder.access_rule("https://api.test/a", methods="[GET]")
    folder.write(
        "oathkeeper.yml",
        """\
        serve: {proxy: {cors: {enabled: true}}}
        authenticators: {cookie_session: {enabled: true, config: {extra_from: "@this"}}}
        authorizers: {remote_json: {enabled: true, config: {retry: {give_up_after: 10ms}}}}
        """,
    )
    assert folder.codes() == []


def test_a_profile_that_no_payload_of_a_route_names_is_told(folder: Folder) -> None:
    folder.access_rule("https://api.test/a")
    folder.route("/a", setting="profiles: [kratos, jwt]")
    [finding] = folder.lint()
    assert (finding.code, finding.place.line) == ("unnamed-profile", 6)
    assert "`jwt`" in finding.message
    folder.route("/a", setting="profiles: [kratos]")
    assert folder.codes() == []
