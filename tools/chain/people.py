"""People, over Kratos's own API: the admin part creates them, the public part logs them in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NewType
from urllib.parse import urlsplit

from chain import wire
from chain.errors import ChainError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from chain.wire import Reply

SessionToken = NewType("SessionToken", str)

_PASSWORD = "correct-horse-battery-staple"  # noqa: S105 - of people who live as long as the demo


@dataclass(frozen=True)
class Person:
    """An identity in Kratos; `name` is what tables and people call them."""

    name: str
    id: str
    traits: Mapping[str, Any]
    roles: Sequence[str]


@dataclass(frozen=True)
class Kratos:
    """A running Kratos; addresses are host:port."""

    public: str
    admin: str

    def create(self, name: str, traits: Mapping[str, Any], roles: Sequence[str] = ()) -> Person:
        """Create a person with a password; their e-mail trait is the login."""
        reply = self._ask(
            self.admin,
            "POST",
            "/admin/identities",
            {
                "schema_id": "person",
                "traits": traits,
                "metadata_public": {"roles": list(roles)},
                "credentials": {"password": {"config": {"password": _PASSWORD}}},
            },
            expected=201,
        )
        return Person(name, reply.json()["id"], traits, roles)

    def set_traits(self, person: Person, traits: Mapping[str, Any]) -> None:
        """Replace all traits of a person, as an administrator does."""
        self._ask(
            self.admin,
            "PUT",
            f"/admin/identities/{person.id}",
            {
                "schema_id": "person",
                "state": "active",
                "traits": traits,
                "metadata_public": {"roles": list(person.roles)},
            },
            expected=200,
        )

    def log_in(self, person: Person) -> SessionToken:
        """Log a person in through the flow for API clients; return the session's token."""
        flow = self._ask(self.public, "GET", "/self-service/login/api", expected=200)
        action = urlsplit(flow.json()["ui"]["action"])
        body = {
            "method": "password",
            "identifier": person.traits["email"],
            "password": _PASSWORD,
        }
        target = f"{action.path}?{action.query}"
        reply = self._ask(self.public, "POST", target, body, expected=200)
        return SessionToken(reply.json()["session_token"])

    def revoke_sessions(self, person: Person) -> None:
        """End all sessions of a person."""
        self._ask(self.admin, "DELETE", f"/admin/identities/{person.id}/sessions", expected=204)

    def _ask(
        self, address: str, method: str, target: str, body: object = None, *, expected: int
    ) -> Reply:
        reply = wire.send(address, method, target, body=body)
        if reply.status != expected:
            # The people are made up, so Kratos's own words may be shown.
            said = reply.body.decode(errors="replace")[:500]
            message = f"{method} {target}: Kratos answered {reply.status}: {said}"
            raise ChainError(message)
        return reply
