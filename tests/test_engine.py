"""One question, one outcome, for the reason that the table of outcomes has for it."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marks import MARK
from msgspec.structs import replace
from polling import eventually
from sessions import NOW, question, session

from authorizer.config.settings import Enforcement, Settings
from authorizer.contract.decode import decode
from authorizer.contract.outcome import TABLE
from authorizer.engine import Clock, decide, observed
from authorizer.errors import PdpDeadline, PdpError, PdpRejected, PdpUnavailable
from authorizer.model import (
    AccessRequest,
    Allow,
    Check,
    CheckRecord,
    CheckResult,
    DecisionRecord,
    Deny,
    Effect,
    Indeterminate,
    PdpAnswer,
    Reason,
    Refused,
    Resource,
)
from authorizer.pdp.interface import Deadline
from authorizer.pdp.scripted import ScriptedPdp, always, table
from authorizer.principals.profiles import compile_profiles
from authorizer.routing.compile import compile_rules
from authorizer.snapshot import Snapshot
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authorizer.model import Outcome, Principal
    from authorizer.pdp.scripted import Script

RULES: Final = """
version: 1
routes:
  - id: documents.item
    match: {path: "/documents/{id}"}
    resource:
      {kind: document, id: "${path.id}", attr: {by: "${subject}", tags: [a, "${principal.roles}"]}}
    actions: {GET: view, PATCH: edit}
  - id: documents.shared
    match: {path: "/tenants/documents/{id}", methods: [GET]}
    resource: {kind: document, id: "${path.id}", attr: {tenant: "${headers['x-tenant']}"}}
    action: view
  - id: documents.move
    match: {path: "/documents/{id}/move/{to}", methods: [POST]}
    checks:
      - {resource: {kind: document, id: "${path.id}"}, action: move}
      - {resource: {kind: folder, id: "${path.to}", scope: acme, policy_version: v2}, action: add}
  - id: documents.either
    match: {path: "/either/{id}", methods: [POST]}
    require: any
    checks:
      - {resource: {kind: document, id: "${path.id}"}, action: own}
      - {resource: {kind: document, id: "${path.id}"}, action: administer}
  - id: open
    match: {path: /open, methods: [GET]}
    preflight: allow
    effect: allow
  - id: reports.item
    match: {path: "/reports/{id}", methods: [GET]}
    preflight: allow
    profiles: [kratos]
    resource: {kind: report, id: "${path.id}"}
    action: view
  - id: exported
    match: {path: /export, methods: [GET], query: {format: csv}}
    resource: {kind: export, id: csv}
    action: view
  - id: shut
    match: {path: /shut, methods: [GET]}
    effect: deny
  - id: people.open
    match: {path: /people, methods: [GET]}
    profiles: [kratos]
    effect: allow
  - id: people.only
    match: {path: "/people/{id}", methods: [GET]}
    profiles: [kratos]
    resource: {kind: person, id: "${path.id}"}
    action: view
  - id: watched
    match: {path: "/watched/{id}", methods: [GET]}
    mode: observe
    resource: {kind: report, id: "${path.id}", attr: {tenant: "${headers['x-tenant']}"}}
    action: view
  - id: watched.shut
    match: {path: /watched, methods: [GET]}
    mode: observe
    effect: deny
"""


def snapshot(rules: str = RULES, **settings: Any) -> Snapshot:  # noqa: ANN401 - settings
    return Snapshot(
        settings=msgspec.convert(settings, Settings),
        routes=compile_rules([load_yaml(rules.encode(), "rules.yaml")]),
        profiles=compile_profiles(load_yaml(b"{}", "profiles"), load_yaml(b"kratos", "default")),
        digest="digest",
        loaded_at=0.0,
    )


ENFORCING: Final = snapshot()
OBSERVING: Final = snapshot(enforcement="observe")


def ask(
    path: str = "/documents/1",
    method: str = "GET",
    *,
    extra: Mapping[str, Any] | None = None,
    subject: str = "ann",
    profiles: tuple[str, ...] = (),
    tenant: tuple[str, ...] = ("acme",),
) -> AccessRequest:
    asked = question(
        session() if extra is None else extra,
        subject,
        *profiles,
        method=method,
        url=path if "://" in path else f"http://api.acme.test{path}",
    )
    return replace(asked, headers={"x-tenant": tenant, "x-request-id": ("request-1",)})


NOBODY: Final = replace(ask("/people", subject=""), extra=None, profiles=("anonymous",))


async def decided(
    request: AccessRequest,
    using: Snapshot = ENFORCING,
    pdp: Any = None,  # noqa: ANN401 - a Pdp
    *,
    seconds: float = 5.0,
    now: float = NOW,
) -> DecisionRecord:
    ticks = itertools.count(1, 0.25)
    return await decide(
        request,
        using,
        pdp if pdp is not None else ScriptedPdp(always(Effect.ALLOW)),
        decision_id="decision-1",
        deadline=Deadline.after(seconds),
        clock=Clock(now=lambda: now, monotonic=lambda: next(ticks)),
    )


class Odd(PdpError):
    """A failure that nobody has a reason for."""


ALLOW, DENY = always(Effect.ALLOW), always(Effect.DENY)
UNAVAILABLE = always(PdpUnavailable("pdp:1", "nobody there"))
# request, what the PDP says (None: it must not be asked), the outcome, its reason, its route
OUTCOMES: list[tuple[AccessRequest, Script | None, type[Outcome], Reason, str]] = [
    (ask(), ALLOW, Allow, Reason.POLICY_ALLOW, "documents.item"),
    (ask(), DENY, Deny, Reason.POLICY_DENY, "documents.item"),
    (ask("/documents/1/"), ALLOW, Allow, Reason.POLICY_ALLOW, "documents.item"),
    (ask("/open"), None, Allow, Reason.ROUTE_ALLOW, "open"),
    (ask("/open", "HEAD"), None, Allow, Reason.ROUTE_ALLOW, "open"),
    (ask("/open", "OPTIONS"), None, Allow, Reason.ROUTE_ALLOW, "open"),
    (ask("/reports/1", "OPTIONS"), None, Allow, Reason.ROUTE_ALLOW, "reports.item"),
    (replace(NOBODY, url=ask("/reports/1").url, method="OPTIONS"), None, Allow, Reason.ROUTE_ALLOW,
     "reports.item"),
    (ask("/reports/1"), DENY, Deny, Reason.POLICY_DENY, "reports.item"),
    # Whose session it is does not matter where everybody may.
    (ask("/open", extra={}), None, Allow, Reason.ROUTE_ALLOW, "open"),
    (ask("/shut"), None, Deny, Reason.ROUTE_DENY, "shut"),
    (ask("/people"), None, Allow, Reason.ROUTE_ALLOW, "people.open"),
    (NOBODY, None, Deny, Reason.PRINCIPAL_REJECTED, "people.open"),
    (replace(NOBODY, subject="guest"), None, Deny, Reason.PRINCIPAL_REJECTED, "people.open"),
    (ask("/nowhere"), None, Deny, Reason.NO_ROUTE, ""),
    (ask("/"), None, Deny, Reason.NO_ROUTE, ""),
    (ask("/documents/1", "DELETE"), None, Deny, Reason.METHOD_NOT_MAPPED, ""),
    (ask("/documents/1", "get"), None, Deny, Reason.METHOD_NOT_MAPPED, ""),
    (ask("/documents/1", "OPTIONS"), None, Deny, Reason.METHOD_NOT_MAPPED, ""),
    (ask("/export?format=csv"), ALLOW, Allow, Reason.POLICY_ALLOW, "exported"),
    (ask("/export?format=pdf"), None, Deny, Reason.CONDITION_NOT_MAPPED, ""),
    (ask("/export"), None, Deny, Reason.CONDITION_NOT_MAPPED, ""),
    (ask("/export?format=csv", "PUT"), None, Deny, Reason.METHOD_NOT_MAPPED, ""),
    (ask("/documents/../open"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (ask("/documents/%2e%2e/open"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (ask("/documents//1"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (ask("/documents/a%2Fb"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (ask("/OPEN"), None, Deny, Reason.NO_ROUTE, ""),
    (ask("/documents/1#x"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (ask("http://ann@api.acme.test/open"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (replace(ask(), raw_path="/open"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (ask("/tenants/documents/1", tenant=("a", "b")), None, Deny, Reason.MAPPING_FAILED,
     "documents.shared"),
    (ask("/tenants/documents/1", tenant=()), None, Deny, Reason.MAPPING_FAILED, "documents.shared"),
    (ask("/documents/%EF%BF%BD"), None, Deny, Reason.MAPPING_FAILED, "documents.item"),
    (ask(extra={"client_id": "c", "scope": ""}), None, Deny, Reason.PROFILE_MISMATCH,
     "documents.item"),
    (ask(profiles=("nope",)), None, Deny, Reason.PROFILE_MISMATCH, "documents.item"),
    (ask(subject="bob"), None, Deny, Reason.PRINCIPAL_REJECTED, "documents.item"),
    (ask(extra=session(active=False)), None, Deny, Reason.PRINCIPAL_REJECTED, "documents.item"),
    (ask(extra=session(expires_at="2026-11-24T02:06:40Z")), None, Deny, Reason.PRINCIPAL_REJECTED,
     "documents.item"),
    (ask("ftp://api.acme.test/open"), None, Refused, Reason.MALFORMED_REQUEST, ""),
    (ask("http:///open"), None, Refused, Reason.MALFORMED_REQUEST, ""),
    (ask(), UNAVAILABLE, Indeterminate, Reason.PDP_UNAVAILABLE, "documents.item"),
    (ask(), always(PdpDeadline("p", "late")), Indeterminate, Reason.PDP_DEADLINE, "documents.item"),
    (ask(), always(PdpRejected("p", "no")), Indeterminate, Reason.PDP_REJECTED, "documents.item"),
    (ask(), always(Odd("p", "?")), Indeterminate, Reason.INTERNAL_ERROR, "documents.item"),
    # Observing, route by route.
    (ask("/watched/1"), ALLOW, Allow, Reason.POLICY_ALLOW, "watched"),
    (ask("/watched/1"), DENY, Allow, Reason.OBSERVED, "watched"),
    (ask("/watched/1"), UNAVAILABLE, Allow, Reason.OBSERVED, "watched"),
    (ask("/watched/1", tenant=()), None, Allow, Reason.OBSERVED, "watched"),
    (ask("/watched/1", subject="bob"), None, Allow, Reason.OBSERVED, "watched"),
    (ask("/watched/1", extra={}), None, Allow, Reason.OBSERVED, "watched"),
    (ask("/watched"), None, Allow, Reason.OBSERVED, "watched.shut"),
    # Nobody knows that these are the route's.
    (ask("/watched/../watched/1"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (ask("/watched/a%2Fb"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (ask("/watched/1#x"), None, Deny, Reason.AMBIGUOUS_URL, ""),
    (ask("/watched/1", "DELETE"), None, Deny, Reason.METHOD_NOT_MAPPED, ""),
    (ask("/watched/1/2"), None, Deny, Reason.NO_ROUTE, ""),
]  # fmt: skip

# The server's own, before and beside the engine.
_OF_THE_SERVER: Final = {
    Reason.REQUEST_TIMEOUT,
    Reason.REQUEST_TOO_LARGE,
    Reason.BAD_SHARED_SECRET,
    Reason.OVERLOADED,
}


def test_the_table_gives_every_reason_that_the_engine_can() -> None:
    assert {row[3] for row in OUTCOMES} == set(Reason) - _OF_THE_SERVER


@pytest.mark.parametrize(("request_", "script", "kind", "reason", "route"), OUTCOMES)
async def test_the_outcome_of_a_question(
    request_: AccessRequest, script: Script | None, kind: type[Outcome], reason: Reason, route: str
) -> None:
    pdp = ScriptedPdp(script or always(Odd("pdp", "it must not be asked")))
    found = await decided(request_, pdp=pdp)
    assert (type(found.outcome), found.outcome.reason, found.route) == (kind, reason, route)
    assert len(pdp.calls) == (script is not None)
    assert (found.pdp_seconds is not None) == (script is not None)
    assert TABLE[reason][0] is kind


@pytest.mark.parametrize(("request_", "script", "kind", "reason", "route"), OUTCOMES)
async def test_observing_everything_lets_pass_whatever_was_a_question(
    request_: AccessRequest, script: Script | None, kind: type[Outcome], reason: Reason, route: str
) -> None:
    """Each deny and each indeterminate is observed; what it would have been is kept."""
    pdp = ScriptedPdp(script or ALLOW)
    found = await decided(request_, OBSERVING, pdp)
    enforced = await decided(request_, pdp=ScriptedPdp(script or ALLOW))
    assert found.route == route
    if kind in (Deny, Indeterminate):
        assert found.outcome == Allow(Reason.OBSERVED)
        assert found.would_be == enforced.outcome
        assert found.would_be is not None
        assert found.would_be.reason is reason
    else:
        assert found.outcome == enforced.outcome
        assert found.would_be == enforced.would_be
    assert replace(found, outcome=enforced.outcome, would_be=None) == replace(
        enforced, would_be=None
    )


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("route", ["", "watched", "open", "gone"])
@pytest.mark.parametrize("using", [ENFORCING, OBSERVING])
def test_only_a_deny_and_an_indeterminate_are_observed(
    reason: Reason, route: str, using: Snapshot
) -> None:
    kind = TABLE[reason][0]
    record = DecisionRecord(decision_id="d", outcome=kind(reason, "why"), route=route)
    found = observed(record, using)
    watching = using.settings.enforcement is Enforcement.OBSERVE or route == "watched"
    if watching and kind in (Deny, Indeterminate):
        assert (found.outcome, found.would_be) == (Allow(Reason.OBSERVED), record.outcome)
    else:
        assert found is record


# --- what is asked, and what is made of the answer ---------------------------------------------


async def test_the_checks_go_to_the_pdp_as_the_route_writes_them() -> None:
    pdp = ScriptedPdp(ALLOW)
    extra = session({"department": "finance"}, identity={"metadata_public": {"roles": ["editor"]}})
    await decided(ask(extra=extra), pdp=pdp)
    (call,) = pdp.calls
    assert call.checks == (
        Check(Resource("document", "1", {"by": "ann", "tags": ["a", ["user", "editor"]]}), "view"),
    )
    assert (call.principal.id, call.principal.roles) == ("ann", ("user", "editor"))
    assert call.principal.attr["department"] == "finance"
    assert (call.request_id, call.explain) == ("decision-1", False)


async def test_several_checks_are_one_call_in_the_order_of_the_route() -> None:
    pdp = ScriptedPdp(ALLOW)
    found = await decided(ask("/documents/7/move/f1", "POST"), pdp=pdp)
    (call,) = pdp.calls
    assert call.checks == (
        Check(Resource("document", "7"), "move"),
        Check(Resource("folder", "f1", policy_version="v2", scope="acme"), "add"),
    )
    assert found.checks == (
        CheckRecord("document", "7", "move", "allow"),
        CheckRecord("folder", "f1", "add", "allow"),
    )


@pytest.mark.parametrize(
    ("method", "action"), [("GET", "view"), ("HEAD", "view"), ("PATCH", "edit")]
)
async def test_the_action_is_the_methods(method: str, action: str) -> None:
    pdp = ScriptedPdp(ALLOW)
    await decided(ask("/documents/1", method), pdp=pdp)
    assert [check.action for check in pdp.calls[0].checks] == [action]


@pytest.mark.parametrize(
    ("path", "effects", "reason"),
    [
        ("/documents/1/move/2", ("allow", "allow"), Reason.POLICY_ALLOW),
        ("/documents/1/move/2", ("allow", "deny"), Reason.POLICY_DENY),
        ("/documents/1/move/2", ("deny", "allow"), Reason.POLICY_DENY),
        ("/documents/1/move/2", ("deny", "deny"), Reason.POLICY_DENY),
        ("/either/1", ("allow", "allow"), Reason.POLICY_ALLOW),
        ("/either/1", ("allow", "deny"), Reason.POLICY_ALLOW),
        ("/either/1", ("deny", "allow"), Reason.POLICY_ALLOW),
        ("/either/1", ("deny", "deny"), Reason.POLICY_DENY),
    ],
)
async def test_several_effects_become_one_outcome(
    path: str, effects: tuple[str, str], reason: Reason
) -> None:
    answers = dict(zip(("move", "add"), effects, strict=True))
    answers |= dict(zip(("own", "administer"), effects, strict=True))
    pdp = ScriptedPdp(lambda _, check: Effect(answers[check.action]))
    found = await decided(ask(path, "POST"), pdp=pdp)
    assert found.outcome.reason is reason
    assert tuple(check.effect for check in found.checks) == effects
    assert found.cerbos_call_id == "call-1"


async def test_a_deny_tells_which_attributes_the_schemas_refuse() -> None:
    wrong = CheckResult(Effect.DENY, validation_errors=("principal /org", "resource /id"))
    twice = CheckResult(Effect.DENY, validation_errors=("principal /org",))
    pdp = ScriptedPdp(lambda _, check: wrong if check.action == "move" else twice)
    found = await decided(ask("/documents/1/move/2", "POST"), pdp=pdp)
    detail = "the PDP's schemas refuse: principal /org; resource /id"
    assert found.outcome == Deny(Reason.POLICY_DENY, detail)


@dataclass
class Answers:
    """A PDP that gives one answer, whatever it is asked."""

    answer: PdpAnswer | Exception
    asked: list[Sequence[Check]] = field(default_factory=list)

    async def check(
        self,
        principal: Principal,  # noqa: ARG002 - the port's own signature
        checks: Sequence[Check],
        **_: object,
    ) -> PdpAnswer:
        self.asked.append(checks)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("path", ["/documents/1/move/2", "/either/1"])
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_an_answer_of_another_length_decides_nothing(path: str, count: int) -> None:
    answer = PdpAnswer("call-9", (CheckResult(Effect.ALLOW),) * count)
    found = await decided(ask(path, "POST"), pdp=Answers(answer))
    assert found.outcome == Indeterminate(Reason.PDP_REJECTED, "the PDP did not answer each check")
    assert found.cerbos_call_id == "call-9"
    assert [check.effect for check in found.checks] == ["", ""]


@pytest.mark.parametrize(
    ("asked_as", "told"), [("batch-1", "batch-1"), ("decision-1", ""), ("", "")]
)
async def test_the_record_has_the_request_id_that_the_pdp_saw_where_it_is_not_the_decisions(
    asked_as: str, told: str
) -> None:
    answer = PdpAnswer("call-9", (CheckResult(Effect.ALLOW),), asked_as)
    found = await decided(ask(), pdp=Answers(answer))
    assert (found.cerbos_call_id, found.cerbos_request_id) == ("call-9", told)


async def test_requests_with_the_same_session_ask_by_the_same_principal() -> None:
    """But not those of another state of the rules: what was built goes with that."""
    body = json.dumps(
        {"subject": "ann", "method": "GET", "url": "http://a.test/documents/1", "extra": session()}
    ).encode()
    pdp = ScriptedPdp(ALLOW)
    for using in (ENFORCING, ENFORCING, snapshot()):
        request = decode(body, known=using.kept.extra_of)
        assert (await decided(request, using, pdp)).outcome == Allow(Reason.POLICY_ALLOW)
    first, second, third = (call.principal for call in pdp.calls)
    assert first is second
    assert third is not first


async def test_what_nobody_foresaw_is_raised_and_allows_nothing() -> None:
    with pytest.raises(ZeroDivisionError):
        await decided(ask("/watched/1"), OBSERVING, Answers(ZeroDivisionError()))


async def test_the_pdps_time_is_up_at_the_deadline() -> None:
    pdp = ScriptedPdp(ALLOW)
    pdp.hanging = True
    found = await decided(ask(), pdp=pdp, seconds=0.02)
    assert found.outcome.reason is Reason.PDP_DEADLINE
    assert [check.effect for check in found.checks] == [""]


async def test_cancellation_passes_through_to_the_pdp_and_out_again() -> None:
    pdp = ScriptedPdp(ALLOW)
    pdp.hanging = True
    for using in (ENFORCING, OBSERVING):
        before = pdp.cancelled
        deciding = asyncio.create_task(decided(ask("/watched/1"), using, pdp, seconds=60))
        await eventually(lambda before=before: len(pdp.calls) > before)  # type: ignore[misc]
        deciding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await deciding
        assert pdp.cancelled == before + 1


PATHS = st.text(st.sampled_from("/aopen%2fF.eE;\\\\?#:@documents123watched \x00é"), max_size=24)


@given(
    path=PATHS | st.sampled_from([row[0].url.partition("test")[2] for row in OUTCOMES]),
    more=PATHS,
    request_=st.fixed_dictionaries(
        {
            "subject": st.sampled_from(["", "ann", "guest"]),
            "method": st.sampled_from(["GET", "HEAD", "POST", "PATCH", "OPTIONS", "*", "get"]),
            "url": st.just(""),
            "profiles": st.sampled_from([(), ("kratos",), ("anonymous",), ("kratos", "anonymous")]),
            "extra": st.sampled_from(
                [None, {}, session(), session(active=False), {"client_id": "c"}]
            ),
            "raw_path": st.just("") | PATHS,
        }
    ).map(lambda said: AccessRequest(**said)),
)
def test_nothing_passes_but_by_a_routes_own_word_or_the_pdps(
    path: str, more: str, request_: AccessRequest
) -> None:
    """Whatever is asked, there is an outcome; with a PDP that denies, only `effect: allow` lets."""
    request = replace(request_, url=f"http://api.acme.test{path}{more}")
    found = asyncio.run(decided(request, WITHOUT_MODES, ScriptedPdp(DENY)))
    if isinstance(found.outcome, Allow):
        assert found.outcome.reason is Reason.ROUTE_ALLOW
        assert found.route in ("open", "people.open", "reports.item")
        if found.route == "people.open":
            assert (request.extra, request.subject) == (session(), "ann")
        if found.route == "reports.item":
            assert request.method == "OPTIONS"


WITHOUT_MODES: Final = snapshot(RULES.replace("mode: observe", "mode: enforce"))


# --- what is told of it ------------------------------------------------------------------------


async def test_a_record_says_all_that_is_known() -> None:
    found = await decided(ask("http://API.acme.test:8080/documents/caf%C3%A9?token=secret"))
    assert found == DecisionRecord(
        decision_id="decision-1",
        outcome=Allow(Reason.POLICY_ALLOW),
        request_id="request-1",
        route="documents.item",
        subject="ann",
        profile="kratos",
        method="GET",
        host="api.acme.test",
        path="/documents/caf%C3%A9",
        checks=(CheckRecord("document", "café", "view", "allow"),),
        cerbos_call_id="call-1",
        pdp_seconds=0.25,
    )


@pytest.mark.parametrize(
    ("request_", "profile"),
    [
        (ask(), "kratos"),
        (ask("/nowhere"), "kratos"),
        (ask("/nowhere", profiles=("kratos", "anonymous")), "kratos or anonymous"),
        (ask(profiles=("anonymous", "kratos")), "kratos"),
        (ask(extra={}, profiles=("anonymous", "kratos")), "anonymous or kratos"),
        (NOBODY, "anonymous"),
    ],
)
async def test_the_profile_is_the_principals_or_what_the_payload_named(
    request_: AccessRequest, profile: str
) -> None:
    assert (await decided(request_)).profile == profile


async def test_two_request_ids_are_none() -> None:
    twice = replace(ask(), headers={"x-request-id": ("a", "b")})
    assert (await decided(twice)).request_id == ""


@pytest.mark.parametrize(
    "request_",
    [
        ask(f"/documents/..{MARK}/../{MARK}"),
        ask(f"/documents/{MARK}%00"),
        ask(f"/documents/{MARK}%EF%BF%BD"),
        ask(f"/tenants/documents/{MARK}", tenant=(MARK, f"{MARK}2")),
        ask(f"/tenants/documents/{MARK}", tenant=(f"{MARK}\x00",)),
        ask(f"/nowhere/{MARK}"),
        ask("/documents/1", MARK.upper()),
        ask(f"ftp://{MARK}/"),
        ask(f"http://{MARK}@api.acme.test/"),
        replace(ask(), raw_path=f"/{MARK}"),
        replace(ask(), forwarded_uri=(f"/{MARK}", f"/{MARK}")),
        ask(extra=session({"org": MARK}, identity={"state": MARK})),
        ask(extra=session(expires_at=MARK)),
        ask(extra=session(identity={"metadata_public": {"roles": MARK}})),
        ask(extra={"client_id": MARK, "scope": MARK}),
        ask(subject=MARK),
        ask(profiles=(MARK,)),
    ],
)
async def test_no_reason_quotes_what_the_caller_sent(request_: AccessRequest) -> None:
    found = await decided(request_)
    assert not isinstance(found.outcome, Allow)
    assert MARK not in found.outcome.detail.lower()


# --- what each version of Oathkeeper sends -----------------------------------------------------

FIXTURES: Final = Path(__file__).parent / "fixtures"
V26: Final = "oathkeeper-v26.2.0"
V0: Final = "oathkeeper-v0.40.9"
# While the sessions in them were valid.
THEN: Final = 1_795_486_100.0

GATEWAY_RULES: Final = """
version: 1
routes:
  - id: guest.document
    match: {path: "/guest/documents/{id}", methods: [GET]}
    resource: {kind: document, id: "${path.id}", attr: {q: "${query.q}", ns: "${query_all.n}"}}
    action: view
  - id: guest.file
    match: {path: "/guest/files/{name...}", methods: [GET]%s}
    resource: {kind: file, id: "${path.name}"}
    action: download
  - id: guest.host
    match: {path: /guest/x, methods: [GET], hosts: [api.acme.test]}
    resource: {kind: host, id: "${request.host}"}
    action: view
  - id: noop.document
    match: {path: "/noop/documents/{id}", methods: [GET]}
    resource: {kind: document, id: "${path.id}"}
    action: view
  - id: hydra.document
    match: {path: "/hydra/orgs/{org}/documents/{id}", methods: [GET]}
    resource: {kind: document, id: "${path.id}"}
    action: view
  - id: kratos.document
    match: {path: "/kratos/orgs/{org}/documents/{id}", methods: [GET]}
    resource: {kind: document, id: "${path.id}", attr: {tenant: "${headers['x-tenant']}"}}
    action: view
  - id: kratos.edit
    match: {path: "/kratos/orgs/{org}/documents/{id}", methods: [PATCH]}
    resource: {kind: document, id: "${path.id}", attr: {org: "${path.org}"}}
    action: edit
"""
STRICT: Final = GATEWAY_RULES % ""
KEEPING: Final = GATEWAY_RULES % ", encoded_slash: keep"
SPLITTING: Final = GATEWAY_RULES % ", encoded_slash: split"
EMPTY: Final = GATEWAY_RULES % ", encoded_slash: keep, empty_segments: allow"
MATRIX: Final = GATEWAY_RULES % ", matrix_parameters: keep"
AMBIGUOUS: Final = "ambiguous_url"
# what was sent; rules; what is asked of the PDP, or the reason: by v26.2.0, by v0.40.9
SENT: list[tuple[str, str, str, str]] = [
    ("anonymous.proxy", STRICT, "document 42 view", "document 42 view"),
    ("backslash.proxy", STRICT, AMBIGUOUS, AMBIGUOUS),
    ("bad-utf8-and-nul.proxy", STRICT, AMBIGUOUS, AMBIGUOUS),
    # v26 resolves dots before it asks, and serves what it asks about.
    ("dot-segments.proxy", STRICT, "file secret download", AMBIGUOUS),
    ("doubly-encoded-slash.proxy", STRICT, AMBIGUOUS, AMBIGUOUS),
    ("doubly-encoded-slash.proxy", KEEPING, AMBIGUOUS, AMBIGUOUS),
    # The same for empty segments.
    ("empty-segments.proxy", STRICT, "file a download", AMBIGUOUS),
    # What it resolved was encoded, so that the raw path tells of it.
    ("encoded-dot-segments.decisions", STRICT, AMBIGUOUS, AMBIGUOUS),
    ("encoded-dot-segments.proxy", STRICT, AMBIGUOUS, AMBIGUOUS),
    ("encoded-dot-segments.proxy", EMPTY, AMBIGUOUS, AMBIGUOUS),
    ("encoded-slash-and-empty-segment.proxy", STRICT, AMBIGUOUS, AMBIGUOUS),
    ("encoded-slash-and-empty-segment.proxy", KEEPING, AMBIGUOUS, AMBIGUOUS),
    # v26 has changed this path, whatever the application could read.
    ("encoded-slash-and-empty-segment.proxy", EMPTY, AMBIGUOUS, "file a%2Fb//c download"),
    ("encoded-slash.decisions", STRICT, AMBIGUOUS, AMBIGUOUS),
    ("encoded-slash.decisions", KEEPING, "file a%2Fb/c download", "file a%2Fb/c download"),
    ("encoded-slash.decisions", SPLITTING, "file a/b/c download", "file a/b/c download"),
    ("encoded-slash.proxy", STRICT, AMBIGUOUS, AMBIGUOUS),
    ("encoded-slash.proxy", KEEPING, "file a%2Fb/c download", "file a%2Fb/c download"),
    ("encoded-slash.proxy", SPLITTING, "file a/b/c download", "file a/b/c download"),
    # Without `forwarded_uri` in the payload, `url` is all that is known.
    ("forwarded-uri.decisions", STRICT, "file a%20b download", "file a%20b download"),
    ("header-twice.proxy", STRICT, "mapping_failed", "mapping_failed"),
    ("host-case-dot-port.proxy", STRICT, "host api.acme.test view", "host api.acme.test view"),
    ("hydra-introspection.decisions", STRICT, "document 42 view", "document 42 view"),
    ("kratos-session.decisions", STRICT, "document 42 edit", "document 42 edit"),
    ("kratos-session.proxy", STRICT, "document 42 view", "document 42 view"),
    ("matrix-parameters.proxy", STRICT, AMBIGUOUS, AMBIGUOUS),
    ("matrix-parameters.proxy", MATRIX, "file a;v=1/b,c download", "file a;v=1/b,c download"),
    ("noop.proxy", STRICT, "document 42 view", "document 42 view"),
    # v26 takes the trailing slash away; else it is read as if it were not there.
    ("trailing-slash.proxy", STRICT, "file a download", "file a download"),
    ("utf8.proxy", STRICT, "file café ☕ download", "file café ☕ download"),
]


def sent(version: str, name: str) -> AccessRequest:
    return decode((FIXTURES / version / f"{name}.json").read_bytes())


def test_the_table_knows_every_recorded_body() -> None:
    for version in (V26, V0):
        recorded = {path.name.removesuffix(".json") for path in (FIXTURES / version).iterdir()}
        assert recorded == {row[0] for row in SENT}


@pytest.mark.parametrize(
    ("version", "name", "rules", "expected"),
    [
        (version, name, rules, expected)
        for name, rules, *both in SENT
        for version, expected in zip((V26, V0), both, strict=True)
    ],
)
async def test_what_oathkeeper_sends(version: str, name: str, rules: str, expected: str) -> None:
    pdp = ScriptedPdp(ALLOW)
    found = await decided(sent(version, name), snapshot(rules), pdp, now=THEN)
    asked = [
        f"{check.resource.kind} {check.resource.id} {check.action}"
        for call in pdp.calls
        for check in call.checks
    ]
    assert (asked or [found.outcome.reason.value]) == [expected]
    assert (found.outcome.reason is Reason.POLICY_ALLOW) == bool(asked)


@pytest.mark.parametrize("version", [V26, V0])
async def test_a_recorded_session_becomes_its_principal(version: str) -> None:
    pdp = ScriptedPdp(ALLOW)
    found = await decided(sent(version, "kratos-session.proxy"), snapshot(STRICT), pdp, now=THEN)
    (call,) = pdp.calls
    attr: Any = call.principal.attr
    assert call.principal.id == "d35733f4-1fc9-48c3-9259-d591006bc3c3"
    assert call.principal.roles == ("user", "editor")
    assert {name: value for name, value in attr.items() if name != "auth"} == {
        "clearance": 3,
        "department": "finance",
        "email": "a@acme.io",
        "org": "acme",
    }
    assert attr["auth"]["session"]["methods"] == ["password"]
    assert call.checks[0].resource.attr == {"tenant": "acme"}
    assert found.request_id == "req-1"


@pytest.mark.parametrize("version", [V26, V0])
async def test_a_recorded_token_of_a_client_becomes_that_client(version: str) -> None:
    pdp = ScriptedPdp(ALLOW)
    found = await decided(sent(version, "hydra-introspection.decisions"), snapshot(STRICT), pdp)
    (call,) = pdp.calls
    client = "cff2cda4-cb77-4501-a9cf-44f9fb1079f3"
    assert (call.principal.id, call.principal.roles) == (client, ("client",))
    assert call.principal.attr == {
        "auth": {
            "profile": "hydra",
            "client_id": client,
            "scopes": ["documents.read"],
            "audience": [],
            "claims": {},
        }
    }
    assert found.profile == "hydra"


@pytest.mark.parametrize("version", [V26, V0])
async def test_a_recorded_session_has_expired_by_its_moment(version: str) -> None:
    request = sent(version, "kratos-session.proxy")
    found = await decided(request, snapshot(STRICT), now=1_795_572_400.9)
    assert found.outcome == Deny(Reason.PRINCIPAL_REJECTED, "the session has expired")
    found = await decided(request, snapshot(STRICT), now=1_795_572_400.8)
    assert found.outcome.reason is Reason.POLICY_ALLOW


@pytest.mark.parametrize("version", [V26, V0])
@pytest.mark.parametrize(
    ("forwarded_uri", "expected"),
    [
        (("/guest/files/a%20b?q=1",), "file a b download"),
        (("/guest/files/a%20b",), "file a b download"),
        (("/guest/files/a%2520b",), AMBIGUOUS),  # not what Oathkeeper was told
        (("/guest/files/other",), AMBIGUOUS),
        (("/guest/files/a%20b", "/guest/files/a%20b"), AMBIGUOUS),
    ],
)
async def test_a_forwarded_uri_is_held_to_what_oathkeeper_makes_of_it(
    version: str, forwarded_uri: tuple[str, ...], expected: str
) -> None:
    pdp = ScriptedPdp(ALLOW)
    body = json.loads((FIXTURES / version / "forwarded-uri.decisions.json").read_bytes())
    body["forwarded_uri"] = list(forwarded_uri)
    found = await decided(decode(json.dumps(body).encode()), snapshot(STRICT), pdp, now=THEN)
    asked = [f"file {check.resource.id} download" for call in pdp.calls for check in call.checks]
    assert (asked or [found.outcome.reason.value]) == [expected]


async def test_the_script_by_table_decides_one_resource_at_a_time() -> None:
    pdp = ScriptedPdp(table({("document", "1", "view"): Effect.ALLOW}))
    assert (await decided(ask("/documents/1"), pdp=pdp)).outcome.reason is Reason.POLICY_ALLOW
    assert (await decided(ask("/documents/2"), pdp=pdp)).outcome.reason is Reason.POLICY_DENY
