"""Which profile a request is of, and what that profile makes of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marks import MARK, marked
from sessions import NOW, question, session
from tokens import jwt

from authorizer.config.loading import load
from authorizer.errors import ConfigError
from authorizer.model import Deny, Principal, Reason
from authorizer.principals.profiles import Profiles, compile_profiles
from authorizer.source.yaml import load_yaml
from authorizer.wiring.snapshot import build_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from authorizer.model import AccessRequest


def profiles(text: str = "{}", default: str = "kratos") -> Profiles:
    named = load_yaml(default.encode(), "default")
    return compile_profiles(load_yaml(text.encode(), "profiles"), named)


BUILT_IN = profiles()


def principal(request: AccessRequest, of: Profiles = BUILT_IN) -> Principal:
    found = of.identify(request, NOW)
    assert isinstance(found, Principal), found
    return found


def denial(request: AccessRequest, of: Profiles = BUILT_IN) -> Deny:
    found = of.identify(request, NOW)
    assert isinstance(found, Deny), found
    return found


# --- which profile -----------------------------------------------------------------------------

SESSION = session()
TOKEN = {"client_id": "c", "scope": "openid", "username": ""}
JWT = {"iss": "https://hydra.test/", "sub": "ann", "client_id": "app", "scp": ["openid"], "ext": {}}
# what is known, the subject, the payload's profiles, what comes of it (a profile or a reason)
CHOSEN: list[tuple[Mapping[str, Any] | None, str, tuple[str, ...], str]] = [
    (SESSION, "ann", (), "kratos"),  # the default
    (SESSION, "ann", ("kratos",), "kratos"),
    (SESSION, "ann", ("kratos", "anonymous"), "kratos"),
    (SESSION, "ann", ("anonymous", "kratos"), "kratos"),
    (None, "anonymous", ("kratos", "anonymous"), "anonymous"),
    (None, "guest", ("anonymous",), "anonymous"),
    (None, "", ("anonymous",), "anonymous"),  # noop
    ({}, "", ("anonymous",), "anonymous"),
    ({}, "guest", ("anonymous",), "anonymous"),
    # The shape chooses only within the list.
    (SESSION, "ann", ("anonymous",), "profile_mismatch"),
    (None, "guest", ("kratos",), "profile_mismatch"),
    (None, "guest", (), "profile_mismatch"),
    (None, "", (), "profile_mismatch"),
    # A real subject is not anonymous, whatever is (not) known of it.
    (None, "ann", ("anonymous",), "profile_mismatch"),
    ({}, "ann", ("kratos", "anonymous"), "profile_mismatch"),
    (None, "Guest", ("anonymous",), "profile_mismatch"),
    (None, " ", ("anonymous",), "profile_mismatch"),
    ({"anything": None}, "guest", ("anonymous",), "profile_mismatch"),
    # A token is no session, not even one whose claims look like one.
    (TOKEN, "c", ("kratos",), "profile_mismatch"),
    ({**SESSION, **TOKEN}, "ann", ("kratos", "anonymous"), "profile_mismatch"),
    # A token is what its own profile says, and a list holds for tokens, too.
    (TOKEN, "c", ("hydra",), "hydra"),
    (TOKEN, "c", ("kratos", "hydra", "jwt", "anonymous"), "hydra"),
    (TOKEN, "c", ("jwt",), "profile_mismatch"),
    (TOKEN, "c", ("client",), "profile_mismatch"),
    (JWT, "ann", ("jwt",), "jwt"),
    (JWT, "ann", ("kratos", "hydra", "jwt", "anonymous"), "jwt"),
    (JWT, "ann", ("hydra",), "profile_mismatch"),
    (JWT, "ann", ("kratos",), "profile_mismatch"),
    (JWT, "app", ("jwt",), "principal_rejected"),
    (SESSION, "ann", ("kratos", "hydra", "jwt"), "kratos"),
    (SESSION, "ann", ("hydra", "jwt", "client"), "profile_mismatch"),
    # The `ext` of an introspected token stands beside what Oathkeeper writes.
    ({**SESSION, **TOKEN}, "ann", ("kratos", "hydra"), "hydra"),
    ({**JWT, **TOKEN}, "ann", ("hydra",), "profile_mismatch"),
    ({**JWT, **TOKEN}, "ann", ("jwt",), "profile_mismatch"),
    ({**JWT, **TOKEN}, "ann", ("hydra", "jwt"), "profile_mismatch"),
    ({**TOKEN, "iss": "https://kratos.test"}, "ann", ("hydra", "jwt"), "profile_mismatch"),
    # The claims of a JWT do not make it a session.
    ({**SESSION, "sub": "ann"}, "ann", ("kratos",), "profile_mismatch"),
    ({**SESSION, **JWT}, "ann", ("kratos", "jwt"), "jwt"),
    # A session's traits do not make it a token.
    (session({**TOKEN, **JWT}), "ann", ("kratos", "hydra", "jwt"), "kratos"),
    # A client by its secret: the subject, and nothing else.
    (None, "c", ("client",), "client"),
    ({}, "c", ("hydra", "jwt", "client"), "client"),
    (None, "", ("client",), "profile_mismatch"),
    (None, "", ("client", "anonymous"), "anonymous"),
    (None, "guest", ("client", "anonymous"), "anonymous"),
    # Which may be what Oathkeeper's `anonymous` calls its subject.
    (None, "c", ("client", "anonymous"), "profile_mismatch"),
    (None, "c", ("hydra",), "profile_mismatch"),
    # That is also what a session without `extra_from` looks like.
    (None, "ann", ("kratos", "client"), "profile_mismatch"),
    # One unknown name spoils the list: the payload and the configuration disagree.
    (SESSION, "ann", ("krato",), "profile_mismatch"),
    (SESSION, "ann", ("kratos", "nope"), "profile_mismatch"),
    (SESSION, "ann", ("KRATOS",), "profile_mismatch"),
    # The shape fits, the session is not accepted: it is not anonymous instead.
    (session(active=False), "ann", ("kratos", "anonymous"), "principal_rejected"),
    (SESSION, "", ("kratos", "anonymous"), "principal_rejected"),
]


@pytest.mark.parametrize(("extra", "subject", "names", "expected"), CHOSEN)
def test_the_profile_is_named_by_the_payload_and_checked_by_shape(
    extra: Mapping[str, Any] | None, subject: str, names: tuple[str, ...], expected: str
) -> None:
    found = BUILT_IN.identify(question(extra, subject, *names), NOW)
    match found:
        case Principal():
            assert found.profile == expected
            auth: Any = found.attr["auth"]
            assert auth["profile"] == expected
        case Deny():
            assert found.reason.value == expected


def test_a_shape_that_fits_two_profiles_is_a_deny() -> None:
    two = profiles("staff: {shape: session, roles: {always: [staff]}}")
    found = denial(question(SESSION, "ann", "kratos", "staff"), two)
    assert found.reason is Reason.PROFILE_MISMATCH
    assert "more than one profile of kratos or staff" in found.detail
    assert principal(question(SESSION, "ann", "staff"), two).roles == ("staff",)


@pytest.mark.parametrize("extra", [None, {}])
def test_a_subject_of_whom_nothing_is_known_earns_a_hint(extra: dict[str, Any] | None) -> None:
    found = denial(question(extra, "ann", "kratos"))
    assert found.reason is Reason.PROFILE_MISMATCH
    assert "`extra_from`" in found.detail
    assert "ann" not in found.detail


def test_without_a_subject_there_is_no_such_hint() -> None:
    assert "extra_from" not in denial(question(None, "", "kratos")).detail


def test_a_mismatch_names_the_keys_that_were_seen_and_look_like_names() -> None:
    """A key may be somebody's address, or a token."""
    secret = ("odd\n", "x" * 41, "ann@acme.test", "ory_st_" + "x" * 32)
    extra = {"scope": "a", "client_id": "b", **dict.fromkeys(secret, "c")}
    found = denial(question(extra, "ann"))
    assert found.detail == (
        "extra does not have the shape of kratos; its keys are client_id, scope; missing for "
        "kratos, or of another type: id, active, expires_at, identity"
    )
    assert not any(text in found.detail for text in secret)


KEYS = ("id", "active", "expires_at", "identity.id", "identity.schema_id", "identity.traits")


@pytest.mark.parametrize(
    ("extra", "names", "detail"),
    [
        *(
            (
                session(without=(key,)),
                ["kratos"],
                f"; missing for kratos, or of another type: {key}",
            )
            for key in KEYS
        ),
        (
            session(without=("identity",)),
            ["kratos"],
            "; missing for kratos, or of another type: identity",
        ),
        (session(active="yes"), ["kratos"], "; missing for kratos, or of another type: active"),
        (
            session(without=("id", "identity.traits")),
            ["kratos"],
            "; missing for kratos, or of another type: id, identity.traits",
        ),
        (session(scope=""), ["kratos"], "; kratos never has scope"),
        (
            {"client_id": "a", "scope": ""},
            ["hydra", "jwt"],
            (
                "; missing for hydra, or of another type: username"
                "; missing for jwt, or of another type: iss, sub"
            ),
        ),
        ({"iss": "a", "sub": 1}, ["jwt"], "; missing for jwt, or of another type: sub"),
        ({"role": "a"}, ["anonymous"], "; anonymous has no extra"),
    ],
)
def test_a_mismatch_names_the_keys_that_are_missing(
    extra: dict[str, Any], names: list[str], detail: str
) -> None:
    assert denial(question(extra, "ann", *names)).detail.endswith(detail)


def test_a_mismatch_names_twenty_keys_at_most() -> None:
    detail = denial(question({f"k{number:03}": 1 for number in range(500)}, "ann")).detail
    assert detail.count("k0") == 20


def test_an_unknown_profile_is_told_what_there_is_and_is_not_repeated() -> None:
    found = denial(question(SESSION, "ann", "made-up-by-somebody"))
    assert found.detail.endswith("there is anonymous, client, hydra, jwt, kratos")
    assert "made-up" not in found.detail


# --- what is made of a request -----------------------------------------------------------------

NAMES = st.sampled_from(["auth", "", "roles", "role", "profile", "a"]) | st.text(max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TRAITS = st.dictionaries(NAMES, JSON, max_size=6)


@given(traits=TRAITS)
def test_traits_are_attributes_and_never_an_authority(traits: dict[str, Any]) -> None:
    plain: Any = principal(question(session({})))
    found: Any = principal(question(session(traits)))
    own = {name: value for name, value in traits.items() if name not in ("", "auth")}
    assert {name: value for name, value in found.attr.items() if name != "auth"} == own
    assert found.attr["auth"]["identity"]["traits"] == traits
    assert found.attr["auth"]["profile"] == "kratos"
    assert found.attr["auth"]["session"] == plain.attr["auth"]["session"]
    assert found.attr["auth"].keys() == plain.attr["auth"].keys()
    assert (found.id, found.roles) == (plain.id, plain.roles) == ("ann", ("user",))


# metadata_public, and the roles (None: the principal is rejected)
ROLES: list[tuple[object, tuple[str, ...] | None]] = [
    (None, ("user",)),
    ({}, ("user",)),
    ({"roles": None}, ("user",)),
    ({"roles": []}, ("user",)),
    ({"roles": ["editor"]}, ("user", "editor")),
    ({"roles": ["editor", "user", "editor"]}, ("user", "editor")),
    ({"roles": ["b", "a"]}, ("user", "b", "a")),
    ({"Roles": ["editor"]}, ("user",)),
    ({"roles": "editor"}, None),
    ({"roles": ["editor", ""]}, None),
    ({"roles": ["editor", None]}, None),
    ({"roles": ["editor", 1]}, None),
    ({"roles": [["editor"]]}, None),
    ({"roles": {"editor": True}}, None),
    ({"roles": True}, None),
    ({"roles": 0}, None),
    ({"roles": ""}, None),
    ("roles", ("user",)),
    (["roles"], ("user",)),
]


@pytest.mark.parametrize(("metadata", "roles"), ROLES)
def test_roles_are_what_an_administrator_wrote(
    metadata: object, roles: tuple[str, ...] | None
) -> None:
    request = question(session(identity={"metadata_public": metadata}))
    if roles is not None:
        assert principal(request).roles == roles
    else:
        found = denial(request)
        assert found.reason is Reason.PRINCIPAL_REJECTED
        source = "${extra.identity.metadata_public.roles}"
        assert found.detail == f"profile kratos: {source}: expected a list of role names"


def test_without_metadata_there_is_the_one_role() -> None:
    assert principal(question(session(without=("identity.metadata_public",)))).roles == ("user",)


@given(
    somewhere=st.sampled_from(["traits", "metadata_admin", "roles", "credentials"]),
    value=TRAITS | st.just(["admin"]),
)
def test_no_other_place_gives_roles(somewhere: str, value: Any) -> None:  # noqa: ANN401 - JSON
    there = {"roles": ["admin"], "metadata_public": {"roles": ["admin"]}}
    value = {**value, **there} if isinstance(value, dict) else there
    extra = session(identity={somewhere: value}, roles=["admin"], metadata_public=there)
    assert principal(question(extra)).roles == ("user",)


def test_nobody_in_particular() -> None:
    found = principal(question(None, "guest", "anonymous"))
    assert (found.id, found.roles) == ("anonymous", ("anonymous",))
    assert found.attr == {"auth": {"profile": "anonymous"}}


# --- configured profiles -----------------------------------------------------------------------

STAFF = """
staff:
  shape: session
  roles:
    always: [employee]
    from:
      - ${extra.identity.metadata_public.groups}
      - "${extra.identity.schema_id == 'person' ? ['person'] : []}"
    map: {finance-team: finance, it: admin, person: person, boss: employee}
  attr:
    region: ${extra.identity.metadata_public.region}
    department: fixed
    about: {subject: "${subject}", level: "${extra.authenticator_assurance_level}", all: [1, true]}
  require:
    - ${extra.authenticator_assurance_level == 'aal2'}
    - ${subject.startsWith('a')}
"""


def employee(**metadata: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    public = {"region": "eu", "groups": ["finance-team", "unmapped", "boss"], **metadata}
    return session(
        {"department": "said by oneself", "region": "the same"},
        identity={"metadata_public": public},
        authenticator_assurance_level="aal2",
    )


def test_a_configured_profile_maps_roles_and_attributes() -> None:
    found = principal(question(employee(), "ann", "staff"), profiles(STAFF))
    assert found.roles == ("employee", "finance", "person")
    auth: Any = found.attr["auth"]
    assert auth["profile"] == found.profile == "staff"
    assert {name: value for name, value in found.attr.items() if name != "auth"} == {
        "region": "eu",
        "department": "fixed",
        "about": {"subject": "ann", "level": "aal2", "all": [1, True]},
    }


@pytest.mark.parametrize(
    ("template", "external", "found"),
    [
        ("${extra.identity.external_id}", "e-1", "e-1"),
        ("kratos:${subject}", "e-1", "kratos:ann"),
        ("${subject}/${extra.identity.external_id}", "e-1", "ann/e-1"),
        ("${extra.identity.external_id}", "", None),
        ("${extra.identity.external_id}", None, None),
        ("${extra.identity.external_id}", 7, None),
        ("${extra.identity.external_id}", ["e-1"], None),
        ("${extra.identity.external_id}", "e\n1", None),
        ("${extra.identity.external_id}", "e\N{REPLACEMENT CHARACTER}", None),
        ("${extra.identity.nowhere}", "e-1", None),
    ],
)
def test_a_profile_may_name_its_principals_otherwise(
    template: str, external: object, found: str | None
) -> None:
    """Whose session it is stays what the subject says; a text that is no id is a rejection."""
    of = profiles(f"p: {{shape: session, id: '{template}', roles: {{always: [a]}}}}")
    extra = session(identity={"external_id": external})
    if found is not None:
        assert principal(question(extra, "ann", "p"), of).id == found
    else:
        assert denial(question(extra, "ann", "p"), of).reason is Reason.PRINCIPAL_REJECTED
    deny = denial(question(extra, "bob", "p"), of)
    assert deny.detail == "the session belongs to another identity than the subject"


@pytest.mark.parametrize("groups", [None, []])
def test_a_source_that_gives_no_roles_leaves_the_others(groups: object) -> None:
    found = principal(question(employee(groups=groups), "ann", "staff"), profiles(STAFF))
    assert found.roles == ("employee", "person")


REJECTED = [
    ({**employee(), "authenticator_assurance_level": "aal1"}, "requires ${extra.authenticator_"),
    ({**employee(), "authenticator_assurance_level": None}, "requires ${extra.authenticator_"),
    (
        {k: v for k, v in employee().items() if k != "authenticator_assurance_level"},
        "extra.authenticator_assurance_level == 'aal2': a key that it reads is missing",
    ),
    (employee(groups="finance-team"), "expected a list of role names"),
    (
        session(authenticator_assurance_level="aal2", identity={"metadata_public": {}}),
        "extra.identity.metadata_public.region: there is no `region`",
    ),
]


@pytest.mark.parametrize(("extra", "why"), REJECTED)
def test_what_a_configured_profile_does_not_accept(extra: dict[str, Any], why: str) -> None:
    found = denial(question(extra, "ann", "staff"), profiles(STAFF))
    assert found.reason is Reason.PRINCIPAL_REJECTED
    assert found.detail.startswith("profile staff")
    assert why in found.detail


@pytest.mark.parametrize("value", ["true", 1, [True], {"a": 1}, None, False])
def test_only_true_meets_a_requirement(value: object) -> None:
    strict = profiles("p: {shape: session, roles: {always: [a]}, require: ['${extra.trusted}']}")
    found = denial(question(session(trusted=value), "ann", "p"), strict)
    assert found.reason is Reason.PRINCIPAL_REJECTED
    assert principal(question(session(trusted=True), "ann", "p"), strict).roles == ("a",)


def test_a_source_of_roles_that_fails_is_no_source_without_roles() -> None:
    """A policy may deny by role: whoever breaks the expression must not get rid of his roles."""
    source = profiles("p: {shape: session, roles: {always: [a], from: ['${extra.g.map(x, x)}']}}")
    found = denial(question(session(g=1), "ann", "p"), source)
    assert found.reason is Reason.PRINCIPAL_REJECTED
    assert principal(question(session(g=["b"]), "ann", "p"), source).roles == ("a", "b")
    assert principal(question(session(), "ann", "p"), source).roles == ("a",)


def test_a_principal_needs_a_role() -> None:
    without = profiles("p: {shape: session, roles: {from: ['${extra.roles}']}}")
    found = denial(question(session(), "ann", "p"), without)
    assert (found.reason, found.detail) == (
        Reason.PRINCIPAL_REJECTED,
        "profile p: roles: they are none, and a principal needs one",
    )
    assert principal(question(session(roles=["a"]), "ann", "p"), without).roles == ("a",)


def test_a_configured_profile_takes_the_place_of_a_built_in_one() -> None:
    mine = profiles("anonymous: {shape: anonymous, subjects: [nobody], roles: {always: [public]}}")
    assert principal(question(None, "nobody", "anonymous"), mine).roles == ("public",)
    assert principal(question(None, "", "anonymous"), mine).roles == ("public",)
    assert denial(question(None, "guest", "anonymous"), mine).reason is Reason.PROFILE_MISMATCH


def test_the_default_profile_is_configured() -> None:
    mine = profiles(default="anonymous")
    assert principal(question(None, "guest"), mine).profile == "anonymous"


@given(
    extra=st.one_of(
        st.dictionaries(NAMES, JSON, max_size=5),
        TRAITS.map(session),
        TRAITS.map(
            lambda public: {
                **employee(),
                "identity": session(identity={"metadata_public": public})["identity"],
            }
        ),
        JSON.map(lambda groups: employee(groups=groups)),
        JSON.map(lambda region: {**employee(region=region), "scope": region}),
    ),
    kept=st.sets(st.sampled_from(["expires_at", "authenticator_assurance_level", "identity"])),
    names=st.lists(st.sampled_from(["kratos", "anonymous", "staff"]), unique=True),
    subject=st.sampled_from([MARK, f"{MARK}ann", "ann", ""]),
)
def test_no_deny_quotes_a_value(
    extra: dict[str, Any], kept: set[str], names: list[str], subject: str
) -> None:
    whole = {key: value if key in kept else marked(value) for key, value in extra.items()}
    if isinstance(whole.get("identity"), dict):
        whole["identity"] = {**marked(whole["identity"]), "state": "active"}
    found = WITH_STAFF.identify(question(whole, subject, *names), NOW)
    if isinstance(found, Deny):
        assert MARK not in found.detail


WITH_STAFF = profiles(STAFF)


# --- what is wrong in them ---------------------------------------------------------------------

# a profile in the configuration's sixth line and after; line:column of each problem, and its text
WRONG: list[tuple[str, list[tuple[str, str]]]] = [
    ("shape: session", [("6:5", "`roles` is missing")]),
    ("roles: {always: [a]}", [("6:5", "`shape` is missing")]),
    (
        "{shape: sesion, roles: {always: [a]}}",
        [("7:15", "`client` or `anonymous` (did you mean `session`?)")],
    ),
    ("{shape: session, roles: {}}", [("7:24", "one of `always`, `from` is missing")]),
    ("{shape: session, roles: {always: []}}", [("7:40", "expected at least 1 item")]),
    ("{shape: session, roles: {always: [a, a]}}", [("7:40", "an item is there twice")]),
    ("{shape: session, roles: {always: ['']}}", [("7:41", "must not be empty")]),
    (
        "{shape: session, roles: {form: [a]}}",
        [
            ("7:24", "one of `always`, `from` is missing"),
            ("7:32", "unknown key `form` (did you mean `from`?)"),
        ],
    ),
    (
        "{shape: session, roles: {from: [extra.roles]}}",
        [("7:39", "expected one ${…}")],
    ),
    (
        "{shape: session, roles: {from: ['${extra.a}${extra.b}']}}",
        [("7:39", "expected one ${…}, and nothing beside it")],
    ),
    (
        "{shape: session, roles: {from: ['${subject}']}}",
        [("7:39", "expected an expression that gives a list, not a string")],
    ),
    (
        "{shape: session, roles: {always: [a]}, require: ['${subject}']}",
        [("7:56", "expected an expression that gives a bool, not a string")],
    ),
    (
        '{shape: session, roles: {always: [a]}, require: ["${true}\\n"]}',
        [("7:56", "expected one ${…}, and nothing beside it")],
    ),
    (
        "{shape: session, roles: {always: [a]}, require: ['${subject ==}']}",
        [("7:56", "`subject ==`: Syntax error")],
    ),
    (
        "{shape: session, roles: {always: [a]}, attr: {x: '${principal.id}'}}",
        [("7:56", "undeclared reference to 'principal.id'; the names are extra, holder, subject")],
    ),
    (
        "{shape: session, roles: {always: [a]}, attr: {x: {z: ['${']}}}",
        [("7:61", "`${` is not closed")],
    ),
    (
        "{shape: session, roles: {always: [a]}, attr: {auth: {profile: kratos}}}",
        [("7:53", "as a key: ")],
    ),
    (
        "{shape: session, roles: {always: [a]}, attr: {'': 1}}",
        [("7:53", "as a key: must not be empty")],
    ),
    (
        "{shape: session, roles: {always: [a]}, id: somebody}",
        [("7:50", "everybody of this profile would be one and the same")],
    ),
    ("{shape: session, roles: {always: [a]}, id: ''}", [("7:50", "must not be empty")]),
    (
        "{shape: session, roles: {always: [a]}, subjects: [ann]}",
        [("7:46", "`subjects` says nothing about the shape `session`")],
    ),
    (
        "{shape: introspection, roles: {always: [a]}, issuers: [x]}",
        [("7:52", "`issuers` says nothing about the shape `introspection`")],
    ),
    ("{shape: claims, roles: {always: [a]}, issuers: []}", [("7:54", "expected at least 1 item")]),
    ("{shape: claims, roles: {always: [a]}, issuers: ['']}", [("7:55", "must not be empty")]),
    (
        "{shape: claims, roles: {always: [a, user]}}",
        [("7:43", "a token has the role `user` only by its issuer")],
    ),
    (
        "{shape: introspection, roles: {from: ['${extra.r}'], map: {person: user}}}",
        [("7:74", "a token has the role `user` only by its issuer")],
    ),
    (
        "{shape: client, roles: {always: [user]}}",
        [("7:40", "a token has the role `user` only by its issuer")],
    ),
    (
        "{shape: session, roles: {from: ['${x}']}, require: ['${y}']}",
        [("7:39", "undeclared reference to 'x'"), ("7:59", "undeclared reference to 'y'")],
    ),
]  # fmt: skip


CONFIG = "rules:\n  paths: [rules.yaml]\nprincipals:\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules.yaml").write_text(
        "version: 1\nroutes: [{id: a, match: {path: /a, methods: [GET]}, effect: allow}]\n"
    )
    return tmp_path


def refusals(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return what is wrong with a configuration, as `serve` would say it."""
    (folder / "authorizer.yaml").write_text(text)
    with pytest.raises(ConfigError) as refused:
        build_snapshot(load(None, None, environ, folder))
    return [str(problem) for problem in refused.value.problems]


@pytest.mark.parametrize(("profile", "problems"), WRONG)
def test_what_is_wrong_with_a_profile_is_told_in_its_place(
    folder: Path, profile: str, problems: list[tuple[str, str]]
) -> None:
    found = refusals(folder, f"{CONFIG}  profiles:\n    # ours\n    p:\n      {profile}\n")
    assert len(found) == len(problems), found
    for line, (place, message) in zip(found, problems, strict=True):
        assert line.startswith(f"authorizer.yaml:{place}: "), line
        assert message in line


def test_a_default_that_is_not_there_is_told_with_what_was_meant(folder: Path) -> None:
    (found,) = refusals(folder, f"{CONFIG}  default: krato\n")
    assert found.startswith("authorizer.yaml:4:12: the default profile `krato` is not there")
    assert "did you mean `kratos`?" in found
    environ = {"AUTHORIZER__PRINCIPALS__DEFAULT": "nope"}
    (found,) = refusals(folder, f"{CONFIG}  default: krato\n", environ)
    assert found.startswith("AUTHORIZER__PRINCIPALS__DEFAULT: the default profile `nope`")


def test_profiles_may_come_from_the_environment(folder: Path) -> None:
    profile = {"p": {"shape": "session", "roles": {"always": ["a"]}, "oops": 1}}
    environ = {"AUTHORIZER__PRINCIPALS__PROFILES": json.dumps(profile)}
    (found,) = refusals(folder, f"{CONFIG}  default: kratos\n", environ)
    assert found.startswith("AUTHORIZER__PRINCIPALS__PROFILES: unknown key `oops`")


def test_configured_profiles_stand_beside_the_built_in_ones(folder: Path) -> None:
    built_in = {"kratos", "hydra", "jwt", "client", "anonymous"}
    assert set(BUILT_IN.by_name) == built_in
    good = "{shape: session, roles: {always: [a]}}"
    (folder / "authorizer.yaml").write_text(f"{CONFIG}  profiles: {{p: {good}}}\n")
    snapshot = build_snapshot(load(None, None, {}, folder))
    assert set(snapshot.profiles.by_name) == {*built_in, "p"}


@pytest.mark.parametrize("odd", ["\x00", "\n", "\x9f", "\ufffd", "\u2028"])
def test_a_subject_that_is_not_what_it_seems_is_nobody(odd: str) -> None:
    """Oathkeeper puts U+FFFD where bytes were not UTF-8: two subjects may have become one."""
    for extra, name in ((None, "client"), (jwt(sub=f"ann{odd}"), "jwt")):
        found = denial(question(extra, f"ann{odd}", name))
        assert found.reason is Reason.PRINCIPAL_REJECTED
        assert odd not in found.detail
