"""JSON Web Tokens that a test signs itself, and the key set that verifies them."""

from __future__ import annotations

import base64
import functools
import json
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_OCTETS: Final = 32  # of a coordinate of P-256, and of each half of an ES256 signature


def segment(data: bytes) -> str:
    """Return base64url without padding, as RFC 7515 has it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(claims: Any, header: Any = None) -> str:  # noqa: ANN401 - JSON, also none of an object
    """Return the first two segments of a token."""
    head = {"alg": "ES256", "kid": "key-1"} if header is None else header
    return ".".join(segment(json.dumps(part).encode()) for part in (head, claims))


def jwt_of(claims: Any, header: Any = None) -> str:  # noqa: ANN401 - as above
    """Return a token with a signature of nobody's, where nothing verifies it."""
    return f"{unsigned(claims, header)}.{segment(b'signature')}"


@dataclass(frozen=True)
class Issuer:
    """Signs with a key of its own."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=functools.partial(ec.generate_private_key, ec.SECP256R1())
    )

    def sign(self, **claims: Any) -> str:  # noqa: ANN401 - JSON
        text = unsigned(claims)
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(SHA256())))
        return f"{text}.{segment(r.to_bytes(_OCTETS) + s.to_bytes(_OCTETS))}"

    @property
    def jwks(self) -> str:
        """The public key as a JWKS, with what Cerbos wants of one: `alg` and `kid`."""
        public = self.key.public_key().public_numbers()
        key = {
            "kty": "EC",
            "crv": "P-256",
            "alg": "ES256",
            "kid": "key-1",
            "use": "sig",
            "x": segment(public.x.to_bytes(_OCTETS)),
            "y": segment(public.y.to_bytes(_OCTETS)),
        }
        return json.dumps({"keys": [key]})
