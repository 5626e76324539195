"""docs/oathkeeper.md says what the shipped files say: it is what people copy."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SHIPPED: dict[str, Any] = yaml.safe_load((ROOT / "oathkeeper" / "oathkeeper.yml").read_text())
CONFIGURATION, ACCESS_RULES, *_ = (
    yaml.safe_load(block)
    for block in re.findall(
        r"^```yaml\n(.*?)^```",
        (ROOT / "docs" / "oathkeeper.md").read_text(),
        re.DOTALL | re.MULTILINE,
    )
)


@pytest.mark.parametrize(
    ("kind", "handler"),
    [
        ("authorizers", "remote_json"),
        ("authenticators", "bearer_token"),
        ("authenticators", "oauth2_introspection"),
        ("authenticators", "jwt"),
        ("authenticators", "oauth2_client_credentials"),
        ("authenticators", "cookie_session"),
        ("authenticators", "anonymous"),
        ("mutators", "noop"),
    ],
)
def test_a_handler_is_set_up_as_in_the_shipped_configuration(kind: str, handler: str) -> None:
    assert CONFIGURATION[kind][handler] == SHIPPED[kind][handler]


def test_no_handler_is_shown_that_is_not_compared() -> None:
    shown = {kind: set(handlers) for kind, handlers in CONFIGURATION.items()}
    assert shown == {
        "authorizers": {"remote_json"},
        "authenticators": set(SHIPPED["authenticators"]),
        "mutators": {"noop"},
    }


def test_every_handler_of_the_rule_that_is_shown_is_enabled() -> None:
    """Oathkeeper answers 500 to what was allowed when a mutator is not."""
    [rule] = ACCESS_RULES
    used = {("authorizers", rule["authorizer"]["handler"])}
    used |= {("authenticators", one["handler"]) for one in rule["authenticators"]}
    used |= {("mutators", one["handler"]) for one in rule["mutators"]}
    assert all(CONFIGURATION[kind][handler]["enabled"] for kind, handler in used)


def test_the_payload_is_the_shipped_one() -> None:
    [rule] = ACCESS_RULES
    payload = rule["authorizer"]["config"]["payload"]
    assert payload == (ROOT / "oathkeeper" / "payload.tmpl").read_text()
