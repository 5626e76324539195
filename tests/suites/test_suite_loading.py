"""A suite is read whole, or refused with every place that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authorizer.errors import SourceError
from authorizer.routing.compile import compile_rules
from authorizer.source.yaml import load_yaml
from authorizer.suites.identities import NOBODY, find_identity, read_identities
from authorizer.suites.loading import read_suites

if TYPE_CHECKING:
    from pathlib import Path

    from authorizer.suites.case import Case

RULES = "version: 1\nroutes: [{id: item, match: {path: /a, methods: [GET]}, effect: allow}]"
ROUTES = compile_rules([load_yaml(RULES, "rules.yaml")])

IDENTITIES = """
version: 1
identities:
  ann: {profile: kratos, extra: {id: s, identity: {id: ann-id}}}
  bob: {profile: [kratos, anonymous], subject: bob-id, extra: null}
  cid: {subject: ""}
"""


def cases(folder: Path, text: str) -> list[Case]:
    (folder / "identities.yaml").write_text(IDENTITIES)
    (folder / "suite.yaml").write_text(text)
    identities = read_identities([folder / "identities.yaml"])
    return read_suites([folder / "suite.yaml"], identities, ROUTES)


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SourceError) as caught:
        cases(folder, text)
    return [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_a_case_is_the_question_that_oathkeeper_would_ask(tmp_path: Path) -> None:
    (case,) = cases(
        tmp_path,
        """
version: 1
defaults: {host: "https://api.acme.test", as: ann}
cases:
  - name: A promise
    request:
      {method: GET, url: /a, headers: {X-Tenant: acme}, raw_path: /a, forwarded_uri: [/b]}
    expect: {route: item}
""",
    )
    asked = case.request
    assert (case.name, case.place.line, dict(case.expected)) == ("A promise", 5, {"route": "item"})
    assert (asked.method, asked.url, asked.subject) == ("GET", "https://api.acme.test/a", "ann-id")
    assert asked.profiles == ("kratos",)
    assert asked.extra == {"id": "s", "identity": {"id": "ann-id"}}
    assert asked.headers == {"x-tenant": ("acme",)}
    assert (asked.raw_path, asked.forwarded_uri) == ("/a", ("/b",))


def test_a_case_of_its_own_says_more_than_the_defaults(tmp_path: Path) -> None:
    named, inline, nobody = cases(
        tmp_path,
        """
version: 1
cases:
  - {request: {method: PUT, url: "http://x.test/a?b=1"}, as: bob, expect: {route: null}}
  - {request: {method: GET, url: /a}, as: {subject: dee, profile: x}, expect: {checks: []}}
  - {request: {method: GET, url: /a}, expect: {decision: allow}}
""",
    )
    assert named.name == "PUT http://x.test/a?b=1"
    assert named.request.url == "http://x.test/a?b=1"
    assert (named.request.profiles, named.request.subject) == (("kratos", "anonymous"), "bob-id")
    assert named.request.extra is None
    assert (inline.request.profiles, inline.request.subject) == (("x",), "dee")
    assert (nobody.request.url, nobody.request.profiles) == ("http://localhost/a", ("anonymous",))
    assert nobody.request.subject == ""


def test_every_problem_is_told_with_its_place_and_what_was_meant(tmp_path: Path) -> None:
    text = """version: 1
defaults: {as: anne}
cases:
  - {request: {method: GET, url: /a}, expect: {route: itm}}
  - {request: {method: "G T", url: /a}, expect: {route: item}}
  - {request: {method: GET, url: /a, headers: {"x y": a}}, as: bob, expect: {route: item}}
"""
    malformed = "the server would refuse this as malformed"
    assert problems(tmp_path, text) == [
        "suite.yaml:2:16: there is no identity `anne` (did you mean `ann`?)",
        "suite.yaml:4:55: there is no route `itm` (did you mean `item`?)",
        f"suite.yaml:5:24: {malformed}: /method: is not an HTTP method (RFC 9110: a token)",
        f"suite.yaml:6:47: {malformed}: /headers: has a name that no header can have (RFC 9110)",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\ncases: []\n", "expected at least 1 item"),
        ("version: 2\ncases: [{request: {method: GET, url: /a}, expect: {checks: []}}]",
         "expected 1"),
        ("version: 1\ncases: [{request: {method: GET, url: a}, expect: {route: item}}]", "begins"),
        ("version: 1\ncases: [{request: {method: GET, url: /a}, expect: {}}]", "at least 1 key"),
        ("version: 1\ncases: [{request: {method: GET, url: /a}, expect: {rout: x}}]", "`route`"),
        ("version: 1\ncases: [{request: {method: GET, url: /a}, as: [x], expect: {checks: []}}]",
         "the name of an identity"),
        ("version: 1\ncases: [{request: {method: GET, url: /a}, expect: {reason: no_rout}}]",
         "did you mean `no_route`"),
    ],
)  # fmt: skip
def test_what_no_suite_can_say_is_refused(tmp_path: Path, text: str, message: str) -> None:
    found = problems(tmp_path, text)
    assert len(found) == 1
    assert message in found[0]


def test_names_of_identities_are_unique_over_all_files(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text(IDENTITIES)
    other.write_text("version: 1\nidentities:\n  ann: {subject: x}\n")
    with pytest.raises(SourceError) as caught:
        read_identities([one, other])
    (problem,) = caught.value.problems
    assert (problem.source, problem.line) == (str(other), 3)
    assert f"there already, at {one}:4:3" in problem.message


def test_a_broken_file_of_identities_is_told_beside_the_others(tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text("version: 1\nidentities: {ann: {}}\n")
    other.write_text("version: 1\nidentities: {bob: {subjct: x}}\n")
    with pytest.raises(SourceError) as caught:
        read_identities([one, other])
    assert len(caught.value.problems) == 2


def test_a_subject_is_the_identitys_id_unless_it_is_said(tmp_path: Path) -> None:
    file = tmp_path / "identities.yaml"
    file.write_text(IDENTITIES)
    found = read_identities([file])
    assert {name: identity.subject for name, identity in found.items()} == {
        "ann": "ann-id",
        "bob": "bob-id",
        "cid": "",
    }
    assert (NOBODY.profiles, NOBODY.subject, NOBODY.extra) == (("anonymous",), "", None)


def test_an_identity_that_is_not_there_is_told_with_the_nearest(tmp_path: Path) -> None:
    file = tmp_path / "identities.yaml"
    file.write_text(IDENTITIES)
    with pytest.raises(SourceError, match=r"no identity `anna` \(did you mean `ann`\?\)"):
        find_identity("anna", read_identities([file]))
    with pytest.raises(SourceError, match=r"write it into rules/tests/identities\.yaml"):
        find_identity("anna", {})
