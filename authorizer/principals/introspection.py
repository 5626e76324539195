"""An OAuth 2.0 token that was introspected: what Oathkeeper's `oauth2_introspection` passes on.

It passes on the token's `ext` with `client_id`, `scope` and `username` beside and over it, and
`aud` where the token has an audience. Whether the token is active, and until when, it has judged:
it does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authorizer.principals.identity import Rejected
from authorizer.principals.token import INTROSPECTED, REGISTERED, MalformedClaim, bearer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.principals.identity import Extra, Identity


def fits(extra: Extra) -> bool:
    """Say whether `extra` has the shape of an introspected token."""
    return is_introspected(extra) and not any(name in (extra or {}) for name in REGISTERED)


def is_introspected(extra: Extra) -> bool:
    """Say whether `extra` has what each introspected token has, whatever stands beside it."""
    return not missing(extra)


def missing(extra: Extra) -> list[str]:
    """Return the keys of each introspected token that are not there, or are no texts."""
    return [name for name in INTROSPECTED if not isinstance((extra or {}).get(name), str)]


def identify(subject: str, extra: Mapping[str, Any]) -> Identity | Rejected:
    """Return whose token it is; `extra` fits."""
    if not subject:
        return Rejected("the token has no subject")
    if not extra["client_id"]:
        return Rejected("the token names no client")
    # Empty where the token says nothing of it; a JWT would not have the claim at all.
    unsaid = () if extra["username"] else ("username",)
    claims = {name: value for name, value in extra.items() if name not in unsaid}
    try:
        return bearer(subject, extra, extra["client_id"], extra["scope"].split(" "), claims)
    except MalformedClaim as error:
        return Rejected(str(error))
