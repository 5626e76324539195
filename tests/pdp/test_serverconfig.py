"""The configuration of an embedded PDP, and what it learns of our environment."""

# ruff: noqa: ANN401 - plain data of any shape

from __future__ import annotations

from pathlib import Path
from typing import Any

from authorizer.pdp.serverconfig import child_environment, server_config


def config(policies: str = "/policies") -> Any:
    return server_config(
        policies=Path(policies),
        grpc_socket=Path("/private/grpc.sock"),
        http_socket=Path("/private/http.sock"),
        admin="authorizer",
        password_hash="aGFzaA==",  # noqa: S106 - an example
    )


def test_both_listeners_are_private_sockets() -> None:
    """A missing one would listen on every interface."""
    server = config()["server"]
    assert server["grpcListenAddr"] == "unix:/private/grpc.sock"
    assert server["httpListenAddr"] == "unix:/private/http.sock"
    assert server["udsFileMode"] == "0o600"


def test_it_is_strict() -> None:
    assert config()["engine"] == {"strictEvaluation": True}
    assert config()["schema"] == {"enforcement": "reject"}


def test_a_dollar_in_a_path_is_itself() -> None:
    assert config("/a$HOME/${b}")["storage"]["disk"]["directory"] == "/a$$HOME/$${b}"


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
