"""Headers of a 200: always there, and empty where there is nothing to say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from routing.rulebook import ask, compiled, refused

from authorizer.model import AccessRequest, CheckResult, Effect, Principal
from authorizer.routing.answer_headers import answer_headers
from authorizer.routing.table import Matched

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import JsonValue

RULES: Final = """
version: 1
routes:
  - id: a
    match: {path: "/a/{id}", methods: [GET]}
    resource: {kind: a, id: x}
    action: view
    response_headers:
      X-Fields: "${outputs.fields}"
      X-Limit: "${outputs['row-limit']}"
      X-User: "${principal.id}"
      X-Org: "${principal.attr.org}"
      X-About: "a/${path.id} by ${subject}"
      X-Odd: "${outputs.odd}"
"""
ANN: Final = Principal("ann", ("user",), {"org": "acme"}, "kratos")
REQUEST: Final = AccessRequest("ann", "GET", "http://a.test/a/7")


def headers(
    principal: Principal | None = None, results: tuple[CheckResult, ...] = ()
) -> Mapping[str, str]:
    matched = ask(compiled(RULES), "/a/7")
    assert isinstance(matched, Matched)
    return answer_headers(matched, REQUEST, principal, results)


def test_outputs_go_by_the_name_of_their_rule_and_everything_is_text() -> None:
    outputs: dict[str, JsonValue] = {
        "resource.a.vdefault#fields": ["name", "size"],
        "resource.a.vdefault#row-limit": 50.0,
        "resource.a.vdefault#odd": {"a": 1},
    }
    assert headers(ANN, (CheckResult(Effect.ALLOW, outputs),)) == {
        "X-Fields": "name, size",
        "X-Limit": "50",
        "X-User": "ann",
        "X-Org": "acme",
        "X-About": "a/7 by ann",
        "X-Odd": "",
    }


def test_what_an_allowed_check_says_comes_before_what_a_denied_one_says() -> None:
    denied = CheckResult(Effect.DENY, {"resource.a.vdefault#fields": "all"})
    allowed = CheckResult(Effect.ALLOW, {"resource.a.vdefault#fields": "some"})
    assert headers(ANN, (denied, allowed))["X-Fields"] == "some"


def test_every_header_is_there_though_nothing_is_known() -> None:
    """Oathkeeper forwards what a caller sent under a name that the answer does not have."""
    found = headers()
    assert set(found) == {"X-Fields", "X-Limit", "X-User", "X-Org", "X-About", "X-Odd"}
    assert {name for name, value in found.items() if value} == {"X-About"}


def test_a_name_that_is_ours_or_http_s_is_refused_in_its_place() -> None:
    text = RULES.replace("X-Fields", "Content-Length").replace("X-Limit", "x-decision-ID")
    assert [(one.line, "choose another name" in one.message) for one in refused(text)] == [
        (9, True),
        (10, True),
    ]
