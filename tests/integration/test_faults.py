"""When a part of the chain dies or hangs, nobody is let in, and all is well again by itself."""

from __future__ import annotations

import os
import re
import signal
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

import pytest
from chain import Client, Entrance, Grant, PdpKind, Question, bearer, running_chain, wire
from faults.outages import killed, stopped
from faults.passage import PATH, PDP_FAULTS, judge_passage, passage
from polling import until
from processes import children, gone

from authorizer.config.settings import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from chain import Chain, Credential
    from chain.wire import Reply
    from faults.passage import Fault

pytestmark = [pytest.mark.integration, pytest.mark.alone]

# Open to everyone, by the policy: the PDP is asked, Kratos is not.
HANDBOOK: Final = Question("GET", PATH)
DOCUMENTS: Final = Question("GET", "/orgs/acme/documents")

# The promised deadline, and what two busy cores may add to it. Five tries would take longer.
AT_ONCE: Final = Server().deadline + 1.0

# How long the caller waits: behind what hangs, Oathkeeper itself waits for as long as its caller.
PATIENCE: Final = 1.0


LOST_PDP: Final = pytest.mark.parametrize(
    ("fault", "reason"), [(killed, "pdp_unavailable"), (stopped, "pdp_deadline")]
)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Give a chain with a PDP of its own, whose parts the tests break and mend."""
    folder = tmp_path_factory.mktemp("faults")
    with running_chain(folder, pdp=PdpKind.EXTERNAL) as running:
        yield running


@LOST_PDP
def test_a_lost_pdp_is_a_501_by_the_deadline_and_all_is_well_when_it_is_back(
    chain: Chain, fault: Fault, reason: str
) -> None:
    until(lambda: pdp_seen(chain) == {"up": 1, "state": "serving"})
    pid = chain.programs["authorizer"].pid
    with fault(chain.programs["cerbos"]):
        for _ in range(3):
            started = time.monotonic()
            answer = decide(chain)
            assert time.monotonic() - started < AT_ONCE
            assert (answer.status, answer.headers["x-decision-reason"]) == (501, reason)
        until(lambda: pdp_seen(chain) == {"up": 0, "state": "unreachable"})
    until(lambda: decide(chain).status == 200)
    until(lambda: pdp_seen(chain) == {"up": 1, "state": "serving"})
    assert chain.programs["authorizer"].pid == pid


def test_an_instance_without_its_pdp_stays_ready(chain: Chain) -> None:
    """Else one lost PDP would take every instance out of a load balancer."""
    with killed(chain.programs["cerbos"]):
        until(lambda: pdp_seen(chain)["state"] == "unreachable")
        assert ready(chain).status == 200


@pytest.mark.parametrize("fault", PDP_FAULTS)
@pytest.mark.parametrize("entrance", Entrance)
def test_behind_oathkeeper_a_lost_pdp_is_one_question_and_one_500_by_the_deadline(
    chain: Chain, fault: str, entrance: Entrance
) -> None:
    """For each of many callers; Oathkeeper and the way through it take less than 100 ms more."""
    assert judge_passage(passage(chain, fault, entrance)) == []
    until(lambda: pdp_seen(chain) == {"up": 1, "state": "serving"})


@pytest.mark.parametrize("fault", [killed, stopped])
@pytest.mark.parametrize("entrance", Entrance)
def test_a_lost_authorizer_lets_nobody_in_and_is_asked_again_when_it_is_back(
    chain: Chain, fault: Fault, entrance: Entrance
) -> None:
    until(lambda: status(chain, entrance) == 200)
    with fault(chain.programs["authorizer"]):
        for _ in range(2):
            assert status(chain, entrance) in (None, 500)
    until(lambda: status(chain, entrance) == 200)


@pytest.mark.parametrize("fault", [killed, stopped])
def test_a_lost_kratos_lets_no_session_in(chain: Chain, fault: Fault) -> None:
    session = log_in(chain)
    assert chain.ask(DOCUMENTS, session).status == 200
    with fault(chain.programs["kratos"]):
        for entrance in Entrance:
            assert status(chain, entrance, DOCUMENTS, session) in (None, 403)
            assert status(chain, entrance) == 200
    # Somebody new: a Kratos that was killed has forgotten everybody, as it keeps them in memory.
    assert chain.ask(DOCUMENTS, log_in(chain)).status == 200


@pytest.mark.parametrize("fault", [killed, stopped])
def test_a_lost_hydra_lets_no_token_in_and_keeps_no_session_out(chain: Chain, fault: Fault) -> None:
    token, session = client_token(chain), log_in(chain)
    assert chain.ask(DOCUMENTS, token).status == 200
    with fault(chain.programs["hydra"]):
        for entrance in Entrance:
            assert status(chain, entrance, DOCUMENTS, token) in (None, 500)
            assert status(chain, entrance, DOCUMENTS, session) == 200
    # A new one: a Hydra that was killed has forgotten all clients, as it keeps them in memory.
    assert chain.ask(DOCUMENTS, client_token(chain)).status == 200


def test_an_embedded_pdp_that_dies_is_replaced(tmp_path: Path) -> None:
    with running_chain(tmp_path) as chain:
        [pdp] = children(chain.programs["authorizer"].pid)
        assert decide(chain).status == 200
        os.kill(pdp, signal.SIGKILL)
        until(lambda: gone(pdp))
        answers: list[Reply] = []

        def decided() -> bool:
            answers.append(decide(chain))
            return answers[-1].status == 200

        until(decided)
        for answer in answers[:-1]:
            assert answer.status == 501
            assert answer.headers["x-decision-reason"] in ("pdp_unavailable", "pdp_deadline")
        until(lambda: pdp_seen(chain) == {"up": 1, "state": "serving"})
        assert chain.ask(HANDBOOK).status == 200


def decide(chain: Chain) -> Reply:
    """Ask the authorizer itself, as Oathkeeper does."""
    question: dict[str, Any] = {
        "profile": "anonymous",
        "subject": "guest",
        "extra": None,
        "method": HANDBOOK.method,
        "url": f"http://{chain.proxy}{HANDBOOK.path}",
        "headers": {},
    }
    return wire.send(f"127.0.0.1:{chain.ports.authorizer}", "POST", "/authorize", body=question)


def status(
    chain: Chain,
    entrance: Entrance,
    question: Question = HANDBOOK,
    credential: Credential | None = None,
) -> int | None:
    """Ask through Oathkeeper; return the status, None when the caller has lost patience."""
    try:
        return chain.send(question, credential, entrance=entrance, timeout=PATIENCE).status
    except TimeoutError:
        return None


def log_in(chain: Chain) -> Credential:
    """Create a member of acme, and log them in."""
    traits = {"email": f"{uuid.uuid4()}@acme.test", "org": "acme"}
    return bearer(chain.self_service.log_in(chain.kratos.create("sam", traits)))


def client_token(chain: Chain) -> Credential:
    """Register a client that may list, and get it a token."""
    client = Client(f"client-{uuid.uuid4()}", Grant.CLIENT_CREDENTIALS, "documents.list")
    chain.hydra.register(client)
    return bearer(chain.hydra.token(client))


def ready(chain: Chain) -> Reply:
    return wire.send(f"127.0.0.1:{chain.ports.authorizer}", "GET", "/health/ready")


def pdp_seen(chain: Chain) -> dict[str, Any]:
    """Return what the metric and the detail of readiness say of the only PDP."""
    metrics = wire.send(f"127.0.0.1:{chain.ports.authorizer_admin}", "GET", "/metrics")
    [up] = re.findall(r"^authorizer_pdp_up\{.*\} (\S+)$", metrics.body.decode(), re.MULTILINE)
    [pdp] = ready(chain).json()["pdp"]
    return {"up": float(up), "state": pdp["state"]}
