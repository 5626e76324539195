"""Several real PDPs, known by addresses of each kind, and by a name whose addresses change."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest
from cerbosserver import DOCUMENTS, CerbosServer
from pdpquestions import ask, document, effects, until_it_says
from polling import PATIENCE

from authorizer.config.addresses import DnsName, TcpAddress, parse_target
from authorizer.errors import PdpDeadline, PdpUnavailable
from authorizer.model import Effect
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.pdp.failover import FailoverPdp, Unobserved
from authorizer.pdp.interface import PdpState
from authorizer.pdp.resolve import Resolver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from authorizer.config.addresses import Address

pytestmark = [pytest.mark.integration, pytest.mark.alone]

# An allowed and a forbidden question in one.
BOTH = (document("a"), document("b", of="other"))
RIGHT = [Effect.ALLOW, Effect.DENY]


@pytest.fixture
def start(cerbos: Path, folder: Path) -> Iterator[Callable[..., CerbosServer]]:
    servers: list[CerbosServer] = []

    def start(**options: object) -> CerbosServer:
        place = folder / str(len(servers))
        (place / "policies").mkdir(parents=True)
        (place / "policies" / "document.yaml").write_text(DOCUMENTS)
        server = CerbosServer(cerbos, place, **options)  # type: ignore[arg-type] # as they are
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()


class Counting(Unobserved):
    """Counts what became of calls."""

    def __init__(self) -> None:
        self.attempts: Counter[tuple[str, str]] = Counter()

    def attempted(self, endpoint: str, result: str) -> None:
        self.attempts[endpoint, result] += 1


def before(*addresses: Address) -> FailoverPdp:
    return FailoverPdp({str(address): partial(CerbosPdp, address) for address in addresses})


@pytest.fixture
async def closing() -> AsyncIterator[list[FailoverPdp]]:
    pdps: list[FailoverPdp] = []
    yield pdps
    for pdp in pdps:
        await pdp.close()


async def test_a_stopped_one_loses_no_question_and_is_asked_again_when_it_goes_on(
    start: Callable[..., CerbosServer], closing: list[FailoverPdp]
) -> None:
    one, other = start(), start()
    pdp = before(one.target, other.target)
    closing.append(pdp)
    one.stop()
    for _ in range(20):
        began = time.monotonic()
        answer = await ask(pdp, *BOTH, seconds=0.5)
        assert [result.effect for result in answer.results] == RIGHT
        assert time.monotonic() - began < 0.5 + 0.05
    health = {entry.endpoint: entry for entry in await pdp.health(timeout=0.5)}
    assert health[str(one.target)].state is PdpState.UNREACHABLE
    assert "its circuit is" in health[str(one.target)].detail
    one.resume()
    other.kill()
    await until_it_says(pdp, Effect.ALLOW)


async def test_while_one_question_waits_for_a_stopped_one_no_other_does(
    start: Callable[..., CerbosServer], closing: list[FailoverPdp]
) -> None:
    """Asked in turn, every second one would wait until the breaker opens."""
    one, other = start(), start()
    notes = Counting()
    pdp = FailoverPdp(
        {str(server.target): partial(CerbosPdp, server.target) for server in (one, other)},
        attempt_timeout=PATIENCE,
        observer=notes,
    )
    closing.append(pdp)
    # Each in turn, so that both are connected: connecting to a stopped one is given up in a second.
    for _ in range(2):
        await ask(pdp, *BOTH)
    assert len(notes.attempts) == 2
    notes.attempts.clear()
    one.stop()
    # Who is first in turn.
    waiting = asyncio.create_task(ask(pdp, *BOTH, seconds=2 * PATIENCE))
    await asyncio.sleep(0)
    for _ in range(100):
        answer = await ask(pdp, *BOTH, seconds=2 * PATIENCE)
        assert [result.effect for result in answer.results] == RIGHT
    assert notes.attempts == {(str(other.target), "answered"): 100}
    one.resume()
    assert [result.effect for result in (await waiting).results] == RIGHT
    assert notes.attempts[str(one.target), "answered"] == 1


async def test_when_all_are_stopped_questions_soon_fail_at_once(
    start: Callable[..., CerbosServer], closing: list[FailoverPdp]
) -> None:
    servers = [start(), start()]
    pdp = before(*(server.target for server in servers))
    closing.append(pdp)
    for server in servers:
        server.stop()
    took: list[float] = []
    # The first ones wait for their deadline, until each was late three times.
    while not took or took[-1] > 0.05:
        assert len(took) < 20, took
        began = time.monotonic()
        with pytest.raises((PdpDeadline, PdpUnavailable)):
            await ask(pdp, seconds=0.4)
        took.append(time.monotonic() - began)
    assert max(took) < 0.4 + 0.05
    for server in servers:
        server.resume()
    await until_it_says(pdp, Effect.ALLOW)


@pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is loopback on Linux only")
async def test_a_name_follows_its_pdp_to_another_address(
    start: Callable[..., CerbosServer], closing: list[FailoverPdp]
) -> None:
    one = start()
    name = DnsName("pdps.test", one.port)
    hosts = ["127.0.0.1"]

    async def lookup(_: DnsName) -> Sequence[TcpAddress]:
        return [TcpAddress(host, name.port) for host in hosts]

    def follow(found: Mapping[DnsName, Sequence[TcpAddress]]) -> None:
        pdp.replace({str(one): partial(CerbosPdp, one) for one in found[name]})

    pdp = FailoverPdp({})
    closing.append(pdp)
    resolver = Resolver([name], on_change=follow, lookup=lookup)
    await resolver.refresh()
    assert await effects(pdp, *BOTH) == RIGHT

    start(port=one.port, host="127.0.0.2")
    hosts[:] = ["127.0.0.1", "127.0.0.2"]
    await resolver.refresh()
    one.kill()
    for _ in range(10):
        assert await effects(pdp, *BOTH) == RIGHT

    hosts[:] = ["127.0.0.2"]
    await resolver.refresh()
    assert [entry.endpoint for entry in await pdp.health(timeout=1)] == [f"127.0.0.2:{one.port}"]
    assert await effects(pdp, *BOTH) == RIGHT


async def test_a_unix_socket_and_a_port_stand_in_for_each_other(
    start: Callable[..., CerbosServer], closing: list[FailoverPdp]
) -> None:
    one, other = start(on_socket=True), start()
    pdp = before(parse_target(one.address), other.target)
    closing.append(pdp)
    for server in (one, other):
        server.kill()
        for _ in range(10):
            assert await effects(pdp, *BOTH) == RIGHT
        server.start()
        await until_it_says(pdp, Effect.ALLOW)
        # Both have to be known to be well before the next one goes.
        while any("circuit" in entry.detail for entry in await pdp.health(timeout=1)):
            await ask(pdp)
