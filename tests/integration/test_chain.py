"""The main job on real programs: Kratos says who, Oathkeeper asks, Cerbos decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from chain import Entrance, PdpKind, Question, bearer, running_chain
from chain.scenario import Scenario
from served import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from chain import Chain
    from chain.scenario import Row

pytestmark = pytest.mark.integration


def differences(walked: Iterable[Row]) -> list[str]:
    rows = list(walked)
    assert len(rows) >= 14
    return [
        f"{row.expectation.who}: {row.expectation.question} ({row.expectation.why}): "
        f"expected {row.expectation.expected}, got {row.got}"
        for row in rows
        if not row.as_expected
    ]


@pytest.mark.parametrize("entrance", Entrance)
def test_the_story_holds_through_each_entrance_of_oathkeeper(
    tmp_path: Path, entrance: Entrance
) -> None:
    with running_chain(tmp_path, environ=PATIENT) as chain:
        assert differences(Scenario(chain, entrance=entrance).walk()) == []


def test_the_shipped_example_holds_with_the_shipped_pdp_configuration(tmp_path: Path) -> None:
    with running_chain(tmp_path, pdp=PdpKind.EXTERNAL, environ=PATIENT) as chain:
        assert differences(Scenario(chain).as_shipped()) == []


def test_what_a_caller_claims_of_the_decision_does_not_reach_the_application(
    shared_chain: Chain,
) -> None:
    spoofed = {"X-Cerbos-Call-Id": "spoofed", "X-Decision-Id": "spoofed"}
    reply = shared_chain.send(Question("GET", "/healthz"), headers=spoofed)
    assert reply.status == 200
    seen = reply.json()["headers"]
    assert seen["X-Cerbos-Call-Id"] == ""
    assert seen["X-Decision-Id"] not in ("", "spoofed")


def test_nothing_of_a_session_is_in_the_log(shared_chain: Chain) -> None:
    traits = {"email": "sam@acme.test", "org": "acme", "department": "a-trait-to-keep"}
    person = shared_chain.kratos.create("sam", traits)
    session = shared_chain.self_service.log_in(person)
    answer = shared_chain.ask(Question("GET", "/orgs/acme/documents"), bearer(session))
    assert answer.status == 200
    log = shared_chain.programs["authorizer"].log.read_text()
    assert person.id in log
    for secret in (session, "a-trait-to-keep", "sam@acme.test"):
        assert secret not in log
