"""The claims of a JWT: what Oathkeeper's `jwt` passes on of a token whose signature it verified.

Three kinds are known: Ory Hydra's access tokens, which say again under `ext` what consent added;
Ory Kratos's tokenized sessions; and the `id_token` of another Oathkeeper.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from authorizer.principals.identity import Lifetime, Rejected
from authorizer.principals.token import (
    INTROSPECTED,
    REGISTERED,
    MalformedClaim,
    bearer,
    texts,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import JsonValue
    from authorizer.principals.identity import Extra, Identity

_EXT: Final = "ext"
# What only an ID token has (OpenID Connect Core, section 2). Hydra's has claims that the consent
# page chose, a scope perhaps, and Hydra's JWKS has its key beside that of access tokens.
_OF_AN_ID_TOKEN: Final = ("at_hash", "c_hash", "nonce")


def fits(extra: Extra) -> bool:
    """Say whether `extra` has the shape of a JWT's claims, which name an issuer and a subject."""
    # An introspected token has all of these, and its `ext` may have all of the others.
    return not missing(extra) and not all(name in (extra or {}) for name in INTROSPECTED)


def missing(extra: Extra) -> list[str]:
    """Return the claims of each JWT that are not there, or are no texts."""
    return [name for name in ("iss", "sub") if not _is_text((extra or {}).get(name))]


def identify(subject: str, extra: Mapping[str, Any], now: float) -> Identity | Rejected:
    """Return whose token it is; `extra` fits, `now` is Unix time in seconds."""
    if extra["sub"] != subject:
        return Rejected("the token is of another subject")
    if any(name in extra for name in _OF_AN_ID_TOKEN):
        return Rejected("it is an ID token, which says who somebody is, and opens nothing")
    try:
        lifetime = Lifetime("token", _moment(extra, "nbf"), _moment(extra, "exp"))
        if objection := lifetime.objection(now):
            return Rejected(objection)
        identity = bearer(subject, extra, _client(extra), _scopes(extra), _claims(extra))
        return replace(identity, lifetime=lifetime)
    except MalformedClaim as error:
        return Rejected(str(error))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _moment(extra: Mapping[str, Any], name: str) -> float | None:
    """Return the claim as Unix time, or None where it is absent."""
    if name not in extra:
        return None
    match extra[name]:
        case bool():
            pass
        case int(moment):
            return moment
        case float(moment) if math.isfinite(moment):
            return moment
    msg = f"the token's {name} is not a time"
    raise MalformedClaim(msg)


def _client(extra: Mapping[str, Any]) -> str | None:
    client_id = extra.get("client_id")
    if client_id is None or _is_text(client_id):
        return client_id
    msg = "the token's client_id is not a text"
    raise MalformedClaim(msg)


def _scopes(extra: Mapping[str, JsonValue]) -> list[str]:
    """Return the scopes of `scp`, else of `scope`: never of both, as more could only widen them.

    Oathkeeper itself writes `scp`, a list, from the first of `scp`, `scope` and `scopes` that the
    token has (credentials/verifier_default.go); Hydra lets a consent put a `scope` beside `scp`.
    """
    name = "scp" if "scp" in extra else "scope"
    return [scope for text in texts(extra, name) for scope in text.split(" ")]


def _claims(extra: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Return what the token says, with the names that an introspected token has for it.

    Of `ext`, nothing takes the place of what the token says itself.
    """
    nested = extra.get(_EXT)
    if not isinstance(nested, dict):
        return extra
    return {
        **{name: value for name, value in nested.items() if name not in REGISTERED},
        **{name: value for name, value in extra.items() if name != _EXT},
    }
