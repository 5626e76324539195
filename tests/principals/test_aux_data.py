"""A profile may pass on the caller's JWT: the principal's own, or none, and never to a log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwts import jwt_of, segment, unsigned
from msgspec.structs import replace
from sessions import NOW, question, session
from tokens import introspected, jwt

from authorizer.config.loading import load
from authorizer.contract.decode import decode
from authorizer.errors import ConfigError
from authorizer.model import AuxData, Deny, Principal, Reason
from authorizer.principals.aux_data import JwtSource
from authorizer.principals.identity import Rejected
from authorizer.principals.kept import KeptPrincipals
from authorizer.principals.profiles import Profiles, compile_profiles
from authorizer.source.yaml import load_yaml
from authorizer.wiring.snapshot import build_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from authorizer.model import AccessRequest

CLAIMS = {name: value for name, value in jwt().items() if name != "ext"}
TOKEN = jwt_of(CLAIMS)
SOURCE = JwtSource("authorization", "hydra")


def profiles(text: str) -> Profiles:
    return compile_profiles(load_yaml(text.encode(), "profiles"), load_yaml(b"kratos", "default"))


PASSING = profiles("""
jwt: {shape: claims, roles: {from: ["${holder}"]}, aux_data: {jwt: {key_set: hydra}}}
hydra: {shape: introspection, roles: {from: ["${holder}"]}, aux_data: {jwt: {key_set: hydra}}}
header:
  shape: session
  roles: {always: [user]}
  aux_data: {jwt: {header: X-Session-Token, key_set: kratos}}
""")


def asked(
    *authorization: str,
    extra: dict[str, Any] | None = None,
    profile: str = "jwt",
    subject: str = "ann",
) -> AccessRequest:
    """Return the question about a request with these `Authorization` headers."""
    whole = jwt() if extra is None else extra
    return replace(question(whole, subject, profile), authorization=authorization)


def passed(request: AccessRequest) -> AuxData | None:
    found = PASSING.identify(request, NOW)
    assert isinstance(found, Principal), found
    return found.aux_data


def test_the_callers_own_jwt_is_passed_on() -> None:
    assert passed(asked(f"Bearer {TOKEN}")) == AuxData("hydra", TOKEN)


def test_a_profile_that_does_not_say_so_passes_nothing_on() -> None:
    found = profiles("{}").identify(asked(f"Bearer {TOKEN}"), NOW)
    assert isinstance(found, Principal)
    assert found.aux_data is None


def test_a_header_of_the_payload_holds_the_token_alone() -> None:
    """So does Oathkeeper read it (`token_from.header`)."""
    base = question(session(), "ann", "header")
    assert passed(replace(base, headers={"x-session-token": (TOKEN,)})) == AuxData("kratos", TOKEN)
    assert passed(replace(base, headers={"x-session-token": (f"Bearer {TOKEN}",)})) is None
    assert passed(replace(base, authorization=(f"Bearer {TOKEN}",))) is None


def test_the_header_of_the_payload_is_not_that_of_the_request() -> None:
    request = replace(asked(), headers={"authorization": (f"Bearer {TOKEN}",)})
    assert passed(request) is None


def test_an_introspected_token_that_is_a_jwt_is_passed_on_too() -> None:
    """It names neither issuer nor id in `extra`, so that the subject is what ties it."""
    request = asked(f"Bearer {TOKEN}", extra=introspected(), profile="hydra")
    assert passed(request) == AuxData("hydra", TOKEN)


HEADER = segment(b'{"alg":"RS256"}')
BODY = segment(b'{"sub":"ann"}')
NO_JWTS: list[str] = [
    "",
    "Bearer",
    "Bearer ",
    TOKEN,
    f"Basic {TOKEN}",
    f"bearer  {TOKEN}",
    f"Bearer {TOKEN} ",
    f"Bearer {TOKEN}, Bearer {TOKEN}",
    "Bearer ory_st_MgYPvZbrVFsNQ2cQ3vkmA9tQ8Nq5q0Gf",
    "Bearer ory_at_2lvG9zUOyrC0bAzyYfZt1sTSjL8d0pHb.YxYmgqk7",
    "Bearer a.b.c",
    f"Bearer {HEADER}.{BODY}",
    f"Bearer {HEADER}.{BODY}.",  # not signed (RFC 7519, section 6)
    f"Bearer {HEADER}..c2ln",
    f"Bearer {HEADER}.{BODY}.c2ln.c2ln",
    f"Bearer {HEADER}.{BODY}.c2ln.c2ln.c2ln",  # encrypted (RFC 7516)
    f"Bearer {HEADER}.{BODY}.c2ln=",
    f"Bearer {HEADER}.{BODY}.c2+n",
    f"Bearer {segment(b'[]')}.{BODY}.c2ln",
    f"Bearer {segment(b'RS256')}.{BODY}.c2ln",
    f"Bearer {HEADER}.{segment(b'[1]')}.c2ln",
    f"Bearer {HEADER}.{segment(b'a text')}.c2ln",
    f"Bearer {HEADER}.{segment(b'[' * 9000)}.c2ln",
    f"Bearer {HEADER}.{segment(bytes([0xFF]))}.c2ln",
    f"Bearer {HEADER}.{BODY}x.c2ln",
    f"Bearer {TOKEN}\N{FULLWIDTH DIGIT ONE}",
]


@pytest.mark.parametrize("authorization", NO_JWTS)
def test_what_is_no_jwt_is_not_passed_on(authorization: str) -> None:
    """A policy that reads a claim then finds none, and denies."""
    assert passed(asked(authorization)) is None


def test_without_a_token_there_is_nothing_to_pass_on() -> None:
    assert passed(asked()) is None


OTHERS: list[dict[str, Any]] = [
    {**CLAIMS, "sub": "bob"},
    {**CLAIMS, "sub": None},
    {**CLAIMS, "sub": ["ann"]},
    {name: value for name, value in CLAIMS.items() if name != "sub"},
    {**CLAIMS, "iss": "https://other.test/"},
    {**CLAIMS, "jti": "token-2"},
    {name: value for name, value in CLAIMS.items() if name != "jti"},
    # A wider token of the same person, where the issuer gives its tokens no id.
    *({**CLAIMS, name: CLAIMS[name] + 1} for name in ("exp", "iat", "nbf")),
    {**CLAIMS, "client_id": "another"},
    {},
]


@pytest.mark.parametrize("claims", OTHERS)
def test_a_jwt_that_is_not_the_one_that_was_verified_is_a_rejection(claims: dict[str, Any]) -> None:
    """An authenticator may take its token from a cookie, and the caller send another beside it."""
    found = PASSING.identify(asked(f"Bearer {jwt_of(claims)}"), NOW)
    assert found == Deny(
        Reason.PRINCIPAL_REJECTED,
        "profile jwt: the JWT in the header authorization is not the principal's",
    )


def test_a_jwt_of_another_person_is_no_aux_data_of_a_session() -> None:
    request = question(session(), "ann", "header")
    other = replace(request, headers={"x-session-token": (jwt_of({"sub": "bob"}),)})
    assert isinstance(PASSING.identify(other, NOW), Deny)


@pytest.mark.parametrize("second", [TOKEN, "", "ory_at_a.b"])
def test_two_headers_are_a_rejection(second: str) -> None:
    """Which of them Oathkeeper verified is unknown."""
    why = "the header authorization is there twice; which was verified?"
    found = PASSING.identify(asked(f"Bearer {TOKEN}", second), NOW)
    assert found == Deny(Reason.PRINCIPAL_REJECTED, f"profile jwt: {why}")
    request = replace(question(session(), "ann", "header"), headers={"x-session-token": ("", "")})
    assert isinstance(PASSING.identify(request, NOW), Deny)


@given(text=st.text(max_size=60) | st.from_regex(r"[Bb]earer [\w.=-]*", fullmatch=True))
def test_any_header_is_a_token_or_not(text: str) -> None:
    found = SOURCE.read(asked(text))
    assert found is None or isinstance(found, Rejected)


@given(payload=st.binary(max_size=60), head=st.binary(max_size=20))
def test_any_three_segments_are_a_token_or_not(payload: bytes, head: bytes) -> None:
    token = f"{segment(head)}.{segment(payload)}.c2ln"
    found = SOURCE.read(asked(f"Bearer {token}"))
    assert found is None or isinstance(found, Rejected)


@pytest.mark.parametrize("subject", ["ann", "bob"])
def test_nothing_says_a_token(subject: str) -> None:
    """No repr of a request or a principal, and no reason of a deny."""
    request = asked(f"Bearer {TOKEN}", subject=subject, extra=jwt(sub=subject))
    request = replace(request, headers={"x-session-token": (TOKEN,)})
    found = PASSING.identify(request, NOW)
    assert isinstance(found, Principal if subject == "ann" else Deny)
    said = f"{found!r} {found} {request!r}"
    for part in (*TOKEN.split("."), unsigned(CLAIMS)):
        assert part not in said


def test_two_requests_that_differ_in_their_token_alone_pass_on_each_its_own() -> None:
    """An introspected token's `extra` does not tell it from the next one of its subject."""
    extra = b'{"client_id":"app","scope":"openid","username":""}'
    text = (
        b'{"subject":"ann","method":"GET","url":"http://a/","profile":"hydra","extra":%b}' % extra
    )
    kept = KeptPrincipals()
    tokens = [jwt_of({**CLAIMS, "jti": f"token-{number}"}) for number in (1, 2, 1)]
    for token in (*tokens, "ory_at_a.b"):
        found = kept.identify(decode(text, (f"Bearer {token}",)), PASSING, NOW)
        assert isinstance(found, Principal)
        assert found.aux_data == (AuxData("hydra", token) if token in tokens else None)


def test_our_own_pdp_has_each_key_set_that_a_profile_names(tmp_path: Path) -> None:
    """Without it, it would refuse every question of that profile."""
    for name in ("rules", "policies"):
        (tmp_path / name).mkdir()
    route = "{id: a, match: {path: /a, methods: [GET]}, effect: allow}"
    (tmp_path / "rules" / "a.yaml").write_text(f"version: 1\nroutes: [{route}]\n")
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "authorizer.yaml").write_text("""
pdp:
  embedded: {policies: policies, key_sets: {hydra: keys.json}}
principals:
  profiles:
    good: {shape: claims, roles: {always: [a]}, aux_data: {jwt: {key_set: hydra}}}
    bad: {shape: claims, roles: {always: [a]}, aux_data: {jwt: {key_set: hidra}}}
""")
    with pytest.raises(ConfigError) as refused:
        build_snapshot(load(cwd=tmp_path))
    (problem,) = refused.value.problems
    place = "authorizer.yaml:7:74: "
    assert str(problem) == place + "`pdp.embedded.key_sets` has no `hidra` (did you mean `hydra`?)"
    # Of a PDP that runs elsewhere, nobody here knows which ones it has.
    build_snapshot(load(None, {"--pdp": ["localhost:1"]}, {}, tmp_path))


WRONG = [
    ("{shape: client, roles: {always: [a]}, aux_data: {jwt: {key_set: a}}}", "has no token"),
    ("{shape: anonymous, roles: {always: [a]}, aux_data: {jwt: {key_set: a}}}", "has no token"),
    ("{shape: claims, roles: {always: [a]}, aux_data: {}}", "`jwt` is missing"),
    ("{shape: claims, roles: {always: [a]}, aux_data: {jwt: {}}}", "`key_set` is missing"),
    ("{shape: claims, roles: {always: [a]}, aux_data: {jwt: {key_set: ''}}}", "must not be empty"),
    (
        "{shape: claims, roles: {always: [a]}, aux_data: {jwt: {key_set: a, header: 'a b'}}}",
        "expected the name of a header",
    ),
]


@pytest.mark.parametrize(("profile", "why"), WRONG)
def test_what_is_wrong_with_aux_data_is_told(profile: str, why: str) -> None:
    with pytest.raises(ConfigError) as refused:
        profiles(f"p: {profile}")
    assert why in str(refused.value)
