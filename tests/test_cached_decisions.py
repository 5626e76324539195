"""What the PDP answered decides again where a route says so, and nobody can tell but by the log."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict
from polling import PATIENCE
from sessions import NOW, session

from authorizer.config.settings import Settings
from authorizer.contract.decode import decode
from authorizer.engine import Clock, decide
from authorizer.errors import PdpDeadline, PdpRejected, PdpUnavailable
from authorizer.instrumentation.decision_log import fields
from authorizer.model import Allow, CheckResult, Effect, PdpAnswer, Reason
from authorizer.pdp.answers import KeptAnswers
from authorizer.pdp.batching import BatchingPdp
from authorizer.pdp.interface import Deadline
from authorizer.pdp.scripted import ScriptedPdp, always
from authorizer.principals.profiles import compile_profiles
from authorizer.routing.compile import compile_rules
from authorizer.snapshot import Snapshot
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from authorizer.model import Check, DecisionRecord, Principal
    from authorizer.pdp.scripted import Answer

RULES: Final = """
version: 1
defaults: {cache: {ttl: 5s}}
routes:
  - id: item
    match: {path: "/d/{id}", methods: [GET]}
    resource: {kind: document, id: "${path.id}"}
    action: view
    response_headers: {X-Fields: "${outputs.fields}", X-User: "${principal.id}"}
  - id: watched
    match: {path: "/watched/{id}", methods: [GET]}
    mode: observe
    resource: {kind: document, id: "${path.id}"}
    action: view
    response_headers: {X-Fields: "${outputs.fields}"}
  - id: either
    match: {path: "/either/{id}", methods: [GET]}
    require: any
    checks:
      - {resource: {kind: document, id: "${path.id}"}, action: own}
      - {resource: {kind: document, id: "${path.id}"}, action: view}
  - id: secret
    match: {path: "/s/{token}", methods: [GET]}
    redact: [token]
    resource: {kind: secret, id: "${path.token}"}
    action: view
  - {id: open, match: {path: /open, methods: [GET]}, effect: allow}
"""
UNCACHED: Final = RULES.replace("defaults: {cache: {ttl: 5s}}\n", "")


def snapshot(rules: str = RULES) -> Snapshot:
    return Snapshot(
        settings=msgspec.convert({}, Settings),
        routes=compile_rules([load_yaml(rules.encode(), "rules.yaml")]),
        profiles=compile_profiles(load_yaml(b"{}", "profiles"), load_yaml(b"kratos", "default")),
        digest="digest",
        loaded_at=0.0,
    )


class Asker:
    """Asks about paths, with answers that are kept, at a time that the test sets."""

    def __init__(self, pdp: Any, rules: str = RULES) -> None:  # noqa: ANN401 - any PDP
        self.pdp = pdp
        self.at = 0.0
        self.unix = NOW
        self.answers = KeptAnswers(monotonic=lambda: self.at)
        self.snapshot = snapshot(rules)
        self.count = 0

    async def ask(self, path: str, **keys: Any) -> DecisionRecord:  # noqa: ANN401 - JSON
        self.count += 1
        asked = {"subject": "ann", "method": "GET", "url": f"http://api.acme.test{path}"}
        body = json.dumps({**asked, "extra": session(), **keys}).encode()
        return await decide(
            # As the server does.
            self.snapshot.repeats.request(body, ()) or decode(body),
            self.snapshot,
            self.pdp,
            decision_id=f"decision-{self.count}",
            deadline=Deadline.after(PATIENCE),
            clock=Clock(now=lambda: self.unix),
            answers=self.answers,
        )


def by_id(_: Principal, check: Check) -> Answer:
    fields = {"document.view.default#fields": f"of {check.resource.id}"}
    allowed = check.resource.id.endswith("1") and check.action == "view"
    return CheckResult(Effect.ALLOW if allowed else Effect.DENY, fields)


def visible(record: DecisionRecord) -> dict[str, Any]:
    """Return what of a decision does not say when and by which call it was made."""
    theirs = {"decision_id", "cerbos_call_id", "cerbos_request_id", "pdp_seconds", "cached_seconds"}
    return {name: value for name, value in asdict(record).items() if name not in theirs}


async def test_the_same_question_is_asked_once_and_logged_as_cached_with_age_and_call() -> None:
    pdp = ScriptedPdp(by_id)
    asker = Asker(pdp)
    first = fields(await asker.ask("/d/1"))
    asker.at = 2.5
    again = fields(await asker.ask("/d/1"))
    assert len(pdp.calls) == 1
    assert "cached_ms" not in first
    assert again["cached_ms"] == 2500.0
    assert again["pdp_ms"] is None
    assert again["cerbos_call_id"] == first["cerbos_call_id"] == "call-1"
    assert again["cerbos_request_id"] == first["decision_id"] == "decision-1"
    assert again["decision_id"] == "decision-2"
    asker.at = 5.0
    assert "cached_ms" not in fields(await asker.ask("/d/1"))
    assert len(pdp.calls) == 2


@pytest.mark.parametrize("path", ["/d/1", "/d/2", "/watched/1", "/watched/2", "/either/1",
                                  "/either/2", "/s/1", "/s/2", "/open"])  # fmt: skip
async def test_from_the_cache_it_is_the_same_decision_in_all_that_is_said(path: str) -> None:
    asker = Asker(ScriptedPdp(by_id))
    fresh, again = await asker.ask(path), await asker.ask(path)
    assert visible(again) == visible(fresh)
    assert (again.cached_seconds is None) == (path == "/open")


async def test_the_same_bytes_are_read_once_and_decide_the_same_each_time() -> None:
    asker = Asker(ScriptedPdp(by_id))
    records = [await asker.ask("/d/1") for _ in range(3)]
    assert len(asker.snapshot.repeats) == 1
    assert [record.decision_id for record in records] == [f"decision-{n}" for n in (1, 2, 3)]
    assert len({str(visible(record)) for record in records}) == 1
    other = await asker.ask("/d/1", subject="bob", extra=session(identity={"id": "bob"}))
    assert other.subject == "bob"
    assert len(asker.snapshot.repeats) == 2


async def test_a_repeated_question_is_denied_once_its_session_has_expired() -> None:
    asker = Asker(ScriptedPdp(by_id))
    extra = {**session(), "expires_at": "2026-11-24T12:00:00Z"}
    end = datetime.fromisoformat(extra["expires_at"]).timestamp()
    asker.unix = end - 1
    for _ in range(2):
        assert isinstance((await asker.ask("/d/1", extra=extra)).outcome, Allow)
    asker.unix = end
    expired = await asker.ask("/d/1", extra=extra)
    assert expired.outcome.reason is Reason.PRINCIPAL_REJECTED
    assert expired.decision_id == "decision-3"


async def test_a_repeated_question_whose_principal_is_forgotten_is_asked_anew() -> None:
    pdp = ScriptedPdp(by_id)
    asker = Asker(pdp)
    first = await asker.ask("/d/1")
    asker.snapshot.kept._entries.clear()
    again = await asker.ask("/d/1")
    assert visible(again) == visible(first)
    assert len(pdp.calls) == 2
    assert (await asker.ask("/d/1")).cached_seconds is not None


async def test_no_question_of_a_route_without_the_key_is_kept() -> None:
    asker = Asker(ScriptedPdp(by_id), UNCACHED)
    await asker.ask("/d/1")
    assert len(asker.snapshot.repeats) == 0


async def test_a_route_without_the_key_asks_each_time() -> None:
    pdp = ScriptedPdp(by_id)
    asker = Asker(pdp, UNCACHED)
    assert (await asker.ask("/d/1")).cached_seconds is None
    assert (await asker.ask("/d/1")).cached_seconds is None
    assert len(pdp.calls) == 2
    assert (asker.answers.hits, asker.answers.misses, len(asker.answers)) == (0, 0, 0)


@pytest.mark.parametrize(
    "error", [PdpUnavailable("pdp", "x"), PdpDeadline("pdp", "x"), PdpRejected("pdp", "x")]
)
async def test_that_nobody_could_decide_is_never_kept(error: Exception) -> None:
    pdp = ScriptedPdp(always(error))  # type: ignore[arg-type]  # each is a PdpError
    asker = Asker(pdp)
    await asker.ask("/d/1")
    assert len(asker.answers) == 0
    pdp.script = by_id
    assert (await asker.ask("/d/1")).outcome.reason is Reason.POLICY_ALLOW


class ShortPdp(ScriptedPdp):
    """Answers, and leaves out a check."""

    async def check(self, *_: object, **__: object) -> PdpAnswer:
        return PdpAnswer("call", ())


async def test_an_answer_that_does_not_fit_is_not_kept() -> None:
    asker = Asker(ShortPdp(by_id))
    assert (await asker.ask("/d/1")).outcome.reason is Reason.PDP_REJECTED
    assert len(asker.answers) == 0


async def test_a_refusal_by_a_schema_is_an_answer_like_any_deny() -> None:
    refused = CheckResult(Effect.DENY, validation_errors=("principal /team",))
    asker = Asker(ScriptedPdp(always(refused)))
    fresh, again = await asker.ask("/d/1"), await asker.ask("/d/1")
    assert again.cached_seconds is not None
    assert "schemas refuse" in again.outcome.detail
    assert visible(again) == visible(fresh)


async def test_an_answer_never_outlives_the_session() -> None:
    asker = Asker(ScriptedPdp(by_id))
    await asker.ask("/d/1")
    assert (await asker.ask("/d/1")).cached_seconds == 0.0
    asker.unix = NOW + 10 * 365 * 86400
    assert (await asker.ask("/d/1")).outcome.reason is Reason.PRINCIPAL_REJECTED


async def test_new_rules_have_nothing_of_the_old_ones() -> None:
    pdp = ScriptedPdp(by_id)
    asker = Asker(pdp)
    await asker.ask("/d/1")
    asker.snapshot = snapshot()
    assert (await asker.ask("/d/1")).cached_seconds is None
    assert len(pdp.calls) == 2


class OpenPdp(ScriptedPdp):
    """Decides when it is asked, and answers when the test lets it."""

    def __init__(self) -> None:
        super().__init__(always(Effect.ALLOW))
        self.may_answer = asyncio.Event()
        self.policies = Effect.ALLOW
        self.asked = 0

    async def check(self, *_: object, **__: object) -> PdpAnswer:
        self.asked += 1
        said = CheckResult(self.policies)
        await self.may_answer.wait()
        return PdpAnswer("call", (said,))


async def test_what_was_asked_before_the_policies_changed_is_given_to_nobody_who_asks_after() -> (
    None
):
    inner = OpenPdp()
    asker = Asker(None)
    generation = lambda: asker.answers.generation  # noqa: E731 - as wiring gives it
    asker.pdp = BatchingPdp(inner, new_id=lambda: "batch", generation=generation)
    before = asyncio.create_task(asker.ask("/d/1"))
    await asyncio.sleep(0)
    assert inner.asked == 1
    inner.policies = Effect.DENY
    asker.answers.clear()
    # The same question is in flight, and would be joined.
    after = asyncio.create_task(asker.ask("/d/1"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    inner.may_answer.set()
    assert (await before).outcome.reason is Reason.POLICY_ALLOW
    assert (await after).outcome.reason is Reason.POLICY_DENY
    kept = await asker.ask("/d/1")
    assert kept.cached_seconds is not None
    assert kept.outcome.reason is Reason.POLICY_DENY


@given(
    st.lists(
        st.one_of(
            st.sampled_from(["/d/1", "/d/2", "/either/1", "/watched/2", "/s/1"]),
            st.sampled_from([0.5, 4.5, 5.0]),
            st.sampled_from(["clear", "policies", "rules"]),
        ),
        max_size=30,
    )
)
def test_cached_and_asked_anew_agree_where_the_cache_is_told_of_each_change(
    steps: list[str | float],
) -> None:
    async def run() -> None:
        effects = {"now": Effect.ALLOW}
        pdp = ScriptedPdp(lambda _, check: CheckResult(effects["now"], {"fields": check.action}))
        cached, fresh = Asker(pdp), Asker(pdp, UNCACHED)
        for step in steps:
            match step:
                case float():
                    cached.at += step
                case "clear":
                    cached.answers.clear()
                case "policies":
                    swapped = effects["now"] is Effect.ALLOW
                    effects["now"] = Effect.DENY if swapped else Effect.ALLOW
                    cached.answers.clear()
                case "rules":
                    cached.snapshot = snapshot()
                case path:
                    one, other = await cached.ask(path), await fresh.ask(path)
                    assert visible(one) == visible(other)

    asyncio.run(run())
