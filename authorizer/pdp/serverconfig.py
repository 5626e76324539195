"""The configuration of an embedded Cerbos PDP. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from authorizer.config.addresses import is_url

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from authorizer.model import JsonValue


def server_config(  # noqa: PLR0913 - all by name, each one thing that is configured
    *,
    policies: Path,
    grpc_socket: Path,
    http_socket: Path,
    admin: str,
    password_hash: str,
    lenient_scope_search: bool,
    key_sets: Mapping[str, str],
) -> JsonValue:
    """Return Cerbos's configuration as plain data; written as JSON it is the YAML it reads.

    `password_hash` is a bcrypt hash in base64, for the Admin API's user `admin`. `key_sets` maps
    the id of each to the URL or the absolute path of its JWKS.
    """
    return {
        "server": {
            # Both addresses: without the second it listens on every interface, port 3592.
            "grpcListenAddr": f"unix:{_literal(grpc_socket)}",
            "httpListenAddr": f"unix:{_literal(http_socket)}",
            "udsFileMode": "0o600",
            "apiExplorerEnabled": False,
            "metricsEnabled": False,
            "adminAPI": {
                "enabled": True,
                "adminCredentials": {"username": admin, "passwordHash": password_hash},
            },
        },
        "engine": {
            # Without it a DENY rule that meets a missing attribute is skipped, which allows.
            "strictEvaluation": True,
            "lenientScopeSearch": lenient_scope_search,
        },
        # Policies that name a schema mean it; the others are not touched by this.
        "schema": {"enforcement": "reject"},
        # There even without a key set: where it is missing, a token is still verified, and refused.
        "auxData": {
            "jwt": {
                "keySets": [_key_set(name, where) for name, where in key_sets.items()],
                # As long as the issuer's clock may be ahead of ours (principals/identity.py).
                "acceptableTimeSkew": "5s",
            }
        },
        "audit": {"enabled": False},
        "telemetry": {"disabled": True},
        "storage": {
            "driver": "disk",
            # Its own watcher takes seconds; ours asks the Admin API.
            "disk": {"directory": _literal(policies), "watchForChanges": False},
        },
    }


def child_environment(environment: dict[str, str]) -> dict[str, str]:
    """Return what of our environment the PDP gets.

    Not ours, which may hold secrets, and none of CERBOS_*, which could point it to other policies.
    """
    names = {"HOME", "TMPDIR", "TZ", "PATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"}
    prefixes = ("OTEL_", "GOMAXPROCS", "GOMEMLIMIT", "GOGC")
    return {
        name: value
        for name, value in environment.items()
        if name in names or name.startswith(prefixes)
    }


def _key_set(name: str, where: str) -> JsonValue:
    if is_url(where):
        return {"id": _literal(name), "remote": {"url": _literal(where)}}
    return {"id": _literal(name), "local": {"file": _literal(where)}}


def _literal(text: Path | str) -> str:
    # Cerbos expands $VARIABLES in its configuration; two make one.
    return str(text).replace("$", "$$")
