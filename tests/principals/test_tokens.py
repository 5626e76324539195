"""A token becomes its subject's principal: by narrow roles, and with nothing outside `auth`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marks import MARK, marked
from sessions import NOW, question, session
from tokens import HYDRA, introspected, jwt, tokenized

from authorizer.model import Deny, Principal, Reason
from authorizer.principals import claims, introspection
from authorizer.principals import session as session_shape
from authorizer.principals.identity import Identity, Rejected
from authorizer.principals.profiles import Profiles, compile_profiles
from authorizer.principals.token import INTROSPECTED, REGISTERED
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

KRATOS = "https://kratos.acme.test/"


def profiles(text: str = "{}") -> Profiles:
    return compile_profiles(load_yaml(text.encode(), "profiles"), load_yaml(b"kratos", "default"))


BUILT_IN = profiles()


def found(
    extra: Mapping[str, Any] | None, *names: str, subject: str = "ann", of: Profiles = BUILT_IN
) -> Principal | Deny:
    return of.identify(question(extra, subject, *names), NOW)


def principal(
    extra: Mapping[str, Any] | None, *names: str, subject: str = "ann", of: Profiles = BUILT_IN
) -> Principal:
    principal = found(extra, *names, subject=subject, of=of)
    assert isinstance(principal, Principal), principal
    return principal


def auth(extra: Mapping[str, Any] | None, *names: str, subject: str = "ann") -> Any:  # noqa: ANN401 - JSON
    return principal(extra, *names, subject=subject).attr["auth"]


def denied(
    extra: Mapping[str, Any] | None, *names: str, subject: str = "ann", of: Profiles = BUILT_IN
) -> Deny:
    deny = found(extra, *names, subject=subject, of=of)
    assert isinstance(deny, Deny), deny
    return deny


KEYS = st.sampled_from(
    [*REGISTERED, *INTROSPECTED, "aud", "ext", "auth", "", "id", "identity", "active", "role"]
) | st.text(max_size=6)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=6)
    | st.just("ann"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, JSON, max_size=8)


# --- what is said of a token -------------------------------------------------------------------

ADDED = {"org": "acme", "level": 3, "ratio": 0.5, "beta": False, "none": None, "tags": [1, "a"]}


def test_one_token_says_the_same_whether_it_is_introspected_or_read() -> None:
    """But for who issued it, and when, which an introspected token does not say."""
    audience = ["https://api.acme.test"]
    opaque = auth(introspected(ADDED, aud=audience), "hydra")
    read = auth(jwt(ext=ADDED, aud=audience), "jwt")
    own = {name: value for name, value in read["claims"].items() if name in REGISTERED}
    assert set(own) == {"iss", "sub", "iat", "nbf", "exp", "jti"}
    assert opaque == {
        "profile": "hydra",
        "client_id": "app",
        "scopes": ["documents.read", "openid"],
        "audience": audience,
        "claims": ADDED,
    }
    assert read == {**opaque, "profile": "jwt", "claims": {**ADDED, **own}}


def test_a_tokenized_session_says_whose_session_it_was() -> None:
    said = auth(tokenized(email="ann@acme.test"), "jwt")
    assert (said["client_id"], said["scopes"], said["audience"]) == (None, [], [])
    assert (said["claims"]["sid"], said["claims"]["email"]) == ("session-1", "ann@acme.test")
    assert said["claims"]["exp"] == int(NOW) + 600


def test_the_id_token_of_another_oathkeeper_may_carry_a_session() -> None:
    """It is a claim like any other, and not the session it looks like."""
    extra = tokenized(iss="https://gateway.test", session=session())
    assert auth(extra, "kratos", "jwt")["claims"]["session"] == session()
    assert principal(extra, "kratos", "jwt").roles == ("delegate",)


def test_a_client_by_its_secret_is_known_by_its_name() -> None:
    client = principal(None, "client", subject="app")
    assert (client.id, client.roles) == ("app", ("client",))
    assert client.attr == {
        "auth": {
            "profile": "client",
            "client_id": "app",
            "scopes": [],
            "audience": [],
            "claims": {},
        }
    }


# what the claims say of scopes, and the scopes (None: it is rejected)
SCOPES: list[tuple[dict[str, Any], list[str] | None]] = [
    ({}, []),
    ({"scp": None}, []),
    ({"scp": []}, []),
    ({"scp": ["a", "b"]}, ["a", "b"]),
    ({"scp": ["b", "a", "b"]}, ["b", "a"]),
    ({"scp": "a b"}, ["a", "b"]),
    ({"scope": "a  b "}, ["a", "b"]),
    ({"scope": ["a"]}, ["a"]),
    ({"scope": "a\tb"}, ["a\tb"]),
    # What a consent may have put there widens nothing.
    ({"scp": ["a"], "scope": "a admin"}, ["a"]),
    ({"scp": [], "scope": "admin"}, []),
    ({"scp": None, "scope": "admin"}, []),
    ({"ext": {"scp": ["admin"], "scope": "admin"}}, []),
    # Oathkeeper writes "" for what is no text.
    ({"scp": ["a", ""]}, ["a"]),
    ({"scp": ["a", 1]}, None),
    ({"scp": ["a", None]}, None),
    ({"scp": {"a": True}}, None),
    ({"scp": 1}, None),
    ({"scp": False}, None),
    ({"scope": True}, None),
]


@pytest.mark.parametrize(("said", "scopes"), SCOPES)
def test_scopes_are_a_list(said: dict[str, Any], scopes: list[str] | None) -> None:
    extra = {name: value for name, value in jwt().items() if name != "scp"} | said
    if scopes is not None:
        assert auth(extra, "jwt")["scopes"] == scopes
        assert "scp" not in auth(extra, "jwt")["claims"]
    else:
        deny = denied(extra, "jwt")
        assert deny.reason is Reason.PRINCIPAL_REJECTED
        assert "neither a text nor a list" in deny.detail


@pytest.mark.parametrize(
    ("scope", "scopes"), [("", []), (" ", []), ("a", ["a"]), ("a b  a", ["a", "b"])]
)
def test_scopes_of_an_introspected_token_are_a_list(scope: str, scopes: list[str]) -> None:
    assert auth(introspected(scope=scope), "hydra")["scopes"] == scopes


AUDIENCES: list[tuple[object, list[str] | None]] = [
    (None, []),
    ("", []),
    ("api", ["api"]),
    ("api with spaces", ["api with spaces"]),
    ([], []),
    (["a", "b"], ["a", "b"]),
    (["a", 1], None),
    ({"a": 1}, None),
    (1, None),
    (False, None),
]


@pytest.mark.parametrize(("aud", "audience"), AUDIENCES)
@pytest.mark.parametrize(("token", "name"), [(jwt, "jwt"), (introspected, "hydra")])
def test_the_audience_is_a_list(
    token: Any,  # noqa: ANN401 - makes a token
    name: str,
    aud: object,
    audience: list[str] | None,
) -> None:
    if audience is not None:
        assert auth(token(aud=aud), name)["audience"] == audience
    else:
        assert denied(token(aud=aud), name).reason is Reason.PRINCIPAL_REJECTED


@given(ext=OBJECTS)
def test_no_claim_is_an_attribute_of_its_own_or_a_role(ext: dict[str, Any]) -> None:
    """Nor does any change what is said beside the claims; types stay."""
    for extra, name in ((introspected(ext, aud=["api"]), "hydra"), (jwt(ext=ext), "jwt")):
        if not BUILT_IN.by_name[name].fits(question(extra)):
            continue
        holder: Any = principal(extra, name)
        assert (holder.id, holder.roles) == ("ann", ("delegate",))
        assert set(holder.attr) == {"auth"}
        said = dict(holder.attr["auth"])
        known = said.pop("claims")
        assert said == {
            "profile": name,
            "client_id": "app",
            "scopes": ["documents.read", "openid"],
            "audience": ["api"] if name == "hydra" else ["https://api.acme.test"],
        }
        for key, value in ext.items():
            if key not in (*REGISTERED, *INTROSPECTED, "aud"):
                assert known[key] == value


@given(ext=st.dictionaries(st.sampled_from([*REGISTERED, "aud", "client_id"]), JSON))
def test_nothing_nested_passes_for_what_the_token_says_itself(ext: dict[str, Any]) -> None:
    bare = {"iss": HYDRA, "sub": "ann"}
    assert auth({**bare, "ext": ext}, "jwt") == auth(bare, "jwt")


def test_a_claim_at_the_top_stands_before_a_nested_one() -> None:
    assert auth(jwt(org="acme", ext={"org": "globex"}), "jwt")["claims"]["org"] == "acme"


@pytest.mark.parametrize("ext", [None, "text", 1, ["a"]])
def test_an_ext_that_is_no_object_is_a_claim(ext: object) -> None:
    assert auth(jwt(ext=ext), "jwt")["claims"]["ext"] == ext


def test_the_username_is_a_claim_where_it_says_something() -> None:
    assert auth(introspected(username="ann@acme.test"), "hydra")["claims"] == {
        "username": "ann@acme.test"
    }


# --- roles -------------------------------------------------------------------------------------

NUL = "\0"  # where CEL would end a text
ROLES: list[tuple[dict[str, Any], str, str, tuple[str, ...]]] = [
    # the token, its profile, the subject, the roles
    (introspected(), "hydra", "app", ("client",)),
    (introspected(), "hydra", "ann", ("delegate",)),
    (introspected(), "hydra", "APP", ("delegate",)),
    (introspected({"roles": ["user", "admin"], "role": "user"}), "hydra", "ann", ("delegate",)),
    (jwt(sub="app"), "jwt", "app", ("client",)),
    (jwt(), "jwt", "ann", ("delegate",)),
    (jwt(client_id=None), "jwt", "ann", ("delegate",)),
    (jwt(ext={"client_id": "ann"}, client_id=None), "jwt", "ann", ("delegate",)),
    (jwt(roles=["user", "admin"], ext={"roles": ["user"]}), "jwt", "ann", ("delegate",)),
    (tokenized(), "jwt", "ann", ("delegate",)),
    (jwt(client_id=f"ann{NUL}"), "jwt", "ann", ("delegate",)),
    (tokenized(**{f"client_id{NUL}": "ann"}), "jwt", "ann", ("delegate",)),
    (introspected({f"client_id{NUL}": "ann"}), "hydra", "ann", ("delegate",)),
]


@pytest.mark.parametrize(("extra", "name", "subject", "roles"), ROLES)
def test_a_token_is_its_clients_or_a_delegates(
    extra: dict[str, Any], name: str, subject: str, roles: tuple[str, ...]
) -> None:
    assert principal(extra, name, subject=subject).roles == roles


PEOPLE = f"""
people:
  shape: claims
  issuers: ["{KRATOS}"]
  roles: {{always: [user]}}
services:
  shape: claims
  issuers: ["{HYDRA}", "https://other.test"]
  roles: {{from: ["${{has(extra.roles) ? extra.roles : ['delegate']}}"]}}
"""
BY_ISSUER = profiles(PEOPLE)


def test_a_profile_that_names_the_issuer_can_give_the_role_of_people() -> None:
    person = principal(tokenized(), "people", of=BY_ISSUER)
    assert (person.roles, person.profile) == (("user",), "people")


@pytest.mark.parametrize(
    "iss",
    [HYDRA, KRATOS.rstrip("/"), KRATOS.upper(), f"{KRATOS} ", "", None, [KRATOS], {KRATOS: 1}, 1],
)
def test_no_other_issuer_has_the_shape(iss: object) -> None:
    deny = denied(tokenized(iss=iss), "people", of=BY_ISSUER)
    assert deny.reason is Reason.PROFILE_MISMATCH
    if isinstance(iss, str) and iss:
        assert deny.detail.endswith("the token's issuer is none of the `issuers` of people")


def test_issuers_tell_profiles_apart() -> None:
    names = ("kratos", "hydra", "people", "services")
    assert principal(tokenized(), *names, of=BY_ISSUER).profile == "people"
    assert principal(jwt(), *names, of=BY_ISSUER).profile == "services"
    assert principal(session(), *names, of=BY_ISSUER).profile == "kratos"
    # The built-in one takes any issuer, so that both fit.
    assert "more than one" in denied(tokenized(), "jwt", "people", of=BY_ISSUER).detail


def test_an_introspected_token_cannot_claim_an_issuer() -> None:
    """Its `ext` could; and an `ext` with all that a JWT has could be of anybody."""
    for names in (("people",), ("hydra", "people"), ("hydra",)):
        deny = denied(introspected(tokenized()), *names, of=BY_ISSUER)
        assert deny.reason is Reason.PROFILE_MISMATCH
        assert "an introspected token cannot be told from a JWT" in deny.detail
        assert "(iss, sub, exp, nbf, iat, jti, scp)" in deny.detail


def test_a_profile_of_ones_own_can_add_to_the_role_of_the_holder() -> None:
    mine = profiles("""
        hydra: {shape: introspection, roles: {from: ["${holder}", "${extra.groups}"]}}
        people: {shape: session, roles: {always: [person], from: ["${holder}"]}}
        apps: {shape: introspection, roles: {from: ["${holder}"], map: {client: app}}}
    """)
    extra = introspected({"groups": ["auditor"]})
    assert principal(extra, "hydra", of=mine).roles == ("delegate", "auditor")
    assert principal(session(), "people", of=mine).roles == ("person",)
    assert principal(extra, "apps", subject="app", of=mine).roles == ("app",)
    assert denied(extra, "apps", of=mine).reason is Reason.PRINCIPAL_REJECTED


@pytest.mark.parametrize("shape", ["claims", "introspection"])
def test_no_claim_gives_the_role_of_people_without_an_issuer(shape: str) -> None:
    source = profiles(f"p: {{shape: {shape}, roles: {{from: ['${{extra.roles}}']}}}}")
    extra = jwt(roles=["user"]) if shape == "claims" else introspected({"roles": ["user"]})
    deny = denied(extra, "p", of=source)
    assert deny.reason is Reason.PRINCIPAL_REJECTED
    assert deny.detail == "profile p: roles: a token gives `user` only with `issuers`"
    assert principal({**extra, "roles": ["reader"]}, "p", of=source).roles == ("reader",)
    assert principal(jwt(roles=["user"]), "services", of=BY_ISSUER).roles == ("user",)


# --- which are not accepted --------------------------------------------------------------------

REJECTED: list[tuple[dict[str, Any], str, str, str]] = [
    (introspected(), "hydra", "", "the token has no subject"),
    (introspected(client_id=""), "hydra", "", "the token has no subject"),
    (introspected(client_id=""), "hydra", "ann", "the token names no client"),
    (jwt(), "jwt", "bob", "the token is of another subject"),
    (jwt(), "jwt", "", "the token is of another subject"),
    (jwt(), "jwt", "app", "the token is of another subject"),
    (jwt(), "jwt", "ANN", "the token is of another subject"),
    # An ID token, whatever the consent page put into it.
    *(
        (
            jwt(**{name: "x"}),
            "jwt",
            "ann",
            "it is an ID token, which says who somebody is, and opens nothing",
        )
        for name in ("at_hash", "c_hash", "nonce")
    ),
    (jwt(client_id=1), "jwt", "ann", "the token's client_id is not a text"),
    (jwt(client_id=""), "jwt", "ann", "the token's client_id is not a text"),
    (jwt(client_id=["ann"]), "jwt", "ann", "the token's client_id is not a text"),
]


@pytest.mark.parametrize(("extra", "name", "subject", "why"), REJECTED)
def test_a_token_that_is_not_accepted(
    extra: dict[str, Any], name: str, subject: str, why: str
) -> None:
    assert denied(extra, name, subject=subject) == Deny(Reason.PRINCIPAL_REJECTED, why)


VALIDITY: list[tuple[dict[str, Any], str]] = [
    ({"exp": NOW + 0.001}, ""),
    ({"exp": int(NOW) + 1}, ""),
    ({"exp": 10**300}, ""),
    ({"exp": NOW}, "the token has expired"),
    ({"exp": int(NOW)}, "the token has expired"),
    ({"exp": 0}, "the token has expired"),
    ({"exp": -1.5}, "the token has expired"),
    ({"nbf": NOW}, ""),
    ({"nbf": -1}, ""),
    # The issuer's clock may be a little ahead.
    ({"nbf": NOW + 5.0}, ""),
    ({"nbf": NOW + 5.5}, "the token is not valid yet"),
    ({"nbf": 10**300}, "the token is not valid yet"),
]
NO_TIMES: list[object] = [None, True, "4070908800", "", [], {}, float("inf"), float("-inf")]


@pytest.mark.parametrize(("moments", "why"), VALIDITY)
def test_a_jwt_is_valid_between_its_moments(moments: dict[str, Any], why: str) -> None:
    if why:
        assert denied(jwt(**moments), "jwt") == Deny(Reason.PRINCIPAL_REJECTED, why)
    else:
        assert principal(jwt(**moments), "jwt").id == "ann"


@pytest.mark.parametrize("name", ["exp", "nbf"])
@pytest.mark.parametrize("wrong", NO_TIMES)
def test_a_moment_that_is_no_time_is_no_moment(name: str, wrong: object) -> None:
    deny = denied(jwt(**{name: wrong}), "jwt")
    assert deny == Deny(Reason.PRINCIPAL_REJECTED, f"the token's {name} is not a time")


def test_a_jwt_need_not_say_when_it_is_valid() -> None:
    bare = {"iss": HYDRA, "sub": "ann"}
    assert principal(bare, "jwt").roles == ("delegate",)
    # What consent added does not count.
    assert principal({**bare, "ext": {"exp": 1}}, "jwt").roles == ("delegate",)


# --- which shape -------------------------------------------------------------------------------

NO_CLAIMS: list[dict[str, Any] | None] = [
    None,
    {},
    *({key: value for key, value in jwt().items() if key != gone} for gone in ("iss", "sub")),
    jwt(iss=""),
    jwt(iss=None),
    jwt(iss=["a"]),
    jwt(sub=""),
    jwt(sub=1),
    session(),
    introspected(),
    introspected(jwt()),
    # Whatever the three are: Oathkeeper may one day write others than texts.
    jwt(scope=None, username=None),
]


@pytest.mark.parametrize("extra", NO_CLAIMS)
def test_what_has_not_the_shape_of_claims(extra: dict[str, Any] | None) -> None:
    assert not claims.fits(extra)


NOT_INTROSPECTED: list[dict[str, Any] | None] = [
    None,
    {},
    *(
        {key: value for key, value in introspected().items() if key != gone}
        for gone in INTROSPECTED
    ),
    introspected(scope=["a"]),
    introspected(client_id=None),
    introspected(username=None),
    *(introspected({name: None}) for name in REGISTERED),
    session(),
    jwt(),
]


@pytest.mark.parametrize("extra", NOT_INTROSPECTED)
def test_what_has_not_the_shape_of_an_introspected_token(extra: dict[str, Any] | None) -> None:
    assert not introspection.fits(extra)


@given(ext=OBJECTS, base=st.sampled_from([session(), jwt(), tokenized()]))
def test_whatever_its_ext_says_an_introspected_token_is_nothing_else(
    ext: dict[str, Any], base: dict[str, Any]
) -> None:
    extra = introspected({**base, **ext})
    assert not session_shape.fits(extra)
    assert not claims.fits(extra)


@given(said=OBJECTS, base=st.sampled_from([session(), introspected(), tokenized()]))
def test_whatever_it_claims_a_jwt_is_nothing_else(
    said: dict[str, Any], base: dict[str, Any]
) -> None:
    extra = {**base, **said, "sub": "ann"}
    assert not session_shape.fits(extra)
    assert not introspection.fits(extra)


@given(traits=OBJECTS, metadata=OBJECTS)
def test_whatever_its_traits_say_a_session_is_nothing_else(
    traits: dict[str, Any], metadata: dict[str, Any]
) -> None:
    extra = session(traits, identity={"metadata_public": metadata})
    assert session_shape.fits(extra)
    assert not introspection.fits(extra)
    assert not claims.fits(extra)


@given(extra=OBJECTS, base=st.sampled_from([{}, session(), jwt(), introspected()]))
def test_any_object_has_one_shape_at_most(extra: dict[str, Any], base: dict[str, Any]) -> None:
    whole = {**base, **extra}
    shapes = [session_shape.fits(whole), introspection.fits(whole), claims.fits(whole)]
    assert sum(shapes) <= 1
    if introspection.fits(whole):
        assert isinstance(introspection.identify("ann", whole), Identity | Rejected)
    if claims.fits(whole):
        assert isinstance(claims.identify("ann", whole, NOW), Identity | Rejected)


@given(
    extra=OBJECTS,
    base=st.sampled_from([{}, introspected(), jwt(), tokenized(), introspected(jwt())]),
    subject=st.sampled_from([MARK, f"{MARK}ann", ""]),
    names=st.lists(
        st.sampled_from(["kratos", "hydra", "jwt", "client", "people", "services"]), unique=True
    ),
)
def test_no_deny_quotes_a_value(
    extra: dict[str, Any], base: dict[str, Any], subject: str, names: list[str]
) -> None:
    deny = found(marked({**base, **extra}), *names, subject=subject, of=BY_ISSUER)
    if isinstance(deny, Deny):
        assert MARK not in deny.detail
