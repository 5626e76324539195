"""Connections that take their time, or too much, or never end: each over a real socket.

How soon they are hung up on is asserted only as "in the end".
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import resource
import socket
from typing import TYPE_CHECKING, Final

import pytest
from polling import eventually
from processes import memory
from serving import BODY, Wire, held, post, serving

from authorizer.instrumentation.metrics import CUT_REASONS
from authorizer.model import Allow, DecisionRecord, Reason
from authorizer.server import connection
from authorizer.server.connection import Connection
from authorizer.server.connections import Cut
from authorizer.server.cut_off import CutOff

if TYPE_CHECKING:
    from serving import Service

    from authorizer.model import AccessRequest
    from authorizer.pdp.interface import Deadline

KB: Final = 1024
# aiohttp's own way: who asks like this is not answered by the short one.
CHUNKED: Final = post(
    b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY),
    ["Content-Length:", "Transfer-Encoding: chunked"],
)
GET: Final = b"GET /health/alive HTTP/1.1\r\nHost: a\r\n\r\n"


async def is_hung_up_on(wire: Wire) -> bool:
    """Wait until the server hangs up, one way or the other; nothing may be answered."""
    with contextlib.suppress(ConnectionError):
        return await wire.is_closed()
    return True


async def trickle(wire: Wire, text: bytes, *, pause: float = 0.02) -> bool:
    """Send `text` by the byte, and return whether the server hung up before it was sent."""
    for position in range(len(text)):
        wire.send(text[position : position + 1])
        await asyncio.sleep(pause)
        if wire.reader.at_eof() or wire.reader.exception() is not None:
            return True
    return False


async def test_a_head_by_the_byte_is_hung_up_on_and_the_others_are_answered() -> None:
    async with serving(header_timeout=0.3) as service:
        async with await service.connect() as slow:
            sending = asyncio.create_task(trickle(slow, post(BODY, ["X-Long: " + "x" * 2000])))
            while not sending.done():
                assert (await service.ask()).status == 200
                await asyncio.sleep(0.02)
            assert await sending
        assert service.cut == [Cut.SLOW_HEAD]
        assert set(service.sink.reasons) == {"policy_allow"}


@pytest.mark.parametrize("begun", [b"P", b"POST /authorize HTTP/1.1\r\n", post()[: -len(BODY) - 1]])
async def test_a_head_that_never_ends_is_hung_up_on(begun: bytes) -> None:
    async with serving(header_timeout=0.2) as service, await service.connect() as wire:
        wire.send(begun)
        assert await is_hung_up_on(wire)
        assert service.cut == [Cut.SLOW_HEAD]
        assert service.sink.records == []


async def test_the_next_head_of_a_connection_has_as_much_time_as_its_first() -> None:
    async with serving(header_timeout=0.2) as service, await service.connect() as wire:
        for _ in range(2):
            wire.send(post())
            assert (await wire.answer()).status == 200
        wire.send(b"POST /auth")
        assert await is_hung_up_on(wire)
        assert service.cut == [Cut.SLOW_HEAD]


async def test_pieces_that_arrive_in_time_are_a_request(service: Service) -> None:
    async with await service.connect() as wire:
        text = post()
        for start in range(0, len(text), 40):
            wire.send(text[start : start + 40])
            await asyncio.sleep(0.01)
        assert (await wire.answer()).status == 200
    assert service.cut == []


async def test_a_body_has_time_of_its_own() -> None:
    """What comes after a head is no head, however long that takes."""
    async with serving(header_timeout=0.1, deadline=20.0, body_timeout=20.0) as service:
        async with await service.connect() as wire:
            wire.send(post()[: -len(BODY)])
            assert not await trickle(wire, BODY, pause=0.01)
            assert (await wire.answer()).status == 200
            # The next one too.
            wire.send(post())
            assert (await wire.answer()).status == 200
        assert service.cut == []


@pytest.mark.parametrize("answered", [0, 1])
async def test_a_connection_that_sends_nothing_is_closed_when_it_was_idle_for_long(
    answered: int,
) -> None:
    async with serving(idle_timeout=0.2, header_timeout=60.0) as service:
        async with await service.connect() as wire:
            for _ in range(answered):
                wire.send(post())
                assert (await wire.answer()).status == 200
            assert await is_hung_up_on(wire)
        assert service.cut == []
        assert service.collaborators.connections.open == 0


@pytest.mark.parametrize("first", [post(), CHUNKED], ids=["short way", "long way"])
async def test_who_trickles_a_second_request_gets_the_answer_to_the_first(first: bytes) -> None:
    release = asyncio.Event()

    async def wait(_: AccessRequest, __: Deadline) -> DecisionRecord:
        await release.wait()
        return DecisionRecord(decision_id="d", outcome=Allow(Reason.POLICY_ALLOW))

    async with serving(header_timeout=0.2, deadline=30.0) as service:
        service.decision.rule = wait
        async with await service.connect() as wire:
            wire.send(first)
            await eventually(lambda: service.decision.asked)
            wire.send(b"POST /")
            if first is CHUNKED:
                await eventually(lambda: service.cut)
            release.set()
            assert (await wire.answer()).status == 200
            assert await is_hung_up_on(wire)
        assert service.cut == [Cut.SLOW_HEAD]


async def test_a_head_of_many_large_fields_is_hung_up_on_long_before_its_end() -> None:
    """Each field, and their number, are within what aiohttp allows: together 7 MB."""
    async with serving(header_timeout=60.0) as service, await service.connect() as wire:
        wire.send(b"POST /authorize HTTP/1.1\r\n")
        taken = 0
        with contextlib.suppress(ConnectionError):
            for number in range(120):
                wire.send(b"X-%d: %s\r\n" % (number, b"x" * 60 * KB))
                await wire.writer.drain()
                taken += 60
                await asyncio.sleep(0)
        assert await is_hung_up_on(wire)
        assert taken < 120 * 60
        assert service.cut == [Cut.LARGE_HEAD]


async def test_more_fields_than_anybody_needs_are_400(service: Service) -> None:
    answer = await service.ask(BODY, [f"X-{number}: 1" for number in range(300)])
    assert (answer.status, answer.json["reason"]) == (400, "malformed_request")


async def test_who_asks_and_never_reads_is_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_UNREAD", 0.3)
    async with serving() as service:
        at = service.listeners.address
        with socket.socket() as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * KB)
            deaf.connect((at.host, at.port))
            deaf.settimeout(0)
            loop = asyncio.get_running_loop()
            # Asks until nothing more is taken: its answers wait, and so do its questions.
            async with asyncio.timeout(30):
                with contextlib.suppress(ConnectionError):
                    while not service.cut:
                        with contextlib.suppress(TimeoutError):
                            async with asyncio.timeout(0.1):
                                await loop.sock_sendall(deaf, GET * 100)
            await eventually(lambda: service.collaborators.connections.open == 0)
        assert service.cut == [Cut.SLOW_READER]
        assert (await service.ask()).status == 200


# --- how many --------------------------------------------------------------------------------


async def test_one_connection_too_many_is_hung_up_on_at_once_and_the_next_one_is_not() -> None:
    async with serving(max_connections=2) as service:
        opened = service.collaborators.connections
        async with await service.connect() as first, await service.connect() as second:
            await eventually(lambda: opened.open == 2)
            async with await service.connect() as third:
                with contextlib.suppress(ConnectionError):
                    third.send(post())
                assert await is_hung_up_on(third)
            assert service.cut == [Cut.TOO_MANY]
            for wire in (first, second):
                wire.send(post())
                assert (await wire.answer()).status == 200
        await eventually(lambda: opened.open == 0)
        assert (await service.ask()).status == 200


async def test_operators_have_connections_of_their_own() -> None:
    async with serving(max_connections=1) as service, await service.connect():
        await eventually(lambda: service.collaborators.connections.open == 1)
        ready = await service.get("/health/ready", admin=True)
        assert ready.status == 200
        assert service.collaborators.connections.open == 1


async def test_a_flood_of_connections_takes_a_bounded_number_and_bounded_memory() -> None:
    """As many as the test may open; those that have a place are served meanwhile."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Both ends are in this process.
    flood = min(3000, soft - 300)
    limit = flood // 4
    async with serving(max_connections=limit) as service, await service.connect() as wire:
        at, connections = service.listeners.address, service.collaborators.connections
        await eventually(lambda: connections.open == 1)
        before = memory(os.getpid())
        sockets = []
        try:
            for number in range(flood):
                client = socket.socket()
                sockets.append(client)
                client.settimeout(0)
                client.connect_ex((at.host, at.port))
                if number % 100 == 0:
                    assert connections.open <= limit
                    wire.send(post())
                    assert (await wire.answer()).status == 200
            await eventually(lambda: len(service.cut) >= flood - limit)
            assert connections.open == limit
            assert memory(os.getpid()) - before < limit * 64 * KB
        finally:
            for client in sockets:
                client.close()
        await eventually(lambda: connections.open == 1)
        wire.send(post())
        assert (await wire.answer()).status == 200
    assert set(service.cut) == {Cut.TOO_MANY}


@pytest.mark.parametrize("text", [post(), CHUNKED, post()[:-1], b"POST"])
async def test_a_connection_that_is_over_leaves_nothing_to_the_garbage_collector(
    service: Service, text: bytes
) -> None:
    """A reload freezes all that are open then, and that is hardly ever collected."""
    gc.collect()
    before = alive(Connection)  # of loops of other tests, closed with what was in them
    gc.disable()
    try:
        async with await service.connect() as wire:
            wire.send(text)
            await eventually(lambda: alive(Connection) == before + 1)
            if text in (post(), CHUNKED):
                assert (await wire.answer()).status == 200
        await eventually(lambda: alive(Connection) == before)
    finally:
        gc.enable()


async def test_who_hangs_up_while_he_is_decided_leaves_nothing_to_the_garbage_collector() -> None:
    async with serving(deadline=30.0) as service:
        held(service)
        gc.collect()
        before = alive(Connection, CutOff)
        gc.disable()
        try:
            async with await service.connect() as wire:
                wire.send(post())
                await eventually(lambda: service.decision.asked)
                assert alive(Connection, CutOff) == before + 2
            await eventually(lambda: service.abandoned)
            await eventually(lambda: alive(Connection, CutOff) == before)
        finally:
            gc.enable()


def alive(*kinds: type) -> int:
    return sum(type(one) in kinds for one in gc.get_objects())


def test_every_way_to_be_hung_up_on_has_a_metric() -> None:
    assert set(CUT_REASONS) == {cut.value for cut in Cut}


async def test_who_comes_when_the_listener_is_closed_is_let_in_no_more() -> None:
    """As one whose handshake was under way: it ends when it will."""
    async with serving() as service:
        service.listeners._open[0]._endpoint.let_nobody_in()
        async with await service.connect() as wire:
            wire.send(post())
            assert await wire.is_closed()
        assert service.collaborators.connections.open == 0
        assert service.decision.asked == []


async def test_a_listener_that_is_closed_lets_nobody_in() -> None:
    async with serving() as service:
        endpoint = service.listeners._open[0]._endpoint
        assert not endpoint.is_closed
    assert endpoint.is_closed
