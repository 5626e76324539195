"""What callers show to say who they are."""

from __future__ import annotations

import base64
from dataclasses import dataclass


@dataclass(frozen=True)
class Credential:
    """A header, as `str` writes it: `Authorization: Bearer ory_st_...`."""

    header: str
    value: str

    def __str__(self) -> str:
        return f"{self.header}: {self.value}"


def bearer(token: str) -> Credential:
    """Return a token: of a session, of OAuth 2.0, or a JWT."""
    return Credential("Authorization", f"Bearer {token}")


def cookie(session: str) -> Credential:
    """Return the cookie of a session that began in a browser."""
    return Credential("Cookie", f"ory_kratos_session={session}")


def basic(client_id: str, secret: str) -> Credential:
    """Return a client's id and secret; neither has a character that a form would encode."""
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return Credential("Authorization", f"Basic {pair}")
