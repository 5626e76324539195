"""By whichever way a question goes, it is answered the same, once, and in its turn."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polling import eventually
from serving import BODY, Answer, assemble, full, held, post, serving
from serving import settings as settings_of
from structlog.testing import capture_logs

from authorizer.model import Allow, DecisionRecord, Reason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from serving import Service

    from authorizer.server.connection import Connection
    from authorizer.server.replies import Said

SECRET: Final = "a-secret-of-thirty-two-characters"  # noqa: S105 - of this test alone


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Service]:
    """Return a service that wants a secret, and takes bodies of 4 KiB at most."""
    file = tmp_path / "secret"
    file.write_text(SECRET)
    file.chmod(0o600)
    async with serving(shared_secret=str(file), max_body=4096) as service:
        yield service


def endpoint(service: Service) -> Any:  # noqa: ANN401 - the server's own
    return service.listeners._open[0]._endpoint


def by_aiohttp(service: Service) -> int:
    """Return how many requests have gone the long way."""
    return int(endpoint(service).requests_count)


async def in_two_pieces(service: Service, text: bytes) -> Answer:
    """Ask so that the body comes behind its head, which only the long way waits for."""
    head, end, body = text.partition(b"\r\n\r\n")
    async with await service.connect() as wire:
        wire.send(head + end)
        before = by_aiohttp(service)
        await eventually(lambda: by_aiohttp(service) > before or wire.reader.at_eof())
        wire.send(body)
        return await wire.answer()


def said(answer: Answer) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return an answer without what differs between any two."""
    headers = {k: v for k, v in answer.headers.items() if k not in ("date", "x-decision-id")}
    body = {key: value for key, value in answer.json.items() if key != "decision_id"}
    assert answer.json["decision_id"] == answer.headers["x-decision-id"]
    headers["content-length"] = str(int(headers["content-length"]))
    return answer.status, headers, body


KNOWN: Final = f"X-Authorizer-Secret: {SECRET}"
WITH_PATIENCE: Final = json.dumps({**json.loads(BODY), "headers": {"x-request-id": "r"}}).encode()


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (post(headers=[KNOWN]), 200),
        (post(WITH_PATIENCE, [KNOWN, "Authorization: Bearer x"]), 200),
        (post(headers=[KNOWN, "Connection: close"]), 200),
        (post(headers=[KNOWN]).replace(b"HTTP/1.1", b"HTTP/1.0", 1), 200),
        (post(headers=[KNOWN, "Connection: keep-alive"]).replace(b"/1.1", b"/1.0", 1), 200),
        (post(), 401),
        (post(headers=["X-Authorizer-Secret: another"]), 401),
        (post(b"{", [KNOWN]), 400),
        (post(b'{"subject": 1}', [KNOWN]), 400),
        (post(headers=[KNOWN, "Content-Type: text/plain"]), 400),
        (post(headers=[KNOWN, "Content-Encoding: gzip"]), 400),
        (post(BODY + b" " * 5000, [KNOWN]), 413),
    ],
)
async def test_the_short_way_says_what_the_long_way_says(
    guarded: Service, text: bytes, status: int
) -> None:
    before = by_aiohttp(guarded)
    short = await guarded.send(text)
    again = await guarded.send(text)  # its head is known now
    assert by_aiohttp(guarded) == before
    long = await in_two_pieces(guarded, text)
    assert by_aiohttp(guarded) == before + 1
    assert said(short) == said(again) == said(long)
    assert short.status == status
    records = guarded.sink.records
    await eventually(lambda: len(records) == 3)
    assert records[0].outcome == records[1].outcome == records[2].outcome
    assert guarded.collaborators.places.taken == 0


@pytest.mark.parametrize(
    "text",
    [
        post(headers=["Expect: 100-continue"]),
        post().replace(b"POST", b"PUT", 1),
        post().replace(b"/authorize", b"/authorize?a", 1),
        post().replace(b"/authorize", b"/%61uthorize", 1),
        post() + post(),
        post() + b"P",
        b"%s5\r\n{    \r\n1\r\n}\r\n0\r\n\r\n"
        % post(b"", ["Content-Length:", "Transfer-Encoding: chunked"]),
    ],
    ids=["Expect", "PUT", "query", "escaped", "two", "one and a half", "chunked"],
)
async def test_what_is_not_one_plain_question_is_left_to_aiohttp(
    service: Service, text: bytes
) -> None:
    async with await service.connect() as wire:
        wire.send(text)
        await wire.head()
    assert by_aiohttp(service) >= 1


def of(name: str) -> bytes:
    return post(json.dumps({**json.loads(BODY), "subject": name}).encode())


async def test_what_comes_behind_a_question_waits_until_that_is_answered() -> None:
    async with serving(deadline=30.0) as service, await service.connect() as wire:
        release = held(service)
        wire.send(of("ann"))
        await eventually(lambda: service.decision.asked)
        wire.send(of("bob") + of("cem")[:50])
        async with await service.connect() as another:
            # Whoever is answered after it was sent shows that it has come by now.
            another.send(b"GET /health/alive HTTP/1.1\r\nHost: a\r\n\r\n")
            assert (await another.answer()).status == 200
        assert len(service.decision.asked) == 1
        release.set()
        wire.send(of("cem")[50:])
        users = [(await wire.answer()).headers["x-user"] for _ in range(3)]
        assert users == ["ann", "bob", "cem"]


async def test_a_connection_goes_on_after_what_came_behind_a_question() -> None:
    async with serving(deadline=30.0) as service, await service.connect() as wire:
        release = held(service)
        [connection] = endpoint(service).connections
        wire.send(of("ann"))
        await eventually(lambda: service.decision.asked)
        wire.send(of("bob")[:50])  # aiohttp would read on by itself at the end of a body
        await eventually(lambda: connection._held)
        release.set()
        assert (await wire.answer()).headers["x-user"] == "ann"
        wire.send(of("bob")[50:])
        assert (await wire.answer()).headers["x-user"] == "bob"


async def test_whoever_stops_waits_for_a_question_that_went_the_short_way() -> None:
    async with serving(deadline=30.0, drain_timeout=20.0) as service:
        release = held(service)
        async with await service.connect() as wire:
            wire.send(of("ann"))
            await eventually(lambda: service.decision.asked)
            waiting = endpoint(service)._quiet
            draining = asyncio.create_task(service.listeners.drain())
            await eventually(lambda: waiting._waiters)
            release.set()
            answer = await wire.answer()
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            await draining


async def test_no_more_is_read_behind_a_question_than_came_at_once() -> None:
    """Who sends on and on takes no memory."""
    async with serving(deadline=30.0) as service, await service.connect() as wire:
        release = held(service)
        wire.send(of("ann"))
        await eventually(lambda: service.decision.asked)
        [connection] = endpoint(service).connections
        total = 2 * 1024 * 1024
        wire.send(post() * (total // len(post())))
        await eventually(lambda: connection._held)
        await asyncio.sleep(0)
        assert len(connection._held) < 1024 * 1024
        assert not connection.transport.is_reading()
        release.set()
        # What was held, and all that comes after it.
        for _ in range(total // len(post())):
            assert (await wire.answer()).status == 200


@given(
    cuts=st.lists(st.integers(1, 3 * len(of("ann")) - 1), max_size=4, unique=True),
    waits=st.booleans(),
)
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
def test_however_questions_are_cut_each_is_answered_once_and_in_turn(
    cuts: list[int],
    waits: bool,  # noqa: FBT001 - drawn
) -> None:
    text = of("ann") + of("bob") + of("cem")

    async def ask() -> list[str]:
        async with serving(deadline=30.0) as service, await service.connect() as wire:
            if waits:
                held(service).set()
            for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(text)], strict=True):
                wire.send(text[start:end])
                await wire.writer.drain()
                for _ in range(3):
                    await asyncio.sleep(0)
            users = [(await wire.answer()).headers["x-user"] for _ in range(3)]
            assert [asked.subject for asked in service.decision.asked] == users
            return users

    assert asyncio.run(ask()) == ["ann", "bob", "cem"]


async def test_a_question_that_waits_is_no_idle_connection() -> None:
    async with serving(deadline=30.0, idle_timeout=0.2) as service, await service.connect() as wire:
        release = held(service)
        wire.send(of("ann"))
        await eventually(lambda: service.decision.asked)
        [connection] = endpoint(service).connections
        connection._next_keepalive_close_time = 0.0
        connection._process_keepalive()
        release.set()
        assert (await wire.answer()).status == 200
        assert await wire.is_closed()


class Surprise(Exception):
    pass


class Failing:
    """Answers nothing: it fails, at once or as it goes on."""

    def __init__(self, *, later: bool) -> None:
        self.later = later

    def at_once(self, *_: object) -> Said | asyncio.Task[Said]:
        async def fail() -> Said:
            raise Surprise

        if self.later:
            return asyncio.get_running_loop().create_task(fail())
        raise Surprise


@pytest.mark.parametrize("later", [False, True])
async def test_a_fault_that_nobody_caught_is_no_allow_and_leaves_nobody_waiting(
    service: Service,
    later: bool,  # noqa: FBT001 - both ways to fail
) -> None:
    way = endpoint(service)._short_way
    endpoint(service)._short_way = replace(way, answerer=Failing(later=later))
    with capture_logs() as logs:
        async with await service.connect() as wire:
            wire.send(of("ann"))
            answer = await wire.answer()
            assert (answer.status, answer.headers["connection"]) == (501, "close")
            assert await wire.is_closed()
    assert [line["event"] for line in logs] == ["server.failed"]


class Line(asyncio.Transport):
    """A connection's other end, that takes note of what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        """Do nothing."""


async def connected(service: Service) -> tuple[Connection, Line]:
    connection, line = endpoint(service)(), Line()
    connection.connection_made(line)
    await asyncio.sleep(0)  # until it waits for a request
    return connection, line


async def test_who_hangs_up_before_anything_has_begun_leaves_nothing_behind() -> None:
    async with serving(deadline=30.0) as service:
        held(service)
        connection, line = await connected(service)
        connection.data_received(of("ann"))
        assert service.collaborators.places.taken == 1
        connection.connection_lost(None)
        await eventually(lambda: service.abandoned)
        assert service.collaborators.places.taken == 0
        assert line.written == b""
        await endpoint(service).quiet()
        assert [task for task in asyncio.all_tasks() if task.get_name() == "decision"] == []


async def test_what_needs_nobody_is_answered_before_anything_else_happens() -> None:
    """Not in a turn of the event loop, of which there may be hundreds ahead."""
    service = assemble(settings_of())
    object.__setattr__(
        service.collaborators,
        "decide",
        lambda *_, decision_id, **__: DecisionRecord(
            decision_id=decision_id, outcome=Allow(Reason.ROUTE_ALLOW)
        ),
    )
    await service.listeners.start()
    connection, line = await connected(service)
    connection.data_received(of("ann"))
    assert line.written.startswith(b"HTTP/1.1 200 OK\r\n")
    assert service.collaborators.places.taken == 0
    # As often as one likes. aiohttp's parser stops within a piece at 32 that nobody has taken.
    for _ in range(100):
        connection.data_received(of("ann"))
    connection.data_received(of("ann") * 20)
    await eventually(lambda: line.written.count(b"HTTP/1.1 200 OK\r\n") == 121)
    connection.connection_lost(None)
    await service.listeners.drain()


async def test_who_comes_in_one_turn_gets_in_line_only_with_a_turn_in_time() -> None:
    async with serving(max_in_flight=1, max_wait=0.1, deadline=30.0) as service:
        held(service)
        ends = [await connected(service) for _ in range(400)]
        for connection, _ in ends:
            connection.data_received(of("ann"))
        refused = [line for _, line in ends if line.written.startswith(b"HTTP/1.1 501 ")]
        # Until it is known better, a place is given back each millisecond.
        assert 0 < len(ends) - len(refused) <= 101
        for connection, _ in ends:
            connection.connection_lost(None)
        await eventually(lambda: service.collaborators.places.waiting == 0)


def asking_at_once(
    stack: contextlib.ExitStack, service: Service, count: int
) -> list[socket.socket]:
    """Connect and ask while the event loop does neither accept nor read."""
    at = service.listeners.address
    clients = [
        stack.enter_context(socket.create_connection((at.host, at.port))) for _ in range(count)
    ]
    for client in clients:
        client.sendall(post())
        client.settimeout(5.0)
    return clients


async def statuses(clients: list[socket.socket]) -> list[bytes]:
    """Return the status of one answer on each connection."""
    heads = [await asyncio.to_thread(client.recv, 65536) for client in clients]
    return [head.split()[1] for head in heads]


async def test_who_asks_before_aiohttp_has_begun_with_the_connection_is_answered_as_well() -> None:
    async with serving() as service:
        with contextlib.ExitStack() as stack:
            clients = asking_at_once(stack, service, 5)
            assert await statuses(clients) == [b"200"] * 5
            for client in clients:
                client.sendall(post())
            assert await statuses(clients) == [b"200"] * 5
        assert by_aiohttp(service) == 0


async def test_who_asks_another_thing_before_aiohttp_has_begun_is_answered_by_it() -> None:
    async with serving() as service:
        with contextlib.ExitStack() as stack:
            [client] = asking_at_once(stack, service, 1)
            client.sendall(b"GET /version HTTP/1.1\r\nHost: a\r\n\r\n")
            got = b""
            while got.count(b"HTTP/1.1 200 OK") < 2:
                got += await asyncio.to_thread(client.recv, 65536)
        assert by_aiohttp(service) >= 1


async def test_a_crowd_that_comes_when_there_is_no_place_is_refused_unread() -> None:
    async with serving(max_in_flight=1, max_wait=0.0, deadline=30.0) as service:
        async with full(service):
            with contextlib.ExitStack() as stack:
                clients = asking_at_once(stack, service, 50)
                assert await statuses(clients) == [b"501"] * 50
        assert by_aiohttp(service) == 0
