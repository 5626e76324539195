"""A session becomes its identity's principal: all its traits, none of them as an authority."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marks import MARK, marked
from sessions import EXPIRES_AT, NOW, session

from authorizer.principals.identity import Identity, Rejected
from authorizer.principals.session import fits, identify

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = st.one_of(
    st.sampled_from(
        ["auth", "", "roles", "id", "profile", "session", "identity", "traits", "Auth"]
    ),
    st.text(max_size=8),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
TRAITS = st.dictionaries(NAMES, JSON, max_size=6)


def accepted(extra: Mapping[str, Any], *, subject: str = "ann", now: float = NOW) -> Identity:
    assert fits(extra)
    found = identify(subject, extra, now)
    assert isinstance(found, Identity), found
    return found


def rejected(extra: Mapping[str, Any], *, subject: str = "ann", now: float = NOW) -> str:
    """Return why a session is rejected that has the shape of one."""
    assert fits(extra)
    found = identify(subject, extra, now)
    assert isinstance(found, Rejected), found
    return found.detail


@given(traits=TRAITS)
def test_each_trait_is_an_attribute_of_its_own_name(traits: dict[str, Any]) -> None:
    """But one without a name: Cerbos refuses the whole question that has such an attribute."""
    found = accepted(session(traits))
    assert found.attr == {name: value for name, value in traits.items() if name}
    auth: Any = found.auth
    assert auth["identity"]["traits"] == traits


@given(traits=TRAITS, other=TRAITS)
def test_no_trait_changes_what_is_said_under_auth_but_the_traits(
    traits: dict[str, Any], other: dict[str, Any]
) -> None:
    def said(these: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
        auth: Any = dict(accepted(session(these)).auth)
        return {**auth, "identity": {**auth["identity"], "traits": None}}

    assert said(traits) == said(other)


def test_what_is_said_of_the_session_and_its_identity() -> None:
    extra = session(
        {"department": "finance"},
        identity={
            "metadata_public": {"roles": ["editor"]},
            "organization_id": "org-1",
            "verifiable_addresses": [
                {"value": "ann@acme.test", "verified": True},
                {"value": "ann@other.test", "verified": False},
                {"value": "truthy@other.test", "verified": "yes"},
                {"verified": True},
                "ann@acme.test",
            ],
            "metadata_admin": {"secret": "is never sent, and is not passed on"},
        },
        authentication_methods=[{"method": "password"}, {"method": "totp"}, {}, "odd"],
        devices=[{"ip_address": "192.0.2.1"}],
    )
    found = accepted(extra)
    assert found.id == "ann"
    assert found.auth == {
        "session": {
            "id": "session-1",
            "aal": "aal1",
            "methods": ["password", "totp"],
            "authenticated_at": "2026-11-24T02:06:40.895758303Z",
            "expires_at": EXPIRES_AT,
        },
        "identity": {
            "id": "ann",
            "schema_id": "person",
            "state": "active",
            "organization_id": "org-1",
            "metadata_public": {"roles": ["editor"]},
            "verified_addresses": ["ann@acme.test"],
            "traits": {"department": "finance"},
        },
    }


@pytest.mark.parametrize("odd", [None, {}, "password", 1, [], [None]])
def test_what_kratos_leaves_out_of_a_session_is_not_made_up(odd: object) -> None:
    found: Any = accepted(
        session(authentication_methods=odd, identity={"verifiable_addresses": odd})
    ).auth
    assert found["session"]["methods"] == []
    assert found["identity"]["verified_addresses"] == []
    bare: Any = accepted(
        session(without=("authentication_methods", "authenticator_assurance_level"))
    ).auth
    assert (bare["session"]["methods"], bare["session"]["aal"]) == ([], None)


EXPIRY = [
    # expires_at, now, is it valid?
    ("2026-11-24T02:06:40Z", 1_795_486_000.0, False),  # exactly now
    ("2026-11-24T02:06:40Z", 1_795_485_999.999, True),
    ("2026-11-24T02:06:40.895758303Z", 1_795_486_000.895, True),  # nanoseconds
    ("2026-11-24T02:06:40.895758303Z", 1_795_486_000.896, False),
    ("2026-11-24T02:06:40.9999999999Z", 1_795_486_001.0, False),  # never rounded up
    ("2026-11-24T04:06:40+02:00", 1_795_485_999.0, True),  # a zone
    ("2026-11-24T04:06:40+02:00", 1_795_486_000.0, False),
    ("2026-11-23T21:06:40-05:00", 1_795_485_999.0, True),
    ("2026-11-23T21:06:40-05:00", 1_795_486_000.0, False),
    ("9999-12-31T23:59:59-14:00", 1_795_486_000.0, True),  # the calendar's ends, with a zone
    ("0001-01-01T00:00:00+14:00", 1_795_486_000.0, False),
    ("0001-01-01T00:00:00Z", 1_795_486_000.0, False),  # Go's zero time
]


@pytest.mark.parametrize(("expires_at", "now", "valid"), EXPIRY)
def test_a_session_ends_when_it_says(expires_at: str, now: float, valid: bool) -> None:  # noqa: FBT001 - a table
    extra = session(expires_at=expires_at)
    if valid:
        accepted(extra, now=now)
    else:
        assert rejected(extra, now=now) == "the session has expired"


@pytest.mark.parametrize(
    "expires_at",
    [
        "never",
        "2099-01-01",  # no time
        "2099-01-01T00:00:00",  # no zone: whose midnight?
        "2099-13-01T00:00:00Z",
        "2099-01-01T00:00:00+25:00",
        "10000-01-01T00:00:00Z",
        "4070908800",
        " ",
        "２０９９-01-01T00:00:00Z",  # noqa: RUF001 - digits, but not of a time
        "2099-01-01T00:00:00Z\x00",
        "2099-01-01T00:00:00Z\n",
        "2099-01-01 00:00:00Z",
        "2099-W01-1T00:00:00Z",
        "\ud800",
    ],
)
def test_an_expiry_that_is_no_time_is_no_session(expires_at: str) -> None:
    assert rejected(session(expires_at=expires_at)) == "the session's expires_at is not a time"


@given(
    moment=st.datetimes(
        min_value=datetime(1970, 1, 2),  # noqa: DTZ001 - the zone is drawn beside it
        max_value=datetime(9999, 12, 30),  # noqa: DTZ001 - the same
    ),
    minutes=st.integers(-14 * 60, 14 * 60),
    late=st.integers(-10_000, 10_000),
)
def test_a_session_is_valid_before_its_moment_whatever_zone_that_is_told_in(
    moment: datetime, minutes: int, late: int
) -> None:
    there = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    found = identify("ann", session(expires_at=there.isoformat()), there.timestamp() + late)
    assert isinstance(found, Identity) == (late < 0)


@given(expires_at=st.text(min_size=1))
def test_any_text_as_expiry_is_a_verdict_and_no_fault(expires_at: str) -> None:
    found = identify("ann", session(expires_at=expires_at), NOW)
    assert isinstance(found, Identity | Rejected)


REJECTED = [
    (session(active=False), "ann", "the session is not active"),
    (session(identity={"state": "inactive"}), "ann", "the identity is not active"),
    (session(identity={"state": "Active"}), "ann", "the identity is not active"),
    (session(identity={"state": ""}), "ann", "the identity is not active"),
    (session(identity={"state": None}), "ann", "the identity is not active"),
    (session(identity={"state": False}), "ann", "the identity is not active"),
    (session(identity={"state": ["active"]}), "ann", "the identity is not active"),
    (session(), "bob", "the session belongs to another identity than the subject"),
    (session(), "", "the session belongs to another identity than the subject"),
    (session(), "ANN", "the session belongs to another identity than the subject"),
    (session(), "ann ", "the session belongs to another identity than the subject"),
]


@pytest.mark.parametrize(("extra", "subject", "why"), REJECTED)
def test_a_session_that_is_not_accepted(extra: dict[str, Any], subject: str, why: str) -> None:
    assert rejected(extra, subject=subject) == why


def test_absent_state_counts_as_active() -> None:
    auth: Any = accepted(session(without=("identity.state",))).auth
    assert auth["identity"]["state"] == "active"


NO_SESSIONS: list[dict[str, Any] | None] = [
    None,
    {},
    *(session(without=(key,)) for key in ("id", "active", "expires_at", "identity")),
    *(session(without=(f"identity.{key}",)) for key in ("id", "schema_id", "traits")),
    session(id=""),
    session(id=1),
    session(active="true"),
    session(active=1),
    session(active=None),
    session(expires_at=4070908800),
    session(expires_at=""),
    {**session(), "identity": "ann"},
    {**session(), "identity": [session()["identity"]]},
    session(identity={"id": ""}),
    session(identity={"id": None}),
    session(identity={"schema_id": 1}),
    session(identity={"traits": None}),
    session(identity={"traits": ["email"]}),
    # An introspected token, its `ext` claims dressed up as a session.
    session(client_id="a-client"),
    session(scope="openid"),
    session(client_id=None),
    session(scope=""),
]


@pytest.mark.parametrize("extra", NO_SESSIONS)
def test_what_has_not_the_shape_of_a_session(extra: dict[str, Any] | None) -> None:
    assert not fits(extra)


@given(extra=st.dictionaries(NAMES, JSON, max_size=4), keys=st.data())
def test_any_object_has_the_shape_or_has_not(extra: dict[str, Any], keys: st.DataObject) -> None:
    whole = {**session(), **extra}
    for key in keys.draw(st.lists(st.sampled_from(sorted(session())), unique=True)):
        whole.pop(key, None)
    if fits(whole):
        assert isinstance(identify("ann", whole, NOW), Identity | Rejected)


@given(extra=TRAITS)
def test_no_claim_makes_a_token_a_session(extra: dict[str, Any]) -> None:
    assert not fits({**session(), **extra, "client_id": "c", "scope": "openid"})


@given(
    traits=TRAITS,
    subject=st.sampled_from([f"{MARK}ann", MARK, "bob"]),
    wrong=st.sampled_from(
        [
            {"active": False},
            {"active": True},
            {"expires_at": MARK},
            {"expires_at": "2001-01-01T00:00:00Z"},
        ]
    ),
    state=st.sampled_from([MARK, "active"]),
)
def test_a_rejection_quotes_no_value(
    traits: dict[str, Any], subject: str, wrong: dict[str, Any], state: str
) -> None:
    extra = {**marked(session(traits)), "expires_at": EXPIRES_AT, **wrong}
    extra["identity"]["state"] = state
    found = identify(subject, extra, NOW)
    if isinstance(found, Rejected):
        assert MARK not in found.detail
    else:
        assert (subject, state, wrong) == (f"{MARK}ann", "active", {"active": True})
