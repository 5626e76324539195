"""What an introspected token and a JWT have in common: who holds it, and what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.principals.identity import Identity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authorizer.model import JsonValue

# What Oathkeeper always writes into the `extra` of an introspected token, over what its `ext` says
# (pipeline/authn/authenticator_oauth2_introspection.go): an object without one of them is none.
INTROSPECTED: Final = ("client_id", "scope", "username")
# What only a token itself may say: RFC 7519, section 4.1, and Oathkeeper's name for its scopes.
# In an introspected token's `extra`, they could only come from its `ext`.
REGISTERED: Final = ("iss", "sub", "exp", "nbf", "iat", "jti", "scp")
# What stands beside the claims, under names of its own.
_SAID_ELSEWHERE: Final = ("aud", "client_id", "scope", "scp")


class MalformedClaim(ValueError):
    """A claim of a type that it cannot have; its text names the claim, and quotes no value."""


def bearer(
    subject: str,
    extra: Mapping[str, JsonValue],
    client_id: str | None,
    scopes: Sequence[str],
    claims: Mapping[str, JsonValue],
) -> Identity:
    """Return who holds the token; raises MalformedClaim where its `aud` is none.

    `claims` may hold what is said elsewhere, which is left out.
    """
    return Identity(
        id=subject,
        # No claim is an attribute under its own name: one might be called as a trait is.
        attr={},
        auth={
            "client_id": client_id,
            "scopes": [*dict.fromkeys(scope for scope in scopes if scope)],
            "audience": texts(extra, "aud"),
            "claims": {
                name: value for name, value in claims.items() if name not in _SAID_ELSEWHERE
            },
        },
        # Compared here and not in CEL, whose evaluator ends a text at its first NUL.
        holder="client" if subject == client_id else "delegate",
    )


def texts(extra: Mapping[str, JsonValue], name: str) -> list[str]:
    """Return a claim that is a list of texts, or one text; raises MalformedClaim if it is neither.

    What is absent or null gives no texts, and so does "".
    """
    match extra.get(name):
        case None | "":
            return []
        case str(text):
            return [text]
        case list(items):
            found = [item for item in items if isinstance(item, str)]
            if len(found) == len(items):
                return found
    msg = f"the token's {name} is neither a text nor a list of texts"
    raise MalformedClaim(msg)
