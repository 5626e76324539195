"""The example's story, row by row: who asks what, and what must come of it.

First what the shipped example says. Then what changes while everything runs: a session gets a
second factor, sessions and tokens end, a policy is edited, the identity schema grows and shrinks.
Nothing is restarted for any of it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chain.answers import Answer, Entrance, Question
from chain.credentials import basic, bearer, cookie
from chain.errors import ChainError
from chain.hydra import Client, Grant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chain.chain import Chain
    from chain.credentials import Credential
    from chain.hydra import AccessToken
    from chain.people import Person
    from chain.self_service import SessionToken

NOBODY: Final = "anonymous"

_POLICY: Final = "cerbos/policies/resources/document.yaml"
_SCHEMA: Final = "kratos/identity.schema.json"
_PRINCIPALS: Final = "cerbos/policies/_schemas/principal.json"
_MEMBERS: Final = "- name: members-read\n      actions: "
_LOOK_EVERY: Final = 0.1

PEOPLE: Final[Mapping[str, tuple[Mapping[str, Any], tuple[str, ...]]]] = {
    "rita": (
        {"email": "rita@acme.test", "org": "acme", "department": "sales", "clearance": 1},
        (),
    ),
    "ed": ({"email": "ed@acme.test", "org": "acme", "clearance": 2}, ("editor",)),
    "ada": ({"email": "ada@acme.test", "org": "acme", "clearance": 3}, ("admin",)),
    "greta": (
        {"email": "greta@globex.test", "org": "globex", "clearance": 3},
        ("editor", "admin"),
    ),
    "lena": ({"email": "lena@acme.test", "org": "acme", "department": "legal"}, ()),
}

_BY_BROWSER: Final = frozenset({"lena"})

INDEXER: Final = Client("indexer", Grant.CLIENT_CREDENTIALS, "documents.list")
NOTES: Final = Client("notes-app", Grant.AUTHORIZATION_CODE, "documents.read")
READER: Final = Client("reader", Grant.CLIENT_CREDENTIALS, "documents.list")

ALLOW: Final = Answer(200, "policy_allow")
DENY: Final = Answer(403, "policy_deny")
UNAUTHENTICATED: Final = Answer(401, "")


@dataclass(frozen=True)
class Expectation:
    """A question, who asks it, and what must come of it; `why` says what it shows.

    A name in braces in the question's path stands for that person's id.
    """

    why: str
    who: str
    question: Question
    expected: Answer


@dataclass(frozen=True)
class Row:
    """An expectation, and what came of it."""

    expectation: Expectation
    got: Answer

    @property
    def as_expected(self) -> bool:
        """Whether status and reason are right; a reason that nobody can tell does not count."""
        expected = self.expectation.expected
        return self.got.status == expected.status and self.got.reason in (expected.reason, None)


def _expect(why: str, who: str, question: str, expected: Answer) -> Expectation:
    method, path = question.split(" ")
    return Expectation(why, who, Question(method, path), expected)


_PLAN: Final = "/orgs/acme/documents/plan"

SHIPPED: Final = (
    _expect("members list", "rita", "GET /orgs/acme/documents", ALLOW),
    _expect("members view", "rita", f"GET {_PLAN}", ALLOW),
    _expect("HEAD follows GET", "rita", f"HEAD {_PLAN}", ALLOW),
    _expect("another organisation's", "rita", "GET /orgs/globex/documents/plan", DENY),
    _expect("wrong role", "rita", f"PUT {_PLAN}", DENY),
    _expect("editors write", "ed", f"PUT {_PLAN}", ALLOW),
    _expect("editors create", "ed", "POST /orgs/acme/documents", ALLOW),
    _expect("editors move", "ed", f"POST {_PLAN}/move", ALLOW),
    _expect("editors add to folders", "ed", "POST /orgs/acme/folders/old/documents", ALLOW),
    _expect("editors do not delete", "ed", f"DELETE {_PLAN}", DENY),
    _expect("admins delete", "ada", f"DELETE {_PLAN}", ALLOW),
    _expect("an admin of another organisation", "greta", f"DELETE {_PLAN}", DENY),
    _expect("too little clearance", "rita", "GET /orgs/acme/reports/q3", DENY),
    _expect("enough clearance", "ed", "GET /orgs/acme/reports/q3", ALLOW),
    _expect("a session in a browser", "lena", "GET /orgs/acme/documents", ALLOW),
    _expect("a department's plan", "lena", "GET /orgs/acme/departments/legal/plans/q3", ALLOW),
    _expect("another department's", "lena", "GET /orgs/acme/departments/sales/plans/q3", DENY),
    _expect("own drafts", "rita", "PUT /orgs/acme/people/{rita}/drafts/d1", ALLOW),
    _expect("somebody else's drafts", "lena", "GET /orgs/acme/people/{rita}/drafts/d1", DENY),
    _expect("drafts, for an admin to view", "ada", "GET /orgs/acme/people/{rita}/drafts/d1", ALLOW),
    _expect(
        "drafts, not for an admin to edit", "ada", "PUT /orgs/acme/people/{rita}/drafts/d1", DENY
    ),
    _expect("a service lists", "indexer", "GET /orgs/acme/documents", ALLOW),
    _expect("a service does nothing else", "indexer", f"GET {_PLAN}", DENY),
    _expect("an application views for ed", "notes-app", f"GET {_PLAN}", ALLOW),
    _expect("and not all that ed may do", "notes-app", f"PUT {_PLAN}", DENY),
    _expect("nor view elsewhere", "notes-app", "GET /orgs/initech/documents/plan", DENY),
    _expect("by id and secret", "reader", "GET /feeds/acme/documents", ALLOW),
    _expect("by nothing", NOBODY, "GET /feeds/acme/documents", UNAUTHENTICATED),
    _expect("a stricter organisation's", "greta", "GET /orgs/globex/documents/plan", ALLOW),
    _expect("wants a second factor to write", "greta", "PUT /orgs/globex/documents/plan", DENY),
    _expect("and lets no service in", "indexer", "GET /orgs/globex/documents", DENY),
    _expect("an encoded slash in a name", "rita", "GET /orgs/acme/files/a%2Fb/c.pdf", ALLOW),
    _expect("public, no policy", NOBODY, "GET /healthz", Answer(200, "route_allow")),
    _expect("public, by policy", NOBODY, "GET /public/acme/documents/handbook", ALLOW),
    _expect("public to people too", "greta", "GET /public/acme/documents/handbook", ALLOW),
    _expect("public to read only", NOBODY, "DELETE /public/acme/documents/handbook", DENY),
    _expect("no session", NOBODY, "GET /orgs/acme/documents", UNAUTHENTICATED),
    _expect("no route", "ada", "GET /nowhere", Answer(403, "no_route")),
    _expect("no route, no session", NOBODY, "GET /nowhere", Answer(403, "no_route")),
    _expect("method without an action", "ada", f"POST {_PLAN}", Answer(403, "method_not_mapped")),
    _expect(
        "encoded traversal",
        "rita",
        "GET /orgs/globex/documents/..%2f..%2f..%2facme%2fdocuments%2fplan",
        Answer(403, "ambiguous_url"),
    ),
    _expect(
        "encoded traversal",
        "rita",
        "GET /orgs/acme/files/%2e%2e/%2e%2e/globex/documents/plan",
        Answer(403, "ambiguous_url"),
    ),
    _expect(
        "encoded twice",
        "rita",
        "GET /orgs/acme/documents/%252e%252e",
        Answer(403, "ambiguous_url"),
    ),
)


class Scenario:
    """Walks the story on a running chain, with people of its own. Walk one only once."""

    def __init__(
        self, chain: Chain, *, entrance: Entrance = Entrance.PROXY, patience: float = 10.0
    ) -> None:
        """Walk on `chain`; an edited policy has `patience` seconds to be in force."""
        self._chain = chain
        self._entrance = entrance
        self._patience = patience
        self._people: dict[str, Person] = {}
        self._sessions: dict[str, SessionToken] = {}
        self._tokens: dict[Client, AccessToken] = {}
        self._credentials: dict[str, Credential] = {}

    def enter(self) -> Mapping[str, Credential]:
        """Create the people and the clients; return what each of them shows, by name."""
        for name, (traits, roles) in PEOPLE.items():
            person = self._people[name] = self._chain.kratos.create(name, traits, roles)
            if name in _BY_BROWSER:
                self._credentials[name] = cookie(self._chain.self_service.log_in_by_browser(person))
            else:
                self._sessions[name] = self._chain.self_service.log_in(person)
                self._credentials[name] = bearer(self._sessions[name])
        hydra = self._chain.hydra
        for client in (INDEXER, NOTES, READER):
            hydra.register(client)
        # As a consent page would: what it says of a person is from their identity.
        consent = {"org": PEOPLE["ed"][0]["org"]}
        self._tokens = {
            INDEXER: hydra.token(INDEXER),
            NOTES: hydra.token_for(NOTES, self._people["ed"], consent),
        }
        for client, token in self._tokens.items():
            self._credentials[client.id] = bearer(token)
        self._credentials[READER.id] = basic(READER.id, READER.secret)
        return self._credentials

    def walk(self) -> Iterator[Row]:
        """Enter, and give each row of the whole story when it is known."""
        before = self._pids()
        yield from self.as_shipped()
        yield from self._a_second_factor()
        yield from self._sessions_and_tokens_end()
        yield from self._a_policy_changes()
        yield from self._the_identity_schema_changes()
        if self._pids() != before:
            message = "a program was restarted on the way"
            raise ChainError(message)

    def as_shipped(self) -> Iterator[Row]:
        """Enter, and give the rows for which nothing changes."""
        self.enter()
        for expectation in SHIPPED:
            yield self._once(expectation)

    def _a_second_factor(self) -> Iterator[Row]:
        export = "POST /orgs/acme/exports"
        self_service, session = self._chain.self_service, self._sessions["ada"]
        # Enrolled in another session, as the one that enrols has its second factor at once.
        secret = self_service.enrol_totp(self_service.log_in(self._people["ada"]))
        yield self._once(_expect("an export by password alone", "ada", export, DENY))
        self_service.step_up(session, secret)
        yield self._once(_expect("the same session, with a second factor", "ada", export, ALLOW))

    def _sessions_and_tokens_end(self) -> Iterator[Row]:
        view = f"GET {_PLAN}"
        yield self._once(_expect("a session that lasts", "ada", view, ALLOW))
        self._chain.kratos.revoke_sessions(self._people["ada"])
        yield self._once(_expect("a session revoked", "ada", view, UNAUTHENTICATED))
        yield self._once(_expect("a token that lasts", "notes-app", view, ALLOW))
        self._chain.hydra.revoke(NOTES, self._tokens[NOTES])
        yield self._once(_expect("a token revoked", "notes-app", view, UNAUTHENTICATED))
        yield self._once(_expect("an active identity", "ed", view, ALLOW))
        self._chain.kratos.deactivate(self._people["ed"])
        yield self._once(_expect("an identity made inactive", "ed", view, UNAUTHENTICATED))

    def _a_policy_changes(self) -> Iterator[Row]:
        shipped = self._chain.read(_POLICY)
        edit = f"PUT {_PLAN}"
        self._save_policy(
            _replaced(shipped, f"{_MEMBERS}[list, view]", f"{_MEMBERS}[list, view, edit]")
        )
        yield self._soon(_expect("the policy lets members edit", "rita", edit, ALLOW))
        self._save_policy(shipped)
        yield self._soon(_expect("the policy is as before", "rita", edit, DENY))

    def _the_identity_schema_changes(self) -> Iterator[Row]:
        """Show that what a policy says of a trait holds from the next request on.

        Each time the policy comes first and is seen to deny, so that the request that follows the
        trait is the very next one, and nothing but the trait can have changed its answer.
        """
        shipped_policy, shipped_schema = self._chain.read(_POLICY), self._chain.read(_SCHEMA)
        shipped_principals, closed_principals = self._chain.read(_PRINCIPALS), self._principals()
        traits = PEOPLE["rita"][0]

        def view(why: str, expected: Answer) -> Expectation:
            return _expect(why, "rita", f"GET {_PLAN}", expected)

        def members_only_if(expression: str) -> None:
            self._save_policy(_members_only_if(shipped_policy, expression))

        members_only_if('has(P.attr.project) && P.attr.project == "apollo"')
        yield self._soon(view("the policy asks for a trait", DENY))
        self._add_trait("project", {"type": "string"})
        self._set_traits("rita", {**traits, "project": "apollo"})
        yield self._once(view("trait added to the schema and set", ALLOW))
        self._chain.write(_PRINCIPALS, closed_principals)
        yield self._soon(view("a principal schema without the trait, closed", DENY))
        self._chain.write(_PRINCIPALS, self._principals())
        yield self._soon(view("made anew from the identity schema", ALLOW))
        self._chain.write(_PRINCIPALS, shipped_principals)
        self._set_traits("rita", traits)
        self._chain.write(_SCHEMA, shipped_schema)
        yield self._once(view("trait removed, from the schema too", DENY))
        self._add_trait("project", {"type": "string"})
        self._set_traits("rita", {**traits, "project": "apollo"})
        yield self._once(view("trait back", ALLOW))

        members_only_if(
            "has(P.attr.contract) && has(P.attr.contract.level) && P.attr.contract.level.grade >= 2"
        )
        yield self._soon(view("the policy asks for a nested trait", DENY))
        grade = {"type": "object", "properties": {"grade": {"type": "integer"}}}
        self._add_trait("contract", {"type": "object", "properties": {"level": grade}})
        self._set_traits("rita", {**traits, "contract": {"level": {"grade": 1}}})
        yield self._once(view("nested trait added and set, too low", DENY))
        self._set_traits("rita", {**traits, "contract": {"level": {"grade": 2}}})
        yield self._once(view("nested trait raised", ALLOW))

        members_only_if(
            'P.attr.auth.profile == "kratos" && has(P.attr.auth.identity.traits.auth) && '
            'P.attr.auth.identity.traits.auth.profile == "root"'
        )
        yield self._soon(view("the policy asks for a trait named auth", DENY))
        self._add_trait("auth", {"type": "object", "properties": {"profile": {"type": "string"}}})
        self._set_traits("rita", {**traits, "auth": {"profile": "root"}})
        yield self._once(view("trait named auth, where it is kept", ALLOW))
        members_only_if('P.attr.auth.profile == "root"')
        yield self._soon(view("trait named auth, posing as ours", DENY))

        self._set_traits("rita", traits)
        self._chain.write(_SCHEMA, shipped_schema)
        self._save_policy(shipped_policy)
        yield self._soon(view("all as before", ALLOW))

    def _once(self, expectation: Expectation) -> Row:
        asked = expectation.question
        path = asked.path
        for name, person in self._people.items():
            path = path.replace(f"{{{name}}}", person.id)
        credential = self._credentials.get(expectation.who)
        question = Question(asked.method, path)
        return Row(expectation, self._chain.ask(question, credential, entrance=self._entrance))

    def _soon(self, expectation: Expectation) -> Row:
        """Ask until the answer is as expected, or patience ends: a policy was just saved."""
        deadline = time.monotonic() + self._patience
        row = self._once(expectation)
        while not row.as_expected and time.monotonic() < deadline:
            time.sleep(_LOOK_EVERY)
            row = self._once(expectation)
        return row

    def _save_policy(self, text: str) -> None:
        self._chain.write(_POLICY, text)

    def _add_trait(self, name: str, schema: Mapping[str, Any]) -> None:
        document = json.loads(self._chain.read(_SCHEMA))
        document["properties"]["traits"]["properties"][name] = schema
        self._chain.write(_SCHEMA, json.dumps(document, indent=2))

    def _principals(self) -> str:
        """Return the principal schema, made from the identity schema; closed to other traits."""
        return self._chain.command("kratos", "principal-schema", "--closed", _SCHEMA)

    def _set_traits(self, name: str, traits: Mapping[str, Any]) -> None:
        self._chain.kratos.set_traits(self._people[name], traits)

    def _pids(self) -> dict[str, int]:
        return {name: program.pid for name, program in self._chain.programs.items()}


def _members_only_if(policy: str, expression: str) -> str:
    """Return the document policy with a condition on the rule for members."""
    condition = f"      condition:\n        match:\n          expr: >-\n            {expression}\n"
    rule = "derivedRoles: [member]\n"
    return _replaced(policy, rule, rule + condition)


def _replaced(text: str, old: str, new: str) -> str:
    if text.count(old) != 1:
        message = (
            f"{_POLICY} has {old.strip()!r} {text.count(old)} times: the scenario edits the one"
        )
        raise ChainError(message)
    return text.replace(old, new)
