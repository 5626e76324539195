"""A principal that was built before is the one that would be built now."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from sessions import NOW, session

from authorizer.contract import decode as decoding
from authorizer.contract.decode import decode
from authorizer.errors import MalformedRequest
from authorizer.model import AccessRequest, AuxData, Deny, Principal
from authorizer.principals.kept import KeptPrincipals
from authorizer.principals.profiles import _VOCABULARY, compile_profiles
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

PROFILES: Final = compile_profiles(
    load_yaml(
        b"""
staff:
  shape: session
  roles: {always: [user], from: ["${extra.identity.metadata_public.roles}"]}
  require: ["${extra.identity.traits.clearance > 1}"]
  attr: {who: "${subject}"}
bearer:
  shape: claims
  roles: {always: [guest]}
  aux_data: {jwt: {key_set: hydra}}
""",
        "profiles",
    ),
    load_yaml(b"kratos", "default"),
)


def body(
    extra: object = None, subject: str = "ann", profile: str | list[str] = "kratos", **keys: object
) -> bytes:
    asked = {"subject": subject, "method": "GET", "url": "http://a.test/", "profile": profile}
    said = {} if extra is None else {"extra": extra}
    return json.dumps({**asked, **said, **keys}, separators=(",", ":")).encode()


def asked(kept: KeptPrincipals, content: bytes) -> AccessRequest:
    return decode(content, known=kept.extra_of)


def found(kept: KeptPrincipals, content: bytes, now: float = NOW) -> Principal | Deny:
    return kept.identify(asked(kept, content), PROFILES, now)


def fields(found: Principal | Deny) -> object:
    """Return what can be compared."""
    if isinstance(found, Deny):
        return found
    return (found.id, found.roles, found.attr, found.profile, found.aux_data)


def token(**claims: object) -> dict[str, Any]:
    return {"iss": "https://hydra.test/", "sub": "ann", "exp": NOW + 60, **claims}


def test_the_same_bytes_give_the_same_principal_and_are_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = KeptPrincipals()
    first = found(kept, body(session()))
    monkeypatch.setattr(decoding, "_extra", None)  # reading would be a fault now
    request = asked(kept, body(session(), url="http://a.test/other"))

    assert isinstance(first, Principal)
    assert kept.identify(request, PROFILES, NOW) is first
    assert request.extra == session()
    assert len(kept) == 1


OTHERS: Final[Mapping[str, bytes]] = {
    "another subject": body(session(), subject="bob"),
    "another profile": body(session({"clearance": 3}), profile="staff"),
    "more profiles": body(session(), profile=["kratos", "anonymous"]),
    "other traits": body(session({"email": "bob@acme.test"})),
    "other bytes that say the same": body(dict(reversed(session().items()))),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=list(OTHERS))
def test_what_differs_in_anything_is_another_one(other: bytes) -> None:
    kept = KeptPrincipals()
    first = found(kept, body(session()))
    second = found(kept, other)

    assert second is not first
    assert fields(second) == fields(PROFILES.identify(decode(other), NOW))


def test_two_subjects_of_one_client_are_two_though_all_else_is_the_same() -> None:
    extra = {"client_id": "notes-app", "scope": "documents.read", "username": ""}
    kept = KeptPrincipals()
    ids = [
        principal.id
        for subject in ("ann", "bob", "ann", "notes-app")
        if isinstance(principal := found(kept, body(extra, subject, "hydra")), Principal)
    ]
    assert ids == ["ann", "bob", "ann", "notes-app"]


@pytest.mark.parametrize(
    ("content", "until", "detail"),
    [
        (body(session(expires_at="2030-01-01T00:00:00Z")), 1893456000, "the session has expired"),
        (body(token(exp=NOW + 10), profile="bearer"), NOW + 10, "the token has expired"),
    ],
)
def test_a_kept_one_is_good_until_its_moment_and_not_later(
    content: bytes, until: float, detail: str
) -> None:
    kept = KeptPrincipals()
    assert isinstance(found(kept, content), Principal)
    assert isinstance(found(kept, content, until - 0.001), Principal)
    late = found(kept, content, until)
    assert isinstance(late, Deny)
    assert late.detail == detail


def test_a_kept_one_is_not_good_before_its_moment() -> None:
    """A clock that was put back is as good a reason as any."""
    kept = KeptPrincipals()
    content = body(token(nbf=NOW), profile="bearer")
    assert isinstance(found(kept, content), Principal)
    early = found(kept, content, NOW - 5.5)
    assert isinstance(early, Deny)
    assert early.detail == "the token is not valid yet"


@pytest.mark.parametrize(
    "content",
    [
        body(session(active=False)),
        body(session(expires_at="2020-01-01T00:00:00Z")),
        body(session(), subject="bob"),
        body(session({"clearance": 1}), profile="staff"),
        body(session(), profile="nobody"),
        body({"some": "thing"}),
    ],
)
def test_who_is_refused_is_not_kept(content: bytes) -> None:
    kept = KeptPrincipals()
    assert isinstance(found(kept, content), Deny)
    assert len(kept) == 0


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"active":true', b'"active":true,"active":true'),
        (b'"ann@acme.test"', b'"\xff"'),
        (b'"ann@acme.test"', b'"\\ud800"'),
        (b'"ann@acme.test"', b"1e999"),
        (b'"ann@acme.test"', b"[" * 40 + b"]" * 40),
    ],
)
def test_a_broken_body_is_broken_every_time(old: bytes, new: bytes) -> None:
    kept = KeptPrincipals()
    found(kept, body(session()))
    broken = body(session()).replace(old, new)
    for _ in range(2):
        with pytest.raises(MalformedRequest):
            asked(kept, broken)
    assert len(kept) == 1


def test_an_extra_of_which_the_bytes_are_not_at_hand_is_neither_kept_nor_taken_for_another() -> (
    None
):
    kept = KeptPrincipals()
    nobody = AccessRequest("ann", "GET", "http://a.test/", ("client",))
    assert isinstance(kept.identify(nobody, PROFILES, NOW), Principal)

    with_extra = replace(nobody, extra=session())
    assert isinstance(kept.identify(with_extra, PROFILES, NOW), Deny)
    by_hand = replace(with_extra, profiles=("kratos",))
    first = kept.identify(by_hand, PROFILES, NOW)
    assert isinstance(first, Principal)
    assert kept.identify(by_hand, PROFILES, NOW) is not first
    assert len(kept) == 1


def test_a_requests_token_goes_with_its_principal_and_is_not_kept() -> None:
    kept = KeptPrincipals()
    content = body(token(), profile="bearer")
    jwts = [_jwt(token(round=number)) for number in range(3)]
    principals = []
    for jwt in [*jwts, "opaque"]:
        request = decode(content, (f"Bearer {jwt}",), known=kept.extra_of)
        principal = kept.identify(request, PROFILES, NOW)
        assert isinstance(principal, Principal)
        principals.append(principal)

    assert [one.aux_data for one in principals] == [*(AuxData("hydra", jwt) for jwt in jwts), None]
    assert len({one.bare for one in principals}) == 1
    assert principals[0].bare.aux_data is None


def test_a_token_that_is_not_the_principals_is_refused_each_time() -> None:
    kept = KeptPrincipals()
    content = body(token(), profile="bearer")
    assert isinstance(found(kept, content), Principal)
    request = decode(content, (f"Bearer {_jwt(token(sub='bob'))}",), known=kept.extra_of)
    assert isinstance(kept.identify(request, PROFILES, NOW), Deny)


def test_the_longest_unused_goes_first_and_the_limit_holds() -> None:
    contents = [body(session(id=f"session-{number}")) for number in range(8)]
    whole = KeptPrincipals()
    for content in contents:
        found(whole, content)
    kept = KeptPrincipals(limit=whole.size // 2)
    for number in (0, 1, 2, 3, 0, 4, 5):
        found(kept, contents[number])
        assert kept.size <= whole.size // 2

    assert [number for number in range(8) if _is_kept(kept, contents[number])] == [0, 3, 4, 5]


def test_what_is_larger_than_the_limit_drives_nobody_out() -> None:
    kept = KeptPrincipals(limit=50_000)
    small = body(session())
    found(kept, small)
    assert isinstance(found(kept, body(session({"large": "x" * 50_000}))), Principal)
    assert len(kept) == 1
    assert _is_kept(kept, small)


def test_nothing_but_the_subject_and_extra_is_in_scope_of_what_is_kept() -> None:
    """A new name for profiles must not be a request's own, or become a part of the key."""
    assert set(_VOCABULARY.names) == {"subject", "extra", "holder"}


SUBJECTS: Final = st.sampled_from(["ann", "bob", ""])
EXTRAS: Final = st.sampled_from(
    [
        None, {}, session(), session({"clearance": 3}), session(identity={"id": "bob"}),
        session(expires_at="2026-11-24T02:06:45Z"), token(), token(sub="bob", exp=NOW + 3),
        token(nbf=NOW + 4), {"client_id": "ann", "scope": "a b", "username": ""},
    ]
)  # fmt: skip
QUESTIONS: Final = st.builds(
    body,
    EXTRAS,
    SUBJECTS,
    st.lists(
        st.sampled_from(["kratos", "staff", "bearer", "hydra", "client", "anonymous"]),
        min_size=1,
        max_size=3,
        unique=True,
    ),
)


@given(st.lists(st.tuples(QUESTIONS, st.integers(-10, 10)), max_size=30), st.integers(1, 100_000))
def test_whatever_came_before_the_answer_is_that_of_the_profiles(
    story: list[tuple[bytes, int]], limit: int
) -> None:
    kept = KeptPrincipals(limit=limit)
    for content, late in story:
        request = asked(kept, content)
        assert request == decode(content)
        assert fields(kept.identify(request, PROFILES, NOW + late)) == fields(
            PROFILES.identify(decode(content), NOW + late)
        )
        assert kept.size <= limit


def _is_kept(kept: KeptPrincipals, content: bytes) -> bool:
    request = decode(content)
    return kept.extra_of(request.profiles, request.subject, request.extra_bytes) is not None


def _jwt(claims: Mapping[str, object]) -> str:
    def segment(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{segment({'alg': 'RS256'})}.{segment(claims)}.c2ln"
