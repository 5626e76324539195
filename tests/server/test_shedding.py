"""Questions that are refused by their bytes, as there is no place for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polling import eventually
from serving import BODY, Service, Wire, assemble, full, held, post, serving, settings
from structlog.testing import capture_logs

from authorizer.config.settings import Enforcement
from authorizer.model import DecisionRecord, Indeterminate, Reason
from authorizer.server.shedding import is_one_question

if TYPE_CHECKING:
    from aiohttp import web


@pytest.mark.parametrize("status", [501, 503])
async def test_a_refusal_says_what_one_of_a_request_that_was_read_says(status: int) -> None:
    """By their ids alone they differ, and by the date, which nobody has to give for a 5xx."""
    async with (
        serving(max_in_flight=1, max_wait=0.0, deadline=30.0, unavailable_status=status) as service,
        full(service),
    ):
        unread = await service.send(post())
        read = await service.send(post(headers=["Connection: keep-alive"]))
        ids = [answer.headers.pop("x-decision-id") for answer in (unread, read)]
        assert [answer.json.pop("decision_id") for answer in (unread, read)] != ids[::-1]
        read.headers.pop("date")
        assert unread.headers == read.headers
        assert (unread.status, read.status) == (status, status)
        assert unread.body == read.body.replace(ids[1].encode(), ids[0].encode())
        assert unread.json["reason"] == "overloaded"
        assert service.sink.reasons == ["overloaded"] * 2
        assert len(service.decision.asked) == 1


async def test_the_connection_goes_on_and_is_answered_once_there_is_a_place() -> None:
    async with (
        serving(max_in_flight=1, max_wait=0.0, deadline=30.0) as service,
        await service.connect() as wire,
    ):
        async with full(service) as release:
            for _ in range(3):
                wire.send(post())
                assert (await wire.answer()).status == 501
            release.set()
        wire.send(post())
        assert (await wire.answer()).status == 200


async def test_who_is_refused_unread_is_one_who_was_turned_away() -> None:
    """So that the line is short where that goes on."""
    async with serving(max_in_flight=1, max_wait=0.3, deadline=30.0) as service:
        places = service.collaborators.places
        async with full(service):
            # Nobody gives back his place for so long that it is of no use to wait.
            await eventually(places.hopeless)
            assert places._turned_away < 0
            assert (await service.send(post())).status == 501
            assert places._turned_away > 0


def connection_of(service: Service, wire: Wire) -> web.RequestHandler:
    """Return the server's end of a connection."""
    own = wire.writer.get_extra_info("sockname")
    [connection] = [
        one
        for one in service.listeners._open[0]._endpoint.connections
        if one.transport is not None and one.transport.get_extra_info("peername") == own
    ]
    return connection


async def test_a_connection_that_is_refused_is_not_one_that_idles() -> None:
    """One that idles is closed after `idle_timeout`, in the middle of the next question perhaps."""
    async with (
        serving(max_in_flight=1, max_wait=0.0, deadline=30.0, idle_timeout=1.0) as service,
        full(service),
        await service.connect() as wire,
    ):
        await eventually(lambda: service.collaborators.connections.open == 2)
        connection = connection_of(service, wire)
        # As if it had been idle for all the time that it may be.
        connection._next_keepalive_close_time = 0.0
        asked = asyncio.get_running_loop().time()
        wire.send(post())
        assert (await wire.answer()).status == 501
        assert connection._next_keepalive_close_time >= asked + 1.0
        assert await wire.is_closed()


async def test_what_came_before_on_its_connection_is_answered_first() -> None:
    """Two that are sent at once are read, as are those whose predecessor is not answered yet."""
    async with (
        serving(max_in_flight=1, max_wait=0.0, deadline=30.0) as service,
        await service.connect() as wire,
        full(service),
    ):
        wire.send(post() + post())
        assert [(await wire.answer()).status for _ in range(2)] == [501, 501]
        wire.send(post()[:-5])
        wire.send(BODY[-5:])
        assert (await wire.answer()).json["reason"] == "overloaded"
        wire.send(b"GET /health/alive HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await wire.answer()).status == 200


@pytest.mark.parametrize("turns", range(8))
async def test_nobody_is_answered_before_who_asked_before_on_that_connection(turns: int) -> None:
    """However far the first one is: an answer in the wrong place would be somebody else's allow."""
    async with serving(max_in_flight=1, max_wait=0.0, deadline=30.0) as service:
        release = held(service)
        async with await service.connect() as wire:
            wire.send(post())
            for _ in range(turns):
                await asyncio.sleep(0)
            wire.send(post())
            await eventually(lambda: service.collaborators.places.taken == 1)
            assert (await service.ask()).status == 501
            release.set()
            assert [(await wire.answer()).status for _ in range(2)] == [200, 200]


async def test_what_looks_like_a_question_in_the_middle_of_a_head_is_none() -> None:
    async with (
        serving(max_in_flight=1, max_wait=0.0, deadline=30.0) as service,
        full(service),
        await service.connect() as wire,
    ):
        wire.send(b"POST /authorize HTTP/1.1\r\nX-Other: ")
        assert (await service.ask()).status == 501
        wire.send(post())
        answer = await wire.answer()
        # Who was read is told the date.
        assert (answer.status, "date" in answer.headers) == (501, True)


async def test_half_a_head_behind_a_request_is_never_glued_to_another_one() -> None:
    """Whoever shares the connection would be decided with somebody else's header."""
    async with (
        serving(max_in_flight=1, max_wait=0.0, deadline=30.0) as service,
        await service.connect() as wire,
    ):
        wire.send(
            post() + post().partition(b"Host")[0] + b"Authorization: Bearer other\r\nX-Note: "
        )
        assert (await wire.answer()).status == 200
        async with full(service) as release:
            wire.send(post())  # it is the value of that header, and what follows a body
            await eventually(lambda: service.sink.reasons[-1:] == ["overloaded"])
            refused = await wire.answer()
            assert (refused.status, "date" in refused.headers) == (501, True)
            release.set()
        wire.send(post())
        assert (await wire.answer()).status == 200
        assert service.decision.asked[-1].authorization == ()


async def test_a_body_that_comes_behind_its_head_leaves_its_connection_plain() -> None:
    async with (
        serving(max_in_flight=1, max_wait=0.0, deadline=30.0) as service,
        await service.connect() as wire,
    ):
        wire.send(post()[:-20])
        wire.send(BODY[-20:-10])
        wire.send(BODY[-10:])
        assert (await wire.answer()).status == 200
        async with full(service):
            wire.send(post())
            refused = await wire.answer()
            assert (refused.status, "date" in refused.headers) == (501, False)


async def test_who_observes_refuses_nobody() -> None:
    observing = msgspec.structs.replace(
        settings(max_in_flight=1, max_wait=0.0, deadline=30.0), enforcement=Enforcement.OBSERVE
    )
    service = assemble(observing)
    await service.listeners.start()
    try:
        async with full(service):
            answer = await service.ask()
            assert (answer.status, answer.json["reason"]) == (200, "observed")
        would_be = service.sink.records[0].would_be
        assert isinstance(would_be, Indeterminate)
        assert would_be.reason is Reason.OVERLOADED
    finally:
        await service.listeners.drain()


async def test_of_many_that_come_at_once_no_more_are_read_than_there_is_room_for() -> None:
    async with serving(max_in_flight=2, max_wait=0.0, deadline=30.0) as service:
        wires = [await service.connect() for _ in range(40)]
        release = held(service)
        for wire in wires:
            wire.send(post())
        await eventually(lambda: len(service.sink.reasons) == 38)
        release.set()
        answers = [await wire.answer() for wire in wires]
        assert sorted(answer.status for answer in answers) == [200] * 2 + [501] * 38
        # Who was read is told the date.
        assert sum("date" in answer.headers for answer in answers) == 2
        for wire in wires:
            await wire.__aexit__()


async def test_a_sink_that_fails_does_not_keep_anybody_from_being_refused() -> None:
    class Broken:
        def record(self, _: DecisionRecord) -> None:
            raise OSError

    async with serving(max_in_flight=1, max_wait=0.0, deadline=30.0) as service, full(service):
        service.collaborators.sinks.append(Broken())  # type: ignore[attr-defined] # the test's list
        with capture_logs() as logs:
            assert (await service.ask()).status == 501
        assert [line["event"] for line in logs] == ["sink.failed"]
        service.collaborators.sinks.pop()  # type: ignore[attr-defined] # the test's list


# --- which bytes are one question ------------------------------------------------------------


def test_a_whole_plain_post_is_one_question() -> None:
    assert is_one_question(post())
    assert is_one_question(post(b""))
    assert is_one_question(
        post(headers=["Authorization: Bearer a.b.c", f"content-LENGTH:{len(BODY)} "])
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        post()[:-1],
        post() + b"\n",
        post() + post(),
        post().replace(b"POST", b"GET"),
        post().replace(b"/authorize", b"/authorize?"),
        post().replace(b"HTTP/1.1", b"HTTP/1.0"),
        post(headers=["Content-Length:"]),
        post(headers=["Content-Length: +57"]),
        post(headers=["Content-Length: 0x39"]),
        post(headers=["Content-Length: 57, 57"]),
        post(headers=["X: a\r\nContent-Length: 57"]),
        post(headers=["X: a\nContent-Length: 57"]),
        post(headers=["X: a\rContent-Length: 57"]),
        post(headers=["Transfer-Encoding: chunked"]),
        post(headers=["transfer-encoding : chunked"]),
        post(headers=["X: a\nTransfer-Encoding: chunked"]),
        post(headers=["Connection: close"]),
        post().replace(b"Content-Length: ", b"Content-Length: 1\r\n "),
        post().replace(b"\r\n\r\n", b"\r\n 7\r\n\r\n"),
        post(headers=["Authorization: Bearer " + 8192 * "a"]),
        post(headers=["Expect: 100-continue"]),
        post(headers=["Upgrade: h2c"]),
    ],
)
def test_what_is_not_one_whole_plain_post_is_left_to_be_read(data: bytes) -> None:
    assert not is_one_question(data)


@given(st.binary(max_size=40), st.integers(0, 200), st.integers(0, 3))
@example(b"\r\nContent-Length: 57", 60, 0)
def test_whatever_is_changed_its_one_length_is_the_end_of_it(
    noise: bytes, at: int, cut: int
) -> None:
    data = post()
    changed = data[:at] + noise + data[at + cut :]
    if is_one_question(changed):
        head, _, body = changed.partition(b"\r\n\r\n")
        lengths = [
            line.partition(b":")[2]
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ]
        assert [int(length) for length in lengths] == [len(body)]
