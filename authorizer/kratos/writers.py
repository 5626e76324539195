"""Who can write what a principal says, as Kratos's configuration has it."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.errors import SourceError
from authorizer.source.yaml import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from authorizer.source.document import Document, Place

# Where it is said, and what holds where nothing is said: embedx/config.schema.json, Kratos v1.3.1.
_REGISTRATION: Final = ("selfservice", "flows", "registration", "enabled")
_PROFILE: Final = ("selfservice", "methods", "profile", "enabled")
_VERIFICATION: Final = ("selfservice", "flows", "verification", "enabled")


class Writer(enum.StrEnum):
    """Who can write a value. The values are part of the interface."""

    # A person, about themselves: it is a claim, and no authority.
    SELF_SERVICE = "self-service"
    ADMINISTRATOR = "administrator"
    # By logging in, one way or another.
    SESSION = "session"
    # Who gives tokens out: by consent, by a hook, by a claims mapper.
    ISSUER = "issuer"
    NOBODY = "nobody"
    # Kratos's configuration was not given.
    UNKNOWN = "unknown"

    @property
    def strength(self) -> int:
        """How much a policy can build on it; what is made by several hands is the weakest's."""
        return _BY_STRENGTH.index(self)


_BY_STRENGTH: Final = (
    Writer.SELF_SERVICE,
    Writer.UNKNOWN,
    Writer.SESSION,
    Writer.ISSUER,
    Writer.ADMINISTRATOR,
    Writer.NOBODY,
)


@dataclass(frozen=True, slots=True)
class Flow:
    """What lets people write traits themselves, `registration` or `settings`, and where it is on.

    Where nothing is said, `place` is the nearest thing around it.
    """

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Writers:
    """Who can write what is not the same in every Kratos; `flows` let people write traits."""

    traits: Writer = Writer.UNKNOWN
    verification: Writer = Writer.UNKNOWN
    flows: tuple[Flow, ...] = ()

    def of(self, written_by: str) -> Writer:
        """Return who `x-written-by` in auth.schema.json stands for."""
        match written_by:
            case "traits":
                return self.traits
            case "verification":
                return self.verification
            case _:
                return Writer(written_by)


def read_writers(path: Path) -> Writers:
    """Return who can write, by Kratos's configuration (YAML or JSON) at `path`.

    What is left out has Kratos's own default; its environment can say otherwise, and is not
    looked at. Raises SourceError.
    """
    document = read_yaml(path)
    if not isinstance(document.value, dict) or "selfservice" not in document.value:
        problem = document.problem((), "is no configuration of Kratos: it has no `selfservice`")
        raise SourceError([problem])
    flows = tuple(
        Flow(name, document.place(switch, key=True))
        for name, switch in (("registration", _REGISTRATION), ("settings", _PROFILE))
        if _is_on(document, switch, default=True)
    )
    verification = _is_on(document, _VERIFICATION, default=False)
    return Writers(
        traits=Writer.SELF_SERVICE if flows else Writer.ADMINISTRATOR,
        verification=Writer.SELF_SERVICE if verification else Writer.ADMINISTRATOR,
        flows=flows,
    )


def _is_on(document: Document, switch: tuple[str, ...], *, default: bool) -> bool:
    value = document.value
    for step in switch:
        if value is None:
            return default
        if not isinstance(value, dict):
            raise SourceError([document.problem(switch, "expected a mapping")])
        if step not in value:
            return default
        value = value[step]
    if not isinstance(value, bool):
        raise SourceError([document.problem(switch, "expected true or false")])
    return value
