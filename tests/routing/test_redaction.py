"""What is redacted reaches no record of a decision."""

from __future__ import annotations

from typing import Final

import pytest
from routing.rulebook import compiled

from authorizer.routing.reading import Ambiguous, locate
from authorizer.routing.redaction import REDACTED, shown_path

RULES: Final = """
version: 1
routes:
  - id: reset
    match: {path: "/reset/{token}", methods: [GET]}
    resource: {kind: reset, id: "${path.token}"}
    action: use
    redact: [token]
  - id: share
    match: {path: "/share/{owner}/{rest...}", methods: [GET]}
    effect: allow
    redact: [rest]
  - id: verb
    match: {path: "/v/{id}:{verb}/log", methods: [GET]}
    effect: allow
    redact: [id]
  - id: open
    match: {path: "/open/{id}", methods: [GET]}
    effect: allow
"""


@pytest.mark.parametrize(
    ("method", "path", "shown"),
    [
        ("GET", "/reset/s3cret", "/reset/{token}"),
        ("GET", "/reset/s3cret/", "/reset/{token}/"),
        ("POST", "/reset/s3cret", REDACTED),
        ("GET", "/share/ann/s3cret/b", "/share/ann/{rest}"),
        ("GET", "/v/s3cret:run/log", "/v/{id}+{verb}/log"),
        ("GET", "/reset/s3cret%2Fx", REDACTED),
        ("GET", "/reset//s3cret", REDACTED),
        ("GET", "/open/a%20b", "/open/a%20b"),
        ("GET", "/reset/s3cret/more", f"/reset/{REDACTED}"),
        ("GET", "/Reset/s3cret/more", f"/Reset/{REDACTED}"),
        ("GET", "/share/ann", "/share/ann"),
        ("GET", "/v/s3cret/log", f"/v/{REDACTED}"),
        ("GET", "/nowhere/s3cret", "/nowhere/s3cret"),
        ("GET", "/reset", "/reset"),
    ],
)
def test_the_path_is_shown_without_what_is_redacted(method: str, path: str, shown: str) -> None:
    table = compiled(RULES)
    address = locate("http://a.test" + path)
    assert not isinstance(address, Ambiguous)

    assert shown_path(table.match(address, method), address, table) == shown


def test_where_nothing_is_redacted_what_cannot_be_read_is_shown_as_it_was_sent() -> None:
    table = compiled("{version: 1, routes: []}")
    address = locate("http://a.test/a%2Fb")
    assert not isinstance(address, Ambiguous)

    assert shown_path(table.match(address, "GET"), address, table) == "/a%2Fb"


@pytest.mark.parametrize(
    ("check", "hidden"),
    [
        ('{resource: {kind: reset, id: "${path.token}"}, action: use}', {"id"}),
        ("{resource: {kind: reset, id: \"a-${path['token']}\"}, action: use}", {"id"}),
        ('{resource: {kind: "${path.token}", id: x}, action: "${path.token}"}', {"kind", "action"}),
        ('{resource: {kind: reset, id: "${request.path}"}, action: use}', {"id"}),
        ('{resource: {kind: reset, id: "${string(size(path))}"}, action: use}', {"id"}),
        ('{resource: {kind: reset, id: "${path.org}"}, action: use}', set()),
    ],
)
def test_what_has_a_redacted_capture_in_it_is_hidden(check: str, hidden: set[str]) -> None:
    table = compiled(f"""
version: 1
routes:
  - id: reset
    match: {{path: "/{{org}}/reset/{{token}}", methods: [GET]}}
    checks: [{check}]
    redact: [token]
""")
    assert table.routes[0].checks[0].hidden == hidden


@pytest.mark.parametrize(
    ("expression", "is_hidden"),
    [
        ("principal.attr.email", True),
        ("string(size(principal))", True),
        ("principal.id", False),
        ("principal.roles[0]", False),
        ("extra.identity.traits.email", True),
        ("headers['x-key']", True),
        ("headers_all['x-key'][0]", True),
        ("path.org", False),
        ("subject", False),
        ("query.to", False),
    ],
)
def test_what_has_a_trait_a_claim_or_a_header_in_it_is_hidden(
    expression: str, *, is_hidden: bool
) -> None:
    table = compiled(f"""
version: 1
routes:
  - id: own
    match: {{path: "/{{org}}", methods: [GET]}}
    resource: {{kind: own, id: "x-${{{expression}}}"}}
    action: use
""")
    assert table.routes[0].checks[0].hidden == ({"id"} if is_hidden else set())
