"""Explain says what the server does, for every request, and changes nothing of it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jwts import jwt_of
from serving import serving
from sessions import NOW, session

from authorizer.config.settings import Settings
from authorizer.contract.decode import decode
from authorizer.engine import Clock, decide
from authorizer.errors import PdpUnavailable
from authorizer.explain.data import as_data
from authorizer.explain.text import as_text
from authorizer.explain.trace import Explanation, explain
from authorizer.model import (
    AccessRequest,
    Allow,
    CheckResult,
    DecisionRecord,
    Deny,
    Effect,
    Principal,
    Reason,
)
from authorizer.pdp.scripted import ScriptedPdp, always
from authorizer.principals.profiles import compile_profiles
from authorizer.routing.candidates import Verdict
from authorizer.routing.compile import compile_rules
from authorizer.routing.reading import Address, Ambiguous
from authorizer.snapshot import Snapshot
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from authorizer.pdp.interface import Deadline
    from authorizer.pdp.scripted import Script

RULES: Final = """
version: 1
routes:
  - id: item
    match: {path: "/d/{id}"}
    resource: {kind: document, id: "${path.id}", attr: {of: "${subject}"}}
    actions: {GET: view, PATCH: edit}
  - {id: exact, match: {path: /d/new, methods: [POST]}, effect: allow}
  - id: move
    match: {path: "/d/{id}/move", methods: [POST]}
    require: any
    checks:
      - {resource: {kind: document, id: "${path.id}"}, action: move}
      - {resource: {kind: folder, id: "${headers['x-tenant']}"}, action: add}
  - id: file
    match: {path: "/f/{name...}", methods: ["*"], encoded_slash: keep}
    resource: {kind: file, id: "${path.name}"}
    action: read
  - id: asked
    match: {path: "/d/{id}", methods: [POST], query: {to: "*"}}
    response_headers: {X-User: "${principal.id}", X-Level: "${outputs.level}"}
    resource: {kind: document, id: "${path.id}"}
    action: ask
  - {id: open, match: {path: /open, methods: [GET]}, preflight: allow, effect: allow}
  - {id: shut, match: {path: /shut, methods: [GET]}, effect: deny}
  - {id: staff, match: {path: /staff, methods: [GET]}, profiles: [kratos], effect: allow}
  - id: watched
    match: {path: "/w/{id}", methods: [GET], hosts: [api.acme.test]}
    mode: observe
    resource: {kind: report, id: "${path.id}"}
    action: view
"""


def snapshot(profiles: str = "{}", **configured: object) -> Snapshot:
    return Snapshot(
        settings=msgspec.convert(configured, Settings),
        routes=compile_rules([load_yaml(RULES, "rules.yaml")]),
        profiles=compile_profiles(load_yaml(profiles, "profiles"), load_yaml("kratos", "default")),
        digest="digest",
        loaded_at=0.0,
    )


ENFORCING: Final = snapshot()
ALLOW: Final = always(Effect.ALLOW)
OBSERVING: Final = snapshot(enforcement="observe")
FAR: Final = session(expires_at="2999-01-01T00:00:00Z")


def body(path: str = "/d/1", method: str = "GET", **more: object) -> bytes:
    asked = {"subject": "ann", "extra": FAR, "method": method, "url": f"http://api.acme.test{path}"}
    return json.dumps({**asked, **more}).encode()


def by_id(_: Principal, check: Any) -> Effect | PdpUnavailable:  # noqa: ANN401 - a Check
    """Allow, deny or fail by the length of the resource's id, so that all of them occur."""
    answers = (Effect.ALLOW, Effect.DENY, PdpUnavailable("pdp", "nobody there"))
    return answers[len(check.resource.id) % 3]


def explained(
    asked: bytes, using: Snapshot = ENFORCING, script: Script | None = ALLOW
) -> Explanation:
    pdp = ScriptedPdp(script) if script is not None else None
    return asyncio.run(explain(decode(asked), using, pdp, now=NOW))


PATHS = st.lists(
    st.sampled_from(["d", "1", "22", "new", "NEW", "move", "f", "a%2Fb", "open", "shut", "staff",
                     "w", "%2e", "..", "", "x.json", "%EF%BF%BD", ";v", "%"]),
    max_size=4,
).map(lambda parts: "/" + "/".join(parts))  # fmt: skip
QUERIES = st.sampled_from(["", "", "?to=1", "?to=1&to=2", "?to;", "?x=%zz"])
BODIES = st.builds(
    body,
    st.builds(str.__add__, PATHS, QUERIES),
    st.sampled_from(["GET", "HEAD", "POST", "PATCH", "OPTIONS"]),
    extra=st.sampled_from([None, {}, FAR, session(active=False), {"client_id": "c"}]),
    subject=st.sampled_from(["", "ann", "guest"]),
    profile=st.sampled_from(["kratos", ["kratos", "anonymous"], "anonymous", "nope"]),
    headers=st.sampled_from([{}, {"X-Tenant": "acme"}, {"X-Tenant": ["a", "b"]}]),
    raw_path=st.sampled_from(["", "", "/d/1", "/decisions/d/1"]),
)


async def answered(bodies: list[bytes], using: Snapshot) -> list[tuple[int, str, str, str]]:
    """Return what the server answers: status, reason, route, detail."""

    async def engine(request: AccessRequest, deadline: Deadline) -> DecisionRecord:
        return await decide(
            request,
            using,
            ScriptedPdp(by_id),
            decision_id="d",
            deadline=deadline,
            clock=Clock(now=lambda: NOW),
        )

    answers = []
    async with serving(deadline=30) as service:
        service.decision.rule = engine
        for each in bodies:
            answer = await service.ask(each)
            told = answer.json
            answers.append((answer.status, told["reason"], told["route"], told["detail"]))
    return answers


@given(st.lists(BODIES, min_size=1, max_size=20), st.sampled_from([ENFORCING, OBSERVING]))
@settings(max_examples=60, deadline=None)
def test_explain_and_the_server_give_one_answer(bodies: list[bytes], using: Snapshot) -> None:
    answers = asyncio.run(answered(bodies, using))
    for asked, (status, reason, route, detail) in zip(bodies, answers, strict=True):
        found = explained(asked, using, by_id)
        assert found.record is not None
        outcome = found.record.outcome
        assert (outcome.reason.value, outcome.detail) == (reason, detail)
        assert found.record.route == route
        assert isinstance(outcome, Allow) is (status == 200)
        assert (found.matched.route.id if found.matched is not None else "") == route
        owners = [c.route.id for c in found.candidates if c.verdict is Verdict.OWNS]
        assert owners == ([route] if route else [])
        # Whatever it is, it can be shown.
        assert all(line.isprintable() for line in as_text(found).splitlines())
        assert reason in as_text(found)
        assert json.loads(json.dumps(as_data(found)))["decision"]["reason"] == reason


@given(BODIES)
@settings(max_examples=200, deadline=None)
def test_without_a_pdp_exactly_what_the_pdp_would_be_asked_stays_open(asked: bytes) -> None:
    pdp = ScriptedPdp(always(Effect.DENY))
    asyncio.run(explain(decode(asked), ENFORCING, pdp, now=NOW))
    found = explained(asked, script=None)
    assert (found.record is None) is bool(pdp.calls)
    assert found.checks == (pdp.calls[0].checks if pdp.calls else ())
    if found.record is None:
        assert "no PDP was asked" in as_text(found)
        assert as_data(found)["decision"] is None


def test_the_pdp_is_asked_to_explain_itself() -> None:
    told = CheckResult(
        Effect.ALLOW,
        outputs={"rule#1": {"level": 2}},
        validation_errors=("resource /of: wrong",),
        policy="resource.document.vdefault/acme",
        matched_scope="acme",
        derived_roles=("member", "admin"),
    )
    pdp = ScriptedPdp(always(told))
    found = asyncio.run(explain(decode(body()), ENFORCING, pdp, now=NOW))
    assert [call.explain for call in pdp.calls] == [True]
    assert found.results == (told,)
    text = as_text(found)
    assert "allow by resource.document.vdefault/acme in scope acme\n" in text
    assert "derived roles: admin, member\n" in text
    assert 'output rule#1 = {"level": 2}\n' in text
    assert "refused by a schema: resource /of: wrong\n" in text
    assert as_data(found)["checks"][0]["result"]["policy"] == told.policy


def test_a_url_that_is_none_is_refused_with_what_is_expected() -> None:
    request = AccessRequest(subject="ann", method="GET", url="ftp://x/")
    found = asyncio.run(explain(request, ENFORCING, None, now=NOW))
    assert found.address is None
    assert found.candidates == ()
    assert found.record is not None
    assert found.record.outcome.reason is Reason.MALFORMED_REQUEST
    assert "not an absolute URL" in as_text(found)
    assert as_data(found)["address"] is None


@pytest.mark.parametrize(
    ("path", "where", "why"),
    [
        ("/d/1#x", "address", "the URL has a fragment (#)"),
        ("/d/../1", "readings", "the path has a dot segment (. or ..)"),
    ],
)
def test_what_has_more_than_one_reading_says_what_about_it(path: str, where: str, why: str) -> None:
    found = explained(body(path))
    assert getattr(found, where) == Ambiguous(why)
    assert why in as_text(found)
    data = as_data(found)
    assert (data["address"] if where == "address" else data["readings"][0]) == {"ambiguous": why}


def test_both_readings_of_an_encoded_slash_are_shown_with_what_they_need() -> None:
    found = explained(body("/f/a%2Fb?x=1"))
    assert isinstance(found.address, Address)
    text = as_text(found)
    assert 'segments  "f" / "a/b" (only for a route with `encoded_slash: keep`)' in text
    assert 'segments  "f" / "a" / "b" (only for a route with `encoded_slash: split`)' in text
    assert "query     x=1" in text
    assert 'owns the request, name="a%2Fb"' in text


@pytest.mark.parametrize("path", ["/open", "/shut"])
def test_who_asks_is_not_looked_at_where_the_route_itself_answers(path: str) -> None:
    found = explained(body(path, profile="nope"))
    assert found.principal is None
    assert "Principal" not in as_text(found)


def test_a_refused_identity_is_shown_with_its_reason() -> None:
    found = explained(body("/staff", extra=None, subject="", profile="kratos"))
    assert isinstance(found.principal, Deny)
    assert "refused, profile_mismatch: " in as_text(found)
    assert as_data(found)["principal"]["reason"] == "profile_mismatch"


def test_the_principal_is_shown_even_where_the_mapping_fails() -> None:
    found = explained(body("/d/1/move", "POST"))
    assert found.record is not None
    assert found.record.outcome.reason is Reason.MAPPING_FAILED
    assert isinstance(found.principal, Principal)
    text = as_text(found)
    assert 'attr.email          "ann@acme.test"\n' in text
    assert 'attr.auth.profile   "kratos"\n' in text


PASSING: Final = snapshot("""
kratos:
  shape: session
  roles: {always: [user]}
  aux_data: {jwt: {header: x-token, key_set: kratos}}
""")


@pytest.mark.parametrize(("sent", "there"), [([], "none here"), (["token"], "passed on")])
def test_a_token_is_shown_by_where_it_would_be_and_never_itself(
    sent: list[str], there: str
) -> None:
    token = jwt_of({"sub": "ann"})
    tokens = [token for _ in sent]
    for path, method in (("/d/1", "GET"), ("/d/1/move", "POST")):
        found = explained(body(path, method, headers={"x-token": tokens}), PASSING)
        text, data = as_text(found), as_data(found)
        assert f"aux_data.jwt        {there}; a request's goes from the header x-token" in text
        assert data["principal"]["aux_data"] == {
            "jwt": {"header": "x-token", "key_set": "kratos", "passed_on": bool(sent)}
        }
        for part in token.split("."):
            assert part not in f"{text}{data}{found!r}"


def test_no_token_is_mentioned_where_the_profile_passes_none_on() -> None:
    found = explained(body())
    assert "aux_data" not in as_text(found)
    assert as_data(found)["principal"]["aux_data"] is None


def test_observing_says_what_would_have_been() -> None:
    found = explained(body("/w/1"), script=always(Effect.DENY))
    assert "allow, observed\n  without observing it would be deny, policy_deny\n" in as_text(found)
    assert as_data(found)["decision"]["would_be"] == "policy_deny"


def test_headers_of_the_answer_are_shown_where_it_is_a_200() -> None:
    told = CheckResult(Effect.ALLOW, outputs={"resource.document.vdefault#level": 2})
    allowed = explained(body("/d/1?to=1", "POST"), script=always(told))
    assert "  allow, policy_allow\n  X-User: ann\n  X-Level: 2\n" in as_text(allowed)
    sent = as_data(allowed)["decision"]["response_headers"]
    assert sent == {"X-User": "ann", "X-Level": "2"}
    denied = explained(body("/d/1?to=1", "POST"), script=always(Effect.DENY))
    assert "X-User" not in as_text(denied)
    assert as_data(denied)["decision"]["response_headers"] == {}


def test_several_checks_say_how_many_of_them_must_be_allowed() -> None:
    asked = body("/d/1/move", "POST", headers={"x-tenant": "t"})
    assert "Checks, of which any must be allowed\n" in as_text(explained(asked))
    assert as_data(explained(asked))["require"] == "any"


def test_a_default_of_the_pdp_is_not_taken_for_a_policy() -> None:
    nothing = CheckResult(Effect.DENY, policy="NO_MATCH")
    text = as_text(explained(body(), script=always(nothing)))
    assert "deny by default: no policy is about this\n" in text


async def test_the_pdp_stays_open_for_whoever_opened_it() -> None:
    pdp = ScriptedPdp(always(Effect.ALLOW))
    await explain(decode(body()), ENFORCING, pdp, now=NOW)
    assert pdp.closed is False
