"""The configuration of an embedded PDP, and what it learns of our environment."""

# ruff: noqa: ANN401 - plain data of any shape

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from authorizer.pdp.serverconfig import child_environment, server_config

if TYPE_CHECKING:
    from collections.abc import Mapping


def config(
    policies: str = "/policies",
    *,
    lenient: bool = False,
    key_sets: Mapping[str, str] | None = None,
) -> Any:
    return server_config(
        policies=Path(policies),
        grpc_socket=Path("/private/grpc.sock"),
        http_socket=Path("/private/http.sock"),
        admin="authorizer",
        password_hash="aGFzaA==",  # noqa: S106 - an example
        lenient_scope_search=lenient,
        key_sets=key_sets or {},
    )


def test_both_listeners_are_private_sockets() -> None:
    """A missing one would listen on every interface."""
    server = config()["server"]
    assert server["grpcListenAddr"] == "unix:/private/grpc.sock"
    assert server["httpListenAddr"] == "unix:/private/http.sock"
    assert server["udsFileMode"] == "0o600"


def test_it_is_strict() -> None:
    assert config()["engine"] == {"strictEvaluation": True, "lenientScopeSearch": False}
    assert config()["schema"] == {"enforcement": "reject"}


def test_it_is_as_strict_where_it_searches_scopes_leniently() -> None:
    assert config(lenient=True) == {
        **config(),
        "engine": {"strictEvaluation": True, "lenientScopeSearch": True},
    }


def test_a_dollar_in_a_path_is_itself() -> None:
    assert config("/a$HOME/${b}")["storage"]["disk"]["directory"] == "/a$$HOME/$${b}"


def test_key_sets_are_files_or_urls() -> None:
    where = {"a": "/keys/$a.json", "b": "https://auth.acme.test/jwks.json"}
    assert config(key_sets=where)["auxData"]["jwt"]["keySets"] == [
        {"id": "a", "local": {"file": "/keys/$$a.json"}},
        {"id": "b", "remote": {"url": "https://auth.acme.test/jwks.json"}},
    ]


def test_a_token_is_verified_even_where_there_is_no_key_set() -> None:
    """It then has no key that fits: the PDP refuses the question."""
    assert config()["auxData"] == {"jwt": {"keySets": [], "acceptableTimeSkew": "5s"}}


def test_neither_our_secrets_nor_another_set_of_policies_reach_it() -> None:
    ours = {
        "AUTHORIZER__SERVER__SHARED_SECRET": "s",
        "CERBOS_HUB_DEPLOYMENT_ID": "x",
        "CERBOS_CONFIG": "x",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector",
        "GOMEMLIMIT": "1GiB",
        "HOME": "/home",
    }
    assert set(child_environment(ours)) == {"OTEL_EXPORTER_OTLP_ENDPOINT", "GOMEMLIMIT", "HOME"}
