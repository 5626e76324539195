"""The caller's own JWT, which a profile may pass on for policies to read (`aux_data.jwt`).

Its signature is verified by Oathkeeper, and again by the PDP. What is looked at here is whether
there is a JWT at all, and whether it is that of the principal.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from authorizer.model import AuxData
from authorizer.principals.identity import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import AccessRequest

AUTHORIZATION: Final = "authorization"

# RFC 7519 with the compact form of RFC 7515, and a signature. Ory's opaque tokens have one dot.
_COMPACT: Final = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_ANY: Final = msgspec.json.Decoder()
# By these the token in a header is known to be the one that was verified, where `extra` has them.
# (`aud` and `scp` Oathkeeper's `jwt` writes in a way of its own.)
_IDENTIFYING: Final = ("iss", "jti", "exp", "iat", "nbf", "client_id")


@dataclass(frozen=True, slots=True)
class JwtSource:
    """Which header has the JWT, and by which of the PDP's key sets it is verified there.

    `header` is a name in lower case: `authorization` is that of Oathkeeper's own request, every
    other is one that the payload passes on.
    """

    header: str
    key_set: str

    def read(self, request: AccessRequest) -> AuxData | Rejected | None:
        """Return the JWT of an accepted request; None where there is none, such as an opaque one.

        A token that is not the principal's is a rejection, as an authenticator may take its own
        from a place of which this knows nothing (`token_from`).
        """
        values = (
            request.authorization
            if self.header == AUTHORIZATION
            else request.headers.get(self.header, ())
        )
        if len(values) > 1:
            return Rejected(f"the header {self.header} is there twice; which was verified?")
        token = self._token(*values)
        claims = _claims(token)
        if claims is None:
            return None
        extra = request.extra or {}
        verified = {name: extra[name] for name in _IDENTIFYING if name in extra}
        verified["sub"] = request.subject
        if any(claims.get(name) != value for name, value in verified.items()):
            return Rejected(f"the JWT in the header {self.header} is not the principal's")
        expires_at = claims.get("exp")
        is_time = isinstance(expires_at, int | float)
        return AuxData(self.key_set, token, expires_at if is_time else None)

    def _token(self, value: str = "") -> str:
        """Return the token as Oathkeeper reads it (helper/bearer.go): in other headers, bare."""
        if self.header != AUTHORIZATION:
            return value
        scheme, _, token = value.partition(" ")
        return token if scheme.lower() == "bearer" else ""


def _claims(token: str) -> Mapping[str, Any] | None:
    """Return what a JWT claims, unverified; None where `token` is not one."""
    parts = _COMPACT.fullmatch(token)
    if parts is None or _object(parts[1]) is None:
        return None
    return _object(parts[2])


def _object(segment: str) -> Mapping[str, Any] | None:
    try:
        read = _ANY.decode(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
