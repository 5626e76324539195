"""Every authenticator of the real Oathkeeper that can carry an identity, under every profile."""

from __future__ import annotations

import functools
import itertools
import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest
from chain import (
    Answer,
    Client,
    Entrance,
    Grant,
    Question,
    basic,
    bearer,
    cookie,
    running_chain,
)
from httpstub import Handler, serving
from identitychain import (
    GATEWAY,
    NOTES,
    NOTES_JWT,
    PROFILES,
    STAFF,
    TOKENIZED,
    TRUSTING,
    Cast,
    enter,
    host,
    prepare,
)
from jwts import Issuer
from served import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from chain import Chain, Credential, Person

pytestmark = pytest.mark.integration

ALLOW: Final = Answer(200, "policy_allow")
DENY: Final = Answer(403, "policy_deny")
MISMATCH: Final = Answer(403, "profile_mismatch")
REJECTED: Final = Answer(403, "principal_rejected")
UNAUTHENTICATED: Final = Answer(401, "")

LIST: Final = Question("GET", "/orgs/acme/documents")
VIEW: Final = Question("GET", "/orgs/acme/documents/plan")
EDIT: Final = Question("PUT", "/orgs/acme/documents/plan")
DELETE: Final = Question("DELETE", "/orgs/acme/documents/plan")
FEED: Final = Question("GET", "/feeds/acme/documents")
EXPORT: Final = Question("POST", "/orgs/acme/exports")
HANDBOOK: Final = Question("GET", "/public/acme/documents/handbook")
NO_HANDBOOK: Final = Question("DELETE", "/public/acme/documents/handbook")

# Authenticator, and what it is shown (None: nothing); what it may do and what not, under each
# profile that fits. Under every other it is a mismatch.
Fits = tuple[Question | None, Question]
MATRIX: Final[Mapping[tuple[str, str | None], Mapping[str, Fits]]] = {
    ("bearer_token", "session"): {
        "kratos": (EDIT, DELETE),
        TRUSTING: (VIEW, EDIT),
    },
    ("cookie_session", "cookie"): {
        "kratos": (EDIT, DELETE),
        TRUSTING: (VIEW, EDIT),
    },
    ("oauth2_introspection", "client token"): {"hydra": (LIST, VIEW)},
    ("oauth2_introspection", "delegate token"): {"hydra": (VIEW, EDIT)},
    ("jwt", "client jwt"): {"jwt": (LIST, VIEW)},
    ("jwt", "delegate jwt"): {"jwt": (VIEW, EDIT)},
    # The profile `jwt` takes it from any issuer, and then it is nobody's session.
    ("jwt", "tokenized"): {TOKENIZED: (VIEW, EDIT), "jwt": (None, VIEW)},
    ("jwt", "id_token"): {GATEWAY: (VIEW, EDIT), "jwt": (None, VIEW)},
    ("oauth2_client_credentials", "id and secret"): {"client": (FEED, VIEW)},
    ("anonymous", None): {"anonymous": (HANDBOOK, NO_HANDBOOK)},
    ("noop", None): {"anonymous": (HANDBOOK, NO_HANDBOOK)},
}

# Through the example's own access rules, each of which tries several authenticators.
AS_SHIPPED: Final = (
    ("session", EDIT, ALLOW),
    ("session", DELETE, DENY),
    ("cookie", EDIT, ALLOW),
    ("cookie", DELETE, DENY),
    ("client token", LIST, ALLOW),
    ("client token", VIEW, DENY),
    ("delegate token", VIEW, ALLOW),
    ("delegate token", EDIT, DENY),
    ("client jwt", LIST, ALLOW),
    ("client jwt", VIEW, DENY),
    ("delegate jwt", VIEW, ALLOW),
    ("delegate jwt", EDIT, DENY),
    ("id and secret", FEED, ALLOW),
    ("id and secret", LIST, UNAUTHENTICATED),
    # Signed by a key that Hydra does not have.
    ("tokenized", LIST, UNAUTHENTICATED),
    ("id_token", LIST, UNAUTHENTICATED),
    ("session", FEED, UNAUTHENTICATED),
    ("client token", FEED, UNAUTHENTICATED),
    (None, LIST, UNAUTHENTICATED),
    (None, FEED, UNAUTHENTICATED),
    (None, HANDBOOK, ALLOW),
    (None, NO_HANDBOOK, DENY),
    # A session counts where anonymous callers are welcome, too; what else there is does not.
    ("session", HANDBOOK, ALLOW),
    ("client token", HANDBOOK, UNAUTHENTICATED),
)


class Listener:
    """Stands where the authorizer does, allows, and keeps what Oathkeeper said."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        heard = self.heard

        class Heard(Handler):
            def do_POST(self) -> None:
                heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.handler = Heard
        self.url = ""


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    started = Listener()
    with serving(started.handler) as address:
        started.url = f"http://{address}/"
        yield started


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory, listener: Listener) -> Iterator[Chain]:
    """Give the example's chain with more access rules and profiles: see `identitychain`."""
    more = functools.partial(prepare, listener=listener.url)
    folder = tmp_path_factory.mktemp("identities")
    with running_chain(folder, prepare=more, environ=PATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def cast(chain: Chain) -> Cast:
    return enter(chain)


@dataclass(frozen=True)
class Cell:
    """What is shown to an access rule with one profile, and what comes of a question there."""

    authenticator: str
    shown: str | None
    profile: str
    question: Question
    expected: Answer

    def __str__(self) -> str:
        came = self.expected.reason or self.expected.status
        return f"{self.authenticator}-{self.shown}-{self.profile}-{came}"

    @property
    def host(self) -> str:
        return host(f"noop-{self.profile}" if self.authenticator == "noop" else self.profile)


def cells() -> Iterator[Cell]:
    for ((authenticator, shown), fitting), profile in itertools.product(MATRIX.items(), PROFILES):
        cell = functools.partial(Cell, authenticator, shown, profile)
        if profile in fitting:
            allowed, denied = fitting[profile]
            if allowed is not None:
                yield cell(allowed, ALLOW)
            yield cell(denied, DENY)
        elif profile == STAFF and authenticator in ("bearer_token", "cookie_session"):
            # The shape is right, and there is no second factor.
            yield cell(VIEW, REJECTED)
        elif (authenticator, profile) == ("anonymous", "client"):
            yield cell(VIEW, UNAUTHENTICATED)
        else:
            yield cell(VIEW, MISMATCH)


@pytest.mark.parametrize("entrance", Entrance)
@pytest.mark.parametrize("cell", list(cells()), ids=str)
def test_an_identity_is_decided_under_its_own_profile_and_under_no_other(
    chain: Chain, cast: Cast, cell: Cell, entrance: Entrance
) -> None:
    credential = cast.credentials[cell.shown] if cell.shown else None
    answer = chain.ask(cell.question, credential, entrance=entrance, host=cell.host)
    assert answer == cell.expected


@pytest.mark.parametrize("entrance", Entrance)
@pytest.mark.parametrize(("shown", "question", "expected"), AS_SHIPPED, ids=str)
def test_an_access_rule_with_several_authenticators_leaves_each_credential_to_its_own(
    chain: Chain,
    cast: Cast,
    shown: str | None,
    question: Question,
    expected: Answer,
    entrance: Entrance,
) -> None:
    credential = cast.credentials[shown] if shown else None
    assert chain.ask(question, credential, entrance=entrance) == expected


@dataclass(frozen=True, eq=False)
class Anything:
    """Equals every value of a type."""

    kind: type

    def __eq__(self, other: object) -> bool:
        return type(other) is self.kind

    def __hash__(self) -> int:
        return hash(self.kind)


TEXT: Final = Anything(str)
TIME: Final = Anything(int)  # Unix time, in seconds
SESSION: Final = {
    "active": True,
    "authenticated_at": TEXT,
    "authentication_methods": [{"aal": "aal1", "completed_at": TEXT, "method": "password"}],
    "authenticator_assurance_level": "aal1",
    "devices": Anything(list),
    "expires_at": TEXT,
    "id": TEXT,
    "identity": {
        "created_at": TEXT,
        "id": TEXT,
        "metadata_public": {"roles": ["editor"]},
        "organization_id": None,
        "schema_id": "person",
        "schema_url": TEXT,
        "state": "active",
        "state_changed_at": TEXT,
        "traits": {"clearance": 2, "department": "sales", "email": "ed@acme.test", "org": "acme"},
        "updated_at": TEXT,
    },
    "issued_at": TEXT,
}
ISSUED: Final = {"iss": TEXT, "sub": TEXT, "jti": TEXT, "exp": TIME, "iat": TIME, "nbf": TIME}
LISTS, READS = "documents.list", "documents.read"


@pytest.mark.parametrize("entrance", Entrance)
@pytest.mark.parametrize(
    ("shown", "extra"),
    [
        ("session", SESSION),
        ("cookie", SESSION),
        # The consent's claims stand among Hydra's own, and those win; `username` is always there.
        ("client token", {"client_id": "indexer", "scope": LISTS, "username": ""}),
        (
            "delegate token",
            {"client_id": "notes-app", "scope": READS, "username": "", "org": "acme"},
        ),
        # `scp` is Oathkeeper's: a list, whatever the token says, and empty where it says nothing.
        (
            "client jwt",
            {**ISSUED, "client_id": "indexer-jwt", "scp": [LISTS], "aud": [], "ext": {}},
        ),
        (
            "delegate jwt",
            {**ISSUED, "client_id": "notes-jwt", "scp": [READS], "aud": [], "ext": {"org": "acme"}},
        ),
        ("tokenized", {**ISSUED, "scp": [], "sid": TEXT, "org": "acme"}),
        ("id_token", {**ISSUED, "scp": [], "org": "acme"}),
        ("id and secret", None),
        (None, None),
    ],
    ids=str,
)
def test_what_each_authenticator_says_of_its_subject_is_what_the_profiles_read(
    chain: Chain,
    cast: Cast,
    listener: Listener,
    shown: str | None,
    extra: Mapping[str, Any] | None,
    entrance: Entrance,
) -> None:
    credential = cast.credentials[shown] if shown else None
    assert chain.send(VIEW, credential, entrance=entrance, host=host("seen")).status == 200
    assert listener.heard[-1]["extra"] == extra


@pytest.mark.parametrize("entrance", Entrance)
def test_the_subject_is_the_person_or_the_client_and_else_a_name_from_the_configuration(
    chain: Chain, cast: Cast, listener: Listener, entrance: Entrance
) -> None:
    subjects = {
        "session": cast.ed.id,
        "tokenized": cast.ed.id,
        "id_token": cast.ed.id,
        "delegate token": cast.ed.id,
        "delegate jwt": cast.ed.id,
        "client token": "indexer",
        "client jwt": "indexer-jwt",
        "id and secret": "reader",
    }
    for shown, subject in subjects.items():
        chain.send(VIEW, cast.credentials[shown], entrance=entrance, host=host("seen"))
        assert listener.heard[-1]["subject"] == subject
    for asked, subject in (("seen", "guest"), ("noop-seen", "")):
        chain.send(VIEW, entrance=entrance, host=host(asked))
        assert (listener.heard[-1]["subject"], listener.heard[-1]["extra"]) == (subject, None)


@pytest.mark.parametrize("entrance", Entrance)
class TestWhatHasEnded:
    def test_a_revoked_session_is_a_401_as_token_and_as_cookie(
        self, chain: Chain, entrance: Entrance
    ) -> None:
        person = member(chain)
        shown = [session(chain, person), browser_session(chain, person)]
        assert [chain.ask(VIEW, one, entrance=entrance) for one in shown] == [ALLOW, ALLOW]
        chain.kratos.revoke_sessions(person)
        assert [chain.ask(VIEW, one, entrance=entrance) for one in shown] == [UNAUTHENTICATED] * 2

    def test_an_inactive_identity_has_no_sessions(self, chain: Chain, entrance: Entrance) -> None:
        person = member(chain)
        shown = [session(chain, person), browser_session(chain, person)]
        assert [chain.ask(VIEW, one, entrance=entrance) for one in shown] == [ALLOW, ALLOW]
        chain.kratos.deactivate(person)
        assert [chain.ask(VIEW, one, entrance=entrance) for one in shown] == [UNAUTHENTICATED] * 2

    @pytest.mark.usefixtures("cast")
    def test_a_revoked_token_is_a_401_and_a_revoked_jwt_holds_until_it_expires(
        self, chain: Chain, entrance: Entrance
    ) -> None:
        person = member(chain)
        for client, afterwards in ((NOTES, UNAUTHENTICATED), (NOTES_JWT, ALLOW)):
            token = chain.hydra.token_for(client, person, {"org": "acme"})
            assert chain.ask(VIEW, bearer(token), entrance=entrance) == ALLOW
            chain.hydra.revoke(client, token)
            assert chain.ask(VIEW, bearer(token), entrance=entrance) == afterwards

    @pytest.mark.usefixtures("cast")
    def test_a_token_of_an_inactive_person_lives_on_until_it_is_revoked_itself(
        self, chain: Chain, entrance: Entrance
    ) -> None:
        """Hydra does not know Kratos's identities: whoever makes one inactive revokes both."""
        person = member(chain)
        token = chain.hydra.token_for(NOTES, person, {"org": "acme"})
        chain.kratos.deactivate(person)
        assert chain.ask(VIEW, bearer(token), entrance=entrance) == ALLOW
        chain.hydra.revoke_consent(person)
        assert chain.ask(VIEW, bearer(token), entrance=entrance) == UNAUTHENTICATED

    def test_what_has_ended_is_not_made_good_by_what_lasts(
        self, chain: Chain, cast: Cast, entrance: Entrance
    ) -> None:
        """A bearer token that an authenticator takes for its own is the end of it."""
        lasting = cast.credentials["cookie"]
        both = {"Cookie": lasting.value, "X-Request-Id": str(uuid.uuid4())}
        person = member(chain)
        ended = [session(chain, person), bearer(chain.hydra.token_for(NOTES, person))]
        chain.kratos.revoke_sessions(person)
        chain.hydra.revoke_consent(person)
        for one in ended:
            assert chain.send(VIEW, one, entrance=entrance, headers=both).status == 401


@pytest.mark.parametrize("entrance", Entrance)
class TestSecondFactor:
    def test_what_wants_aal2_is_denied_until_the_same_session_has_a_second_factor(
        self, chain: Chain, entrance: Entrance
    ) -> None:
        """By a policy (export), and by a profile that requires it."""
        admin = member(chain, "admin")
        token = chain.self_service.log_in(admin)
        before = [
            chain.ask(EXPORT, bearer(token), entrance=entrance),
            chain.ask(VIEW, bearer(token), entrance=entrance, host=host(STAFF)),
        ]
        assert before == [DENY, REJECTED]
        secret = chain.self_service.enrol_totp(chain.self_service.log_in(admin))
        chain.self_service.step_up(token, secret)
        after = [
            chain.ask(EXPORT, bearer(token), entrance=entrance),
            chain.ask(VIEW, bearer(token), entrance=entrance, host=host(STAFF)),
        ]
        assert after == [ALLOW, ALLOW]

    def test_a_second_factor_gives_no_role(self, chain: Chain, entrance: Entrance) -> None:
        editor = member(chain, "editor")
        token = chain.self_service.log_in(editor)
        chain.self_service.enrol_totp(token)
        assert chain.ask(VIEW, bearer(token), entrance=entrance, host=host(STAFF)) == ALLOW
        assert chain.ask(EXPORT, bearer(token), entrance=entrance) == DENY

    def test_somebody_who_has_a_second_factor_may_still_come_with_one(
        self, chain: Chain, entrance: Entrance
    ) -> None:
        """Else they would get a 401 that no second factor mends (`session.whoami.required_aal`)."""
        person = member(chain)
        chain.self_service.enrol_totp(chain.self_service.log_in(person))
        assert chain.ask(VIEW, session(chain, person), entrance=entrance) == ALLOW


@pytest.mark.parametrize("entrance", Entrance)
class TestForgery:
    """Whoever writes claims writes no identity."""

    A_SESSION: Final = {
        "id": "00000000-0000-0000-0000-000000000000",
        "active": True,
        "expires_at": "2999-01-01T00:00:00Z",
        "authenticator_assurance_level": "aal2",
        "identity": {
            "id": "00000000-0000-0000-0000-000000000000",
            "schema_id": "person",
            "traits": {"org": "acme", "roles": ["admin"]},
            "metadata_public": {"roles": ["admin"]},
        },
    }

    @pytest.mark.parametrize("client", [NOTES, NOTES_JWT], ids=lambda client: client.id)
    @pytest.mark.usefixtures("cast")
    def test_claims_that_look_like_a_session_are_claims(
        self, chain: Chain, client: Client, entrance: Entrance
    ) -> None:
        person = member(chain)
        claims = {**self.A_SESSION, "org": "acme", "roles": ["admin"], "holder": ["user"]}
        token = bearer(chain.hydra.token_for(client, person, claims))
        assert chain.ask(VIEW, token, entrance=entrance) == ALLOW
        assert chain.ask(DELETE, token, entrance=entrance) == DENY
        assert chain.ask(EXPORT, token, entrance=entrance) == DENY
        assert chain.ask(VIEW, token, entrance=entrance, host=host("kratos")) == MISMATCH

    @pytest.mark.parametrize("name", ["iss", "sub", "exp", "nbf", "iat", "jti", "scp"])
    @pytest.mark.usefixtures("cast")
    def test_an_introspected_token_that_poses_as_a_jwt_is_nobodys(
        self, chain: Chain, name: str, entrance: Entrance
    ) -> None:
        token = chain.hydra.token_for(NOTES, member(chain), {"org": "acme", name: "forged"})
        assert chain.ask(VIEW, bearer(token), entrance=entrance) == MISMATCH

    @pytest.mark.parametrize("client", [NOTES, NOTES_JWT], ids=lambda client: client.id)
    @pytest.mark.usefixtures("cast")
    def test_claims_change_neither_client_nor_scope(
        self, chain: Chain, client: Client, entrance: Entrance
    ) -> None:
        person = member(chain)
        forged = {"org": "acme", "client_id": person.id, "scope": "documents.list", "username": ""}
        token = bearer(chain.hydra.token_for(client, person, forged))
        assert chain.ask(VIEW, token, entrance=entrance) == ALLOW

    @pytest.mark.usefixtures("cast")
    @pytest.mark.parametrize(
        "claims",
        [
            {},
            {"scope": "documents.read"},
            {"scp": ["documents.read"]},
            {"scopes": "documents.read"},
            {"client_id": "ID"},
        ],
    )
    def test_an_id_token_opens_nothing(
        self, chain: Chain, entrance: Entrance, claims: Mapping[str, Any]
    ) -> None:
        """Hydra signs it with a key that Oathkeeper finds beside that of access tokens.

        Whatever the consent page puts into it, as the granted scope or the person for a client.
        """
        client = Client(f"app-{uuid.uuid4()}", Grant.AUTHORIZATION_CODE, "openid documents.read")
        chain.hydra.register(client)
        person = member(chain)
        said = {name: person.id if text == "ID" else text for name, text in claims.items()}
        token = chain.hydra.id_token_for(client, person, {"org": "acme", **said})
        assert chain.ask(VIEW, bearer(token), entrance=entrance) == Answer(
            403, "principal_rejected"
        )

    def test_a_jwt_that_hydra_did_not_sign_is_a_401(
        self, chain: Chain, cast: Cast, entrance: Entrance
    ) -> None:
        token = Issuer().sign(
            iss=f"http://127.0.0.1:{chain.ports.hydra_public}",
            sub=cast.ed.id,
            exp=int(time.time()) + 60,
            scp=["documents.read"],
            ext={"org": "acme"},
        )
        assert chain.ask(VIEW, bearer(token), entrance=entrance) == UNAUTHENTICATED

    def test_a_wrong_secret_is_a_401(self, chain: Chain, entrance: Entrance) -> None:
        assert chain.ask(FEED, basic("reader", "guessed"), entrance=entrance) == UNAUTHENTICATED


def test_no_credential_and_no_claim_is_in_the_authorizers_log(chain: Chain, cast: Cast) -> None:
    for credential in cast.credentials.values():
        for entrance in Entrance:
            chain.ask(VIEW, credential, entrance=entrance)
    token = chain.hydra.token_for(NOTES, member(chain), {"org": "acme", "project": "a-claim"})
    assert chain.ask(VIEW, bearer(token)) == ALLOW
    log = chain.programs["authorizer"].log.read_text()
    assert cast.ed.id in log
    shown = [credential.value.split(" ", 1)[-1] for credential in cast.credentials.values()]
    for secret in (*shown, "a-claim", cast.ed.traits["email"]):
        assert secret not in log


class TestEscalation:
    """What `Who may write what` warns of."""

    def test_people_make_themselves_admins_where_roles_come_from_a_trait_that_they_write(
        self, chain: Chain
    ) -> None:
        person = member(chain)
        token = chain.self_service.log_in(person)
        assert chain.ask(DELETE, bearer(token), host=host(TRUSTING)) == DENY
        raised = {**person.traits, "roles": ["admin"]}
        assert chain.self_service.write_traits(token, raised) == 200
        assert chain.ask(DELETE, bearer(token), host=host(TRUSTING)) == ALLOW
        # The shipped profile takes roles from what only an administrator writes.
        assert chain.ask(DELETE, bearer(token)) == DENY

    def test_people_move_to_another_organisation_where_they_write_their_traits(
        self, chain: Chain
    ) -> None:
        """Whatever the profile: a trait that decides must not be its owner's to write."""
        person = member(chain)
        token = chain.self_service.log_in(person)
        elsewhere = Question("GET", "/orgs/initech/documents/plan")
        assert chain.ask(elsewhere, bearer(token)) == DENY
        assert chain.self_service.write_traits(token, {**person.traits, "org": "initech"}) == 200
        assert chain.ask(elsewhere, bearer(token)) == ALLOW

    @pytest.mark.parametrize(
        "more", [{"roles": ["admin"]}, {"org": "globex"}, {"clearance": 3}], ids=str
    )
    def test_as_shipped_nobody_writes_a_trait_of_theirs(
        self, shared_chain: Chain, more: Mapping[str, Any]
    ) -> None:
        person = member(shared_chain)
        token = shared_chain.self_service.log_in(person)
        assert shared_chain.self_service.write_traits(token, {**person.traits, **more}) == 404
        denied = [DELETE, Question("GET", "/orgs/globex/documents/plan")]
        denied.append(Question("GET", "/orgs/acme/reports/q3"))
        assert [shared_chain.ask(one, bearer(token)) for one in denied] == [DENY] * 3


def member(chain: Chain, *roles: str) -> Person:
    """Create a member of acme."""
    traits = {"email": f"{uuid.uuid4()}@acme.test", "org": "acme"}
    return chain.kratos.create("sam", traits, roles)


def session(chain: Chain, person: Person) -> Credential:
    return bearer(chain.self_service.log_in(person))


def browser_session(chain: Chain, person: Person) -> Credential:
    return cookie(chain.self_service.log_in_by_browser(person))
