"""What people do themselves: the flows of Kratos's public API."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NewType
from urllib.parse import urlsplit

from chain import totp, wire
from chain.browser import Browser
from chain.errors import ChainError
from chain.people import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from chain.people import Person
    from chain.wire import Api, Reply

SessionToken = NewType("SessionToken", str)
SessionCookie = NewType("SessionCookie", str)
TotpSecret = NewType("TotpSecret", str)

_COOKIE: Final = "ory_kratos_session"


@dataclass(frozen=True)
class SelfService:
    """The public API of a running Kratos."""

    public: Api

    def log_in(self, person: Person) -> SessionToken:
        """Log a person in as an API client does."""
        form = self._form("/self-service/login/api")
        return SessionToken(self._submit(form, _password(person)).json()["session_token"])

    def log_in_by_browser(self, person: Person) -> SessionCookie:
        """Log a person in as a browser does: the session is a cookie."""
        browser = Browser()
        start = f"http://{self.public.address}/self-service/login/browser"
        form = browser.request("GET", start).json()["ui"]
        [token] = [
            node["attributes"]["value"]
            for node in form["nodes"]
            if node["attributes"].get("name") == "csrf_token"
        ]
        browser.request("POST", form["action"], body={**_password(person), "csrf_token": token})
        if _COOKIE not in browser.cookies:
            message = f"Kratos's browser flow gave {person.name} no session"
            raise ChainError(message)
        return SessionCookie(browser.cookies[_COOKIE])

    def enrol_totp(self, session: SessionToken) -> TotpSecret:
        """Give the person of a session a second factor; return its secret."""
        form = self._form("/self-service/settings/api", session)
        [secret] = [
            node["attributes"]["text"]["context"]["secret"]
            for node in form["nodes"]
            if node["attributes"].get("id") == "totp_secret_key"
        ]
        self._submit(form, _totp(secret), session)
        return TotpSecret(secret)

    def step_up(self, session: SessionToken, secret: TotpSecret) -> None:
        """Raise a session to `aal2` with the second factor; its token stays what it is."""
        form = self._form("/self-service/login/api?aal=aal2", session)
        self._submit(form, _totp(secret), session)

    def write_traits(self, session: SessionToken, traits: Mapping[str, Any]) -> int:
        """Submit the settings form with other traits; return the status of Kratos's answer."""
        form = self._form("/self-service/settings/api", session)
        body = {"method": "profile", "traits": traits}
        address, headers = self.public.address, _headers(session)
        return wire.send(address, "POST", _action(form), headers=headers, body=body).status

    def tokenized(self, session: SessionToken, template: str) -> str:
        """Return a session as a JWT, by a template of Kratos's tokenizer."""
        target = f"/sessions/whoami?tokenize_as={template}"
        reply = self.public.ask("GET", target, headers=_headers(session), expected=200)
        return str(reply.json()["tokenized"])

    def _form(self, target: str, session: SessionToken | None = None) -> dict[str, Any]:
        """Start a flow; return the form that it asks for."""
        reply = self.public.ask("GET", target, headers=_headers(session), expected=200)
        form: dict[str, Any] = reply.json()["ui"]
        return form

    def _submit(
        self,
        form: Mapping[str, Any],
        body: Mapping[str, Any],
        session: SessionToken | None = None,
    ) -> Reply:
        return self.public.ask(
            "POST", _action(form), headers=_headers(session), body=body, expected=200
        )


def _action(form: Mapping[str, Any]) -> str:
    action = urlsplit(form["action"])
    return f"{action.path}?{action.query}"


def _headers(session: SessionToken | None) -> dict[str, str]:
    return {} if session is None else {"X-Session-Token": session}


def _password(person: Person) -> dict[str, str]:
    return {"method": "password", "identifier": person.traits["email"], "password": PASSWORD}


def _totp(secret: str) -> dict[str, str]:
    return {"method": "totp", "totp_code": totp.code(secret, time.time())}
