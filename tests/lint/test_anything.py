"""No file, however odd, makes lint fall over."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lintfolder import PAYLOAD, Folder

from authorizer.lint.gather import InputMissing

if TYPE_CHECKING:
    import pytest

KEYS = st.sampled_from(
    [
        "id",
        "match",
        "url",
        "methods",
        "authenticators",
        "authorizer",
        "handler",
        "config",
        "payload",
        "upstream",
        "strip_path",
        "retry",
        "max_delay",
        "give_up_after",
        "extra_from",
        "preserve_query",
        "subject",
        "enabled",
        "remote_json",
        "anonymous",
        "cookie_session",
        "authorizers",
        "forward_response_headers_to_upstream",
        "apiVersion",
        "kind",
        "items",
        "spec",
        "resourcePolicy",
        "rolePolicy",
        "principalPolicy",
        "derivedRoles",
        "rules",
        "actions",
        "resource",
        "version",
        "scope",
        "importDerivedRoles",
        "disabled",
        "properties",
        "traits",
        "$ref",
        "allOf",
        "if",
        "patternProperties",
        "additionalProperties",
        "type",
        "enum",
        "items",
        "maximum",
        "variables",
        "constants",
        "local",
        "import",
        "exportVariables",
        "exportConstants",
        "definitions",
        "derivedRoles",
        "roles",
        "parentRoles",
        "condition",
        "match",
        "expr",
        "all",
        "none",
        "of",
        "output",
        "when",
        "ruleActivated",
        "selfservice",
        "flows",
        "registration",
    ]
)
LEAVES = st.sampled_from(
    [
        None,
        True,
        False,
        7,
        "",
        "remote_json",
        "cookie_session",
        "anonymous",
        "GET",
        "https://a.test/<.*>",
        "<",
        "api.cerbos.dev/v1",
        "oathkeeper.ory.sh/v1alpha1",
        "Rule",
        "List",
        "*",
        "[",
        "#/properties/traits",
        "#/x",
        "9s",
        PAYLOAD,
        "{{ . }",
        "{{ | }}",
        "P.attr.a.b == 3",
        "has(P.attr.a) && V.a",
        "V.a",
        "P.attr.auth.session.aal",
        "a b",
        "object",
        "integer",
    ]
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=25,
)
RULE = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("id", "match", "authenticators", "upstream"), VALUES)
).map(lambda rule: {"authorizer": {"handler": "remote_json"}} | rule)

PARTS = ("resourcePolicy", "principalPolicy", "rolePolicy", "derivedRoles", "exportVariables")
POLICY = st.fixed_dictionaries(
    {"apiVersion": st.just("api.cerbos.dev/v1")}, optional=dict.fromkeys(PARTS, VALUES)
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rules=st.lists(RULE | VALUES, max_size=3) | VALUES,
    config=VALUES,
    policy=VALUES | POLICY,
    schema=VALUES,
    kratos=VALUES,
)
def test_any_values_are_judged(
    tmp_path_factory: pytest.TempPathFactory,
    rules: object,
    config: object,
    policy: object,
    schema: object,
    kratos: object,
) -> None:
    folder = Folder(Path(tmp_path_factory.mktemp("any")))
    folder.asks(attr='{it: "${principal.attr.a.b}"}')
    folder.write("access-rules/a.json", json.dumps(rules))
    folder.write("access-rules/good.json", json.dumps([{"match": {"url": "https://a.test/<.*>"}}]))
    folder.write("oathkeeper.yml", json.dumps(config))
    folder.write("policies/a.json", json.dumps(policy))
    folder.write("kratos.yml", json.dumps(kratos))
    folder.policy("good.json", resourcePolicy={"resource": "document"})
    folder.write("identity.json", json.dumps({"properties": {"traits": schema}}))
    try:
        folder.lint()
    except InputMissing:
        raise AssertionError from None
