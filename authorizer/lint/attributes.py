"""What a principal's attributes are: traits, what profiles add, and what stands under `auth`.

A path is the keys below `P.attr`. `principals` builds what is described here.
"""

from __future__ import annotations

import enum
import functools
import importlib.resources
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.kratos.added import FromTrait
from authorizer.kratos.identity_schema import Node
from authorizer.lint.described import ITEM, Described
from authorizer.lint.profile_attr import added_by
from authorizer.principals.profiles import Shape
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from authorizer.kratos.added import Added, Part
    from authorizer.kratos.identity_schema import IdentitySchema
    from authorizer.principals.profiles import Profile, Profiles

    Path: TypeAlias = tuple[str, ...]

AUTH: Final = "auth"
PROFILE: Final = (AUTH, "profile")
_AAL: Final = (AUTH, "session", "aal")
# Those that Kratos v1.3.1 gives (identity.AuthenticatorAssuranceLevel).
_LEVELS: Final = frozenset(("aal0", "aal1", "aal2"))
# Where what stands under `auth` may be sought in vain.
_GROUPS: Final = ((AUTH,), (AUTH, "session"), (AUTH, "identity"))
# All traits once more.
TRAITS: Final = (AUTH, "identity", "traits")
_TOKEN: Final = frozenset(("profile", "client_id", "scopes", "audience", "claims"))
# What each shape says under `auth`; of that, all that auth.schema.json lists (principals.session,
# .token).
_SAID: Final = {
    Shape.SESSION: frozenset(("profile", "session", "identity")),
    Shape.INTROSPECTION: _TOKEN,
    Shape.CLAIMS: _TOKEN,
    Shape.CLIENT: _TOKEN,
    Shape.ANONYMOUS: frozenset(("profile",)),
}


class Presence(enum.Enum):
    """Whether a principal has an attribute."""

    ALWAYS = enum.auto()
    SOMETIMES = enum.auto()
    NEVER = enum.auto()


@dataclass(frozen=True, slots=True)
class Unknown:
    """The key in a path, by its number, that stands for nothing; `known` could stand there.

    `of` are the types of what it is selected from, where those have no members at all.
    """

    number: int
    known: tuple[str, ...] = ()
    of: frozenset[str] = frozenset()


class Attributes:
    """The attributes of the principals that these profiles build, of identities of these schemas.

    Without schemas any trait may be there.
    """

    def __init__(
        self, schemas: Sequence[IdentitySchema] | None, profiles: Profiles | None = None
    ) -> None:
        self.schemas: Final = schemas
        self._traits: Final = [Described((schema.traits,)) for schema in schemas or ()]
        self._profiles: Final = profiles.by_name if profiles is not None else None
        self._added: Final = {
            added.name: self._described(added)
            for added in added_by((self._profiles or {}).values())
        }

    def trait(self, path: Path) -> Path:
        """Return the path of the trait that an attribute is, below the traits; () for others."""
        if path[: len(TRAITS)] == TRAITS:
            return path[len(TRAITS) :]
        return () if not path or path[0] == AUTH or path[0] in self._added else path

    def unknown(self, path: Path) -> Unknown | None:
        """Return what of a path nothing can stand for, or None."""
        if trait := self.trait(path):
            found = self.unknown_trait(trait)
            offset = len(path) - len(trait)
            return found and Unknown(found.number + offset, found.known, found.of)
        if path[:1] == (AUTH,):
            found = _unknown(_auth(), path[1:])
            return found and Unknown(found.number + 1, found.known, found.of)
        # Of what a profile makes, only that it has no members at all.
        found = _unknown(self.at(path[:1]), path[1:])
        return Unknown(found.number + 1, of=found.of) if found and found.of else None

    def unknown_trait(self, path: Path) -> Unknown | None:
        """Return the same for the path of a trait. One that some schema has is a trait."""
        each = [_unknown(described, path) for described in self._traits]
        certain = [found for found in each if found is not None]
        if not certain or len(certain) < len(each):
            return None
        deepest = max(found.number for found in certain)
        there = [found for found in certain if found.number == deepest]
        known = {name for found in there for name in found.known}
        return Unknown(deepest, tuple(sorted(known)), frozenset().union(*(one.of for one in there)))

    def meant(self, path: Path) -> Path | None:
        """Return the attribute under `auth` that a path names without its group, or None."""
        each = [(*group, *path) for group in _GROUPS]
        there = [one for one in each if _below(_auth(), one[1 : len(one) - len(path) + 1]).schemas]
        return next((one for one in there if self.unknown(one) is None), None)

    def at(self, path: Path) -> Described:
        """Return what describes an attribute; nothing where it is not declared."""
        if trait := self.trait(path):
            return self._trait_at(trait)
        if path[:1] == (AUTH,):
            return _below(_auth(), path[1:])
        return _below(self._added[path[0]], path[1:]) if path else Described(())

    def _trait_at(self, trait: Path) -> Described:
        nodes = [node for root in self._traits for node in _below(root, trait).schemas]
        return Described(tuple(nodes))

    def _described(self, added: Added) -> Described:
        """Return what describes an attribute that profiles add: any of what it is made of."""
        each = [self._part(part) for source in added.sources for part in source.parts]
        if added.leaves_trait and self.unknown_trait((added.name,)) is None:
            each.append(self._trait_at((added.name,)))
        if not all(described.schemas for described in each):
            return Described(())
        return Described(tuple(node for described in each for node in described.schemas))

    def _part(self, part: Part) -> Described:
        if isinstance(part, FromTrait):
            return self._trait_at(part.path) if part.path else Described(())
        if not part.schema:
            return Described(())
        # Nodes are told apart by the names of their documents.
        document = load_yaml("", json.dumps(part.schema))
        return Described((Node(document, (), dict(part.schema)),))

    def values(self, path: Path) -> frozenset[str] | None:
        """Return the strings that an attribute can be, None where they are not listed."""
        if path == PROFILE and self._profiles is not None:
            return frozenset(self._profiles)
        if path == _AAL:
            return _LEVELS
        return self.at(path).values

    def presence(self, path: Path, profile: Profile) -> Presence:
        """Say whether principals of a profile have an attribute.

        One that its schemas do not know counts as there: that is another mistake.
        """
        if self.unknown(path) is not None or path[:1] in {(name,) for name, _ in profile.attr}:
            return Presence.ALWAYS
        trait = self.trait(path)
        if path[:1] == (AUTH,):
            if path[1:2] and path[1] not in _SAID[profile.shape]:
                return Presence.NEVER
            if not trait:
                return _said(path[1:])
        elif path and profile.shape is not Shape.SESSION:
            return Presence.NEVER
        there = all(
            _unknown(root, trait) is None and _demands(root, trait) for root in self._traits
        )
        return Presence.ALWAYS if there else Presence.SOMETIMES


def _unknown(described: Described, path: Path) -> Unknown | None:
    for number, key in enumerate(path):
        types = described.types
        if key == ITEM:
            described = described.items
            continue
        members = described.members()
        if key in members:
            described = members[key]
            continue
        if types is not None and "object" not in types:
            # A list's own keys are numbers, which are no keys here.
            return Unknown(number, of=types)
        if described.is_open:
            return None
        return Unknown(number, tuple(sorted(members)))
    return None


def _below(described: Described, path: Path) -> Described:
    for key in path:
        described = described.items if key == ITEM else described.members().get(key, Described(()))
    return described


def _demands(described: Described, path: Path) -> bool:
    for key in path:
        if key != ITEM and not described.demands(key):
            return False
        described = _below(described, (key,))
    return True


def _said(path: Path) -> Presence:
    """Say the same of what stands under `auth`: all that is listed there."""
    return Presence.ALWAYS if _below(_auth(), path).schemas else Presence.SOMETIMES


@functools.cache
def _auth() -> Described:
    text = importlib.resources.files("authorizer.kratos") / "auth.schema.json"
    document = load_yaml(text.read_text("utf-8"), "auth.schema.json")
    return Described((Node(document, (), document.value),))
