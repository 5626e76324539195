"""OAuth 2.0 tokens, as Oathkeeper passes on what it knows of them."""

from __future__ import annotations

from typing import Any, Final

from sessions import NOW

HYDRA: Final = "https://hydra.acme.test/"


def introspected(ext: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an introspected token of the client `app`: its `ext`, and what lies over that."""
    known = {"client_id": "app", "scope": "documents.read openid", "username": ""}
    return {**(ext or {}), **known, **keys}


def jwt(**keys: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the claims of Hydra's access token that the client `app` has of `ann`."""
    return {
        "iss": HYDRA,
        "sub": "ann",
        "client_id": "app",
        "scp": ["documents.read", "openid"],
        "aud": ["https://api.acme.test"],
        "iat": int(NOW) - 60,
        "nbf": int(NOW) - 60,
        "exp": int(NOW) + 3_600,
        "jti": "token-1",
        "ext": {},
        **keys,
    }


def tokenized(**keys: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the claims of `ann`'s session, as Kratos's `tokenize_as` gives them."""
    return {
        "iss": "https://kratos.acme.test/",
        "sub": "ann",
        "sid": "session-1",
        "iat": int(NOW) - 60,
        "nbf": int(NOW) - 60,
        "exp": int(NOW) + 600,
        "jti": "token-2",
        # Oathkeeper writes it, whether the token has scopes or not.
        "scp": [],
        **keys,
    }
