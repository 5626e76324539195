"""The second factor that an authenticator app computes (RFC 6238)."""

from __future__ import annotations

import base64
import hmac
import struct
from typing import Final

_STEP: Final = 30  # seconds
_DIGITS: Final = 6


def code(secret: str, now: float) -> str:
    """Return the code of a secret (base32, without padding) at `now`, a Unix time."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(now) // _STEP), "sha1")
    offset = digest[-1] & 0xF
    (number,) = struct.unpack_from(">I", digest, offset)
    return str((number & 0x7FFF_FFFF) % 10**_DIGITS).zfill(_DIGITS)
