"""What a shape makes of an authenticator's `extra`, before a profile maps it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from authorizer.model import JsonValue

    Extra: TypeAlias = Mapping[str, JsonValue] | None


# Seconds by which the issuer's clock may be ahead of ours: a token is often used in the instant
# of its issue, and `nbf` is that instant. An end is never put off.
_CLOCK_SKEW: Final = 5.0


class Lifetime(msgspec.Struct, frozen=True, gc=False):
    """From when until when something is good, in Unix time; None where there is no bound.

    `of` names it for a person: a session, a token.
    """

    of: str
    not_before: float | None = None
    expires_at: float | None = None

    def objection(self, now: float) -> str:
        """Return why it is not good at `now` (Unix time in seconds), or ""."""
        if self.expires_at is not None and self.expires_at <= now:
            return f"the {self.of} has expired"
        if self.not_before is not None and self.not_before > now + _CLOCK_SKEW:
            return f"the {self.of} is not valid yet"
        return ""


UNBOUNDED: Final = Lifetime("identity")


class Identity(msgspec.Struct, frozen=True, gc=False):
    """Who an authenticator says it is.

    `attr` become principal attributes as they are; `auth` what is said under the reserved one.
    `holder` says in which role somebody holds a token; "" where there is none.
    All of it is good within its `lifetime`, and at no other time.
    """

    id: str
    attr: Mapping[str, JsonValue]
    auth: Mapping[str, JsonValue]
    holder: str = ""
    lifetime: Lifetime = UNBOUNDED


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """The identity is known, and not accepted. `detail` quotes no value."""

    detail: str
