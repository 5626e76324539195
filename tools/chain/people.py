"""People, as an administrator sees them: Kratos's admin API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chain.wire import Api

PASSWORD: Final = "correct-horse-battery-staple"  # noqa: S105 - of people who live as long as the demo


@dataclass(frozen=True)
class Person:
    """An identity in Kratos; `name` is what tables and people call them."""

    name: str
    id: str
    traits: Mapping[str, Any]
    roles: Sequence[str]


@dataclass(frozen=True)
class Kratos:
    """The admin API of a running Kratos."""

    admin: Api

    def create(self, name: str, traits: Mapping[str, Any], roles: Sequence[str] = ()) -> Person:
        """Create a person with a password; their e-mail trait is the login."""
        identity = {
            "schema_id": "person",
            "traits": traits,
            "metadata_public": {"roles": list(roles)},
            "credentials": {"password": {"config": {"password": PASSWORD}}},
        }
        reply = self.admin.ask("POST", "/admin/identities", body=identity, expected=201)
        return Person(name, reply.json()["id"], traits, roles)

    def set_traits(self, person: Person, traits: Mapping[str, Any]) -> None:
        """Replace all traits of a person."""
        self._replace(person, traits, "active")

    def deactivate(self, person: Person) -> None:
        """Make a person inactive; their sessions stay as they are."""
        self._replace(person, person.traits, "inactive")

    def revoke_sessions(self, person: Person) -> None:
        """End all sessions of a person."""
        self.admin.ask("DELETE", f"/admin/identities/{person.id}/sessions", expected=204)

    def _replace(self, person: Person, traits: Mapping[str, Any], state: str) -> None:
        identity = {
            "schema_id": "person",
            "state": state,
            "traits": traits,
            "metadata_public": {"roles": list(person.roles)},
        }
        self.admin.ask("PUT", f"/admin/identities/{person.id}", body=identity, expected=200)
