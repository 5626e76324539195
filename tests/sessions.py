"""Kratos sessions, as Oathkeeper passes them on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from authorizer.model import AccessRequest

if TYPE_CHECKING:
    from collections.abc import Mapping

NOW: Final = 1_795_486_000.0  # 2026-11-24T02:06:40Z
EXPIRES_AT: Final = "2026-11-25T02:06:40.895758303Z"


def session(
    traits: Mapping[str, Any] | None = None,
    *,
    identity: Mapping[str, Any] | None = None,
    without: tuple[str, ...] = (),
    **keys: Any,  # noqa: ANN401 - JSON
) -> dict[str, Any]:
    """Return a session of `ann`; `identity` and `keys` are laid over it, `without` taken away.

    A name in `without` may be `identity.` and a key of the identity.
    """
    who = {
        "id": "ann",
        "schema_id": "person",
        "state": "active",
        "traits": {"email": "ann@acme.test"} if traits is None else dict(traits),
        "metadata_public": None,
        **(identity or {}),
    }
    whole = {
        "id": "session-1",
        "active": True,
        "expires_at": EXPIRES_AT,
        "authenticated_at": "2026-11-24T02:06:40.895758303Z",
        "authenticator_assurance_level": "aal1",
        "authentication_methods": [{"method": "password", "aal": "aal1"}],
        "identity": who,
        **keys,
    }
    for name in without:
        outer, _, inner = name.rpartition(".")
        del (whole["identity"] if outer else whole)[inner]
    return whole


def question(
    extra: Mapping[str, Any] | None,
    subject: str = "ann",
    *profiles: str,
    url: str = "http://api.acme.test/documents/1",
    method: str = "GET",
) -> AccessRequest:
    """Return what Oathkeeper asks about a subject of whom it knows `extra`."""
    return AccessRequest(subject=subject, method=method, url=url, profiles=profiles, extra=extra)
