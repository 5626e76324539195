"""Programs and their tokens, over Hydra's APIs: the admin part registers, the public issues."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NewType
from urllib.parse import parse_qs, urlencode, urlsplit

from chain.browser import Browser
from chain.credentials import basic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chain.people import Person
    from chain.wire import Api, Reply

AccessToken = NewType("AccessToken", str)

# Where a browser brings the code to: nobody listens there, we read it off the redirect.
_CALLBACK: Final = "http://127.0.0.1:3000/callback"


class Grant(enum.StrEnum):
    """How a client comes by its tokens."""

    CLIENT_CREDENTIALS = "client_credentials"
    AUTHORIZATION_CODE = "authorization_code"


@dataclass(frozen=True)
class Client:
    """An OAuth 2.0 client; `jwt` says that its access tokens are JWTs, not opaque ones."""

    id: str
    grant: Grant
    scope: str
    jwt: bool = False

    @property
    def secret(self) -> str:
        """Its secret: of a client that lives as long as the demo."""
        return f"secret-of-{self.id}"


@dataclass(frozen=True)
class Hydra:
    """A running Hydra."""

    public: Api
    admin: Api

    def register(self, client: Client) -> None:
        """Register a client."""
        registration = {
            "client_id": client.id,
            "client_secret": client.secret,
            "grant_types": [client.grant],
            "response_types": ["code"],
            "redirect_uris": [_CALLBACK],
            "scope": client.scope,
            "access_token_strategy": "jwt" if client.jwt else "opaque",
        }
        self.admin.ask("POST", "/admin/clients", body=registration, expected=201)

    def token(self, client: Client) -> AccessToken:
        """Return a token that a client has in its own right."""
        return AccessToken(self._issue(client, {"scope": client.scope})["access_token"])

    def token_for(
        self, client: Client, person: Person, claims: Mapping[str, Any] | None = None
    ) -> AccessToken:
        """Return a token with which a client acts for a person, as login and consent give it.

        The login says that the person is the Kratos identity; the consent adds `claims`.
        """
        return AccessToken(self._granted(client, person, claims)["access_token"])

    def id_token_for(
        self, client: Client, person: Person, claims: Mapping[str, Any] | None = None
    ) -> str:
        """Return the ID token of the same flow; the client's scope has `openid`."""
        return str(self._granted(client, person, claims)["id_token"])

    def _granted(
        self, client: Client, person: Person, claims: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        query = {
            "response_type": "code",
            "client_id": client.id,
            "scope": client.scope,
            "redirect_uri": _CALLBACK,
            "state": "of-the-client-itself",
        }
        browser = Browser()
        page = browser.redirected(f"http://{self.public.address}/oauth2/auth?{urlencode(query)}")
        page = browser.redirected(self._accept("login", page, {"subject": person.id}))
        consent = {
            "grant_scope": client.scope.split(" "),
            "session": {"access_token": claims, "id_token": claims},
        }
        callback = browser.redirected(self._accept("consent", page, consent))
        return self._issue(
            client, {"code": _parameter(callback, "code"), "redirect_uri": _CALLBACK}
        )

    def revoke(self, client: Client, token: AccessToken) -> None:
        """Revoke a token, as the client that has it."""
        self._post(client, "/oauth2/revoke", {"token": token})

    def revoke_consent(self, person: Person) -> None:
        """Revoke all that clients have for a person, as an administrator."""
        target = f"/admin/oauth2/auth/sessions/consent?subject={person.id}&all=true"
        self.admin.ask("DELETE", target, expected=204)

    def _accept(self, what: str, page: str, body: Mapping[str, Any]) -> str:
        """Accept what Hydra asks a page for; return where the page sends the browser."""
        challenge = urlencode({f"{what}_challenge": _parameter(page, f"{what}_challenge")})
        target = f"/admin/oauth2/auth/requests/{what}/accept?{challenge}"
        return str(self.admin.ask("PUT", target, body=body, expected=200).json()["redirect_to"])

    def _issue(self, client: Client, form: Mapping[str, str]) -> dict[str, Any]:
        reply = self._post(client, "/oauth2/token", {"grant_type": client.grant, **form})
        tokens: dict[str, Any] = reply.json()
        return tokens

    def _post(self, client: Client, target: str, form: Mapping[str, str]) -> Reply:
        credential = basic(client.id, client.secret)
        headers = {credential.header: credential.value}
        return self.public.ask("POST", target, headers=headers, form=form, expected=200)


def _parameter(url: str, name: str) -> str:
    return parse_qs(urlsplit(url).query)[name][0]
