"""Oathkeeper's access rules for the example: what a reader who copies them can rely on."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[2] / "oathkeeper"
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "access-rules.yml").read_text())
CONFIGURATION: dict[str, Any] = yaml.safe_load((FOLDER / "oathkeeper.yml").read_text())
AUTHENTICATORS: dict[str, Any] = CONFIGURATION["authenticators"]
PAYLOAD = (FOLDER / "payload.tmpl").read_text()
# Which profile is for what an authenticator gives.
PROFILES = {
    "bearer_token": "kratos",
    "cookie_session": "kratos",
    "oauth2_introspection": "hydra",
    "jwt": "jwt",
    "oauth2_client_credentials": "client",
    "anonymous": "anonymous",
}

each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["id"]))


def pattern(url: str) -> re.Pattern[str]:
    """Return what Oathkeeper makes of a URL pattern: literal text, with a regex in each <...>."""
    # Ours hold no < or > inside, which Oathkeeper would count. Its $, like Python's, also matches
    # before a newline at the end.
    parts = re.split("<([^>]*)>", url)
    for literal in range(0, len(parts), 2):
        parts[literal] = re.escape(parts[literal])
    for regex in range(1, len(parts), 2):
        parts[regex] = f"({parts[regex]})"
    return re.compile(f"^{''.join(parts)}$")


def matching(path: str) -> list[str]:
    url = f"http://127.0.0.1:4455{path}"
    return [rule["id"] for rule in RULES if pattern(rule["match"]["url"]).match(url)]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/orgs/acme/documents", "organisations"),
        ("/orgs/", "organisations"),
        ("/orgs", "everything-else"),
        ("//orgs/acme", "everything-else"),
        ("/feeds/acme/documents", "feeds"),
        ("/feeds", "everything-else"),
        ("/healthz", "public"),
        ("/healthz/", "everything-else"),
        ("/healthzz", "everything-else"),
        ("/public/acme/documents/handbook", "public"),
        ("/public", "everything-else"),
        ("/", "everything-else"),
    ],
)
def test_each_path_has_the_rule_that_the_story_says(path: str, rule: str) -> None:
    assert matching(path) == [rule]


@given(st.text(alphabet="orgsfeedspublichealthz/.%\n ", max_size=20) | st.text(max_size=20))
@example("orgs/a\nb")
@example("healthz\n")
@example("healthz/../orgs/acme")
def test_every_path_has_exactly_one_rule(rest: str) -> None:
    assert len(matching(f"/{rest}")) == 1


@each_rule
def test_a_payload_is_the_shipped_one_with_the_profiles_of_its_authenticators(
    rule: dict[str, Any],
) -> None:
    given = [PROFILES[authenticator["handler"]] for authenticator in rule["authenticators"]]
    names = list(dict.fromkeys(given))
    profile = json.dumps(names if len(names) > 1 else names[0])
    expected = PAYLOAD.replace('"profile": "kratos"', f'"profile": {profile}')
    assert rule["authorizer"]["config"]["payload"] == expected


@each_rule
def test_every_authenticator_of_a_rule_is_enabled(rule: dict[str, Any]) -> None:
    """Oathkeeper answers 500 to whom it is asked about, where one is not."""
    handlers = [authenticator["handler"] for authenticator in rule["authenticators"]]
    assert all(AUTHENTICATORS[handler]["enabled"] for handler in handlers)


def test_a_bearer_token_is_for_one_authenticator() -> None:
    """Else the first that is asked refuses the tokens of the others. A JWT has its own form."""
    prefixes = [
        AUTHENTICATORS[handler]["config"]["prefix"]
        for handler in ("bearer_token", "oauth2_introspection")
    ]
    # What Kratos and Hydra begin their tokens with; neither fits the other, nor a JWT ("eyJ...").
    assert prefixes == ["ory_st_", "ory_at_"]


def test_a_jwt_is_of_the_issuer_that_hydra_says_it_is() -> None:
    """To the letter: Hydra adds no slash at the end of it, and Oathkeeper compares."""
    hydra = yaml.safe_load((FOLDER.parent / "hydra" / "hydra.yml").read_text())
    issuer = hydra["urls"]["self"]["issuer"]
    config = AUTHENTICATORS["jwt"]["config"]
    assert config["trusted_issuers"] == [issuer]
    assert config["jwks_urls"] == [f"{issuer}/.well-known/jwks.json"]


def test_whoever_comes_by_id_and_secret_is_asked_for_the_scope_that_no_policy_sees() -> None:
    """The policies take the profile `client` for the scope: no other rule may give it."""
    giving = [rule for rule in RULES if '"client"' in rule["authorizer"]["config"]["payload"]]
    [rule] = giving
    [authenticator] = rule["authenticators"]
    assert authenticator["handler"] == "oauth2_client_credentials"
    assert authenticator["config"] == {"required_scope": ["documents.list"]}


def test_no_value_goes_into_the_payload_unescaped() -> None:
    values = re.findall(r"\{\{(.*?)\}\}", PAYLOAD)
    assert len(values) == 7
    assert all(value.endswith("| toJson ") for value in values)


@each_rule
def test_a_caller_cannot_choose_the_host(rule: dict[str, Any]) -> None:
    found = pattern(rule["match"]["url"])
    assert not found.match("http://127.0.0.1.evil.test:4455/orgs/acme")
    assert not found.match("http://127x0x0x1:4455/orgs/acme")
