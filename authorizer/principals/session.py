"""A session of Ory Kratos: what `/sessions/whoami` gives and `extra_from: "@this"` passes on."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from authorizer.principals.identity import Identity, Lifetime, Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authorizer.model import JsonValue
    from authorizer.principals.identity import Extra

# What tokens have and no session: an introspected token's `ext` stands beside the first two, and
# a JWT that fits its subject has the last. Their claims could otherwise be dressed up as a session.
_NOT_IN_A_SESSION: Final = ("client_id", "scope", "sub")
# RFC 3339, section 5.6, as Go writes it. `fromisoformat` alone takes more: days of a week, any
# separator, and text behind a NUL.
_RFC_3339: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)", re.ASCII
)


def fits(extra: Extra) -> bool:
    """Say whether `extra` has the shape of a session; nothing is said about its state."""
    return not foreign(extra) and not any(missing(extra))


def foreign(extra: Extra) -> list[str]:
    """Return the keys that no session has."""
    return [key for key in _NOT_IN_A_SESSION if key in (extra or {})]


def missing(extra: Extra) -> Iterator[str]:
    """Yield the keys of a session that are not there, or have another type than in a session."""
    extra = extra or {}
    if not _is_text(extra.get("id")):
        yield "id"
    if not isinstance(extra.get("active"), bool):
        yield "active"
    if not _is_text(extra.get("expires_at")):
        yield "expires_at"
    identity = extra.get("identity")
    if not isinstance(identity, dict):
        yield "identity"
        return
    if not _is_text(identity.get("id")):
        yield "identity.id"
    if not _is_text(identity.get("schema_id")):
        yield "identity.schema_id"
    if not isinstance(identity.get("traits"), dict):
        yield "identity.traits"


def identify(subject: str, extra: Mapping[str, Any], now: float) -> Identity | Rejected:
    """Return whose session it is; `extra` fits, `now` is Unix time in seconds."""
    identity = extra["identity"]
    state = identity.get("state", "active")
    expires_at = _moment(extra["expires_at"])
    if identity["id"] != subject:
        return Rejected("the session belongs to another identity than the subject")
    if state != "active":
        return Rejected("the identity is not active")
    if extra["active"] is not True:
        return Rejected("the session is not active")
    if expires_at is None:
        return Rejected("the session's expires_at is not a time")
    lifetime = Lifetime("session", expires_at=expires_at)
    if objection := lifetime.objection(now):
        return Rejected(objection)
    traits: Mapping[str, JsonValue] = identity["traits"]
    return Identity(
        id=identity["id"],
        # Cerbos refuses an attribute without a name, and with it the whole question.
        attr={name: value for name, value in traits.items() if name},
        auth={
            "session": {
                "id": extra["id"],
                "aal": extra.get("authenticator_assurance_level"),
                "methods": _methods(extra.get("authentication_methods")),
                "authenticated_at": extra.get("authenticated_at"),
                "expires_at": extra["expires_at"],
            },
            "identity": {
                "id": identity["id"],
                "schema_id": identity["schema_id"],
                "state": state,
                "organization_id": identity.get("organization_id"),
                "metadata_public": identity.get("metadata_public"),
                "verified_addresses": _verified(identity.get("verifiable_addresses")),
                # Once more and all of them, so that a trait named `auth` can be read too.
                "traits": traits,
            },
        },
        lifetime=lifetime,
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _moment(text: str) -> float | None:
    """Return Unix time, or None where `text` is no time; Kratos writes nanoseconds and a zone."""
    if not _RFC_3339.fullmatch(text):
        return None
    try:
        # Not by way of UTC, where the first and the last hours of the calendar do not fit.
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _methods(listed: object) -> list[JsonValue]:
    """Return the names of the methods that the session was authenticated with."""
    entries = listed if isinstance(listed, list) else []
    return [entry["method"] for entry in entries if isinstance(entry, dict) and "method" in entry]


def _verified(listed: object) -> list[JsonValue]:
    """Return the addresses that Kratos has verified."""
    entries = listed if isinstance(listed, list) else []
    return [
        entry["value"]
        for entry in entries
        if isinstance(entry, dict) and entry.get("verified") is True and "value" in entry
    ]
