"""What a shape makes of an authenticator's `extra`, before a profile maps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from authorizer.model import JsonValue

    Extra: TypeAlias = Mapping[str, JsonValue] | None


@dataclass(frozen=True, slots=True)
class Identity:
    """Who an authenticator says it is.

    `attr` become principal attributes as they are; `auth` what is said under the reserved one.
    `holder` says in which role somebody holds a token; "" where there is none.
    """

    id: str
    attr: Mapping[str, JsonValue]
    auth: Mapping[str, JsonValue]
    holder: str = ""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The identity is known, and not accepted. `detail` quotes no value."""

    detail: str
