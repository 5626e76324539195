"""docs/profile-mismatch.md lists the keys that decide, and quotes a detail that is said."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest
from docpages import DOCS
from sessions import NOW, question, session

from authorizer.model import Deny, Principal
from authorizer.principals.profiles import Profiles, compile_profiles
from authorizer.source.yaml import load_yaml

PAGE: Final = (DOCS / "profile-mismatch.md").read_text("utf-8")
TOKENS: Final[dict[str, dict[str, Any]]] = {
    "hydra": {"client_id": "c", "scope": "", "username": ""},
    "jwt": {"iss": "https://auth.acme.test", "sub": "ann"},
}


def profiles() -> Profiles:
    return compile_profiles(load_yaml("{}", "profiles"), load_yaml("kratos", "default"))


def fits(extra: dict[str, Any], profile: str) -> bool:
    return isinstance(profiles().identify(question(extra, "ann", profile), NOW), Principal)


def listed(profile: str) -> tuple[list[str], list[str]]:
    """Return the keys that a profile needs by the table, and those that it does not take."""
    (row,) = re.findall(rf"^\| `{profile}`, .*", PAGE, re.MULTILINE)
    _, _, needed, refused, _ = row.split("|")
    return (
        re.findall(r"`([\w.]+)`", needed.partition(";")[0]),
        re.findall(r"`(\w+)`", refused),
    )


def test_a_session_has_the_keys_that_are_listed_and_needs_each() -> None:
    needed, refused = listed("kratos")
    whole, bare = session(), dict[str, Any]({"identity": {}})
    for key in needed:
        outer, _, inner = key.rpartition(".")
        (bare[outer] if outer else bare)[inner] = (whole[outer] if outer else whole)[inner]
    assert fits(bare, "kratos")
    for key in needed:
        assert not fits(session(without=(key,)), "kratos"), key
    for key in refused:
        assert not fits({**session(), key: "x"}, "kratos"), key


@pytest.mark.parametrize("profile", TOKENS)
def test_a_token_has_the_keys_that_are_listed_and_needs_each(profile: str) -> None:
    token = TOKENS[profile]
    needed, refused = listed(profile)
    assert needed == list(token)
    assert fits(token, profile)
    for key in needed:
        assert not fits({name: value for name, value in token.items() if name != key}, profile)
    if profile == "hydra":
        assert not any(fits({**token, key: "x"}, profile) for key in refused)
    else:
        assert not fits({**token, **dict.fromkeys(refused, "x")}, profile)


def test_the_detail_is_what_is_said() -> None:
    bare = session(without=("identity.schema_id",))
    bare = {key: bare[key] for key in ("active", "expires_at", "id", "identity")}
    found = profiles().identify(question(bare, "ann", "kratos"), NOW)
    assert isinstance(found, Deny)
    assert f"```text\n{found.detail}\n```" in PAGE
