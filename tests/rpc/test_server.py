"""Calls to a server of another make over a real socket: it says when we break the protocol."""

from __future__ import annotations

import asyncio

import pytest
from h2.errors import ErrorCodes
from h2.settings import SettingCodes
from polling import eventually
from rpc.calling import call, channel_to, failed
from rpc.serverh2 import START, Stream, message, serving

from authorizer.rpc.call import LARGEST_ANSWER
from authorizer.rpc.status import CallFailed, Code

MIB = 1024 * 1024


async def test_what_the_server_is_asked_is_what_grpc_asks() -> None:
    headers: dict[str, str] = {}

    async def behave(stream: Stream) -> None:
        headers.update(stream.headers)
        await stream.answer(b"!" + await stream.question())

    async with serving(behave) as server, channel_to(server.target) as channel:
        assert await call(channel, b"hello") == b"!hello"
        assert headers.pop("grpc-timeout")[:-1].isdecimal()
        assert headers == {
            ":method": "POST", ":scheme": "http", ":path": "/s/M",
            ":authority": str(server.target), "content-type": "application/grpc",
            "te": "trailers", "user-agent": "oathkeeper-cerbos-authorizer",
        }  # fmt: skip


@pytest.mark.parametrize("window", [1_000, 65_535, 2**31 - 1])
@pytest.mark.parametrize("size", [0, 16_379, 16_380, 300_000, LARGEST_ANSWER])
async def test_large_messages_go_both_ways_through_small_windows(window: int, size: int) -> None:
    content = (b"%d" % size * size)[:size]
    settings = {SettingCodes.INITIAL_WINDOW_SIZE: window}
    async with serving(settings=settings) as server, channel_to(server.target) as channel:
        assert await call(channel, content) == content
        assert server.largest <= 16_384


async def test_frames_are_as_long_as_the_server_allows() -> None:
    settings = {SettingCodes.MAX_FRAME_SIZE: 20_000, SettingCodes.INITIAL_WINDOW_SIZE: MIB}
    async with serving(settings=settings) as server, channel_to(server.target) as channel:
        assert await call(channel, bytes(50_000)) == bytes(50_000)
        assert 16_384 < server.largest <= 20_000


async def test_many_calls_at_once_each_get_their_own() -> None:
    async def behave(stream: Stream) -> None:
        question = await stream.question()
        for _ in range(stream.number % 7):
            await asyncio.sleep(0)
        await stream.answer(question * 2)

    async with serving(behave) as server, channel_to(server.target) as channel:
        asked = [b"%d " % number * (number * 7) for number in range(200)]
        answers = await asyncio.gather(*(call(channel, one) for one in asked))
        assert answers == [one * 2 for one in asked]
        assert len(server.peers) == 1


async def test_one_stream_at_a_time_serves_all_in_turn() -> None:
    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}
    async with serving(settings=settings) as server, channel_to(server.target) as channel:
        asked = [b"%d" % number for number in range(30)]
        assert await asyncio.gather(*(call(channel, one) for one in asked)) == asked
        # h2 would have said so, had there been two.
        assert len(server.peers) == 1


async def test_fields_that_need_several_frames_and_padding_are_read() -> None:
    long = "x" * 40_000

    async def behave(stream: Stream) -> None:
        question = await stream.question()
        stream.peer.h2.send_headers(stream.number, [(":status", "103"), ("link", "x")])
        stream.start(*START, ("x-long", long))
        await stream.say(message(question), padding=200)
        stream.end(("grpc-status", "0"), ("x-long", long))

    async with serving(behave) as server, channel_to(server.target) as channel:
        assert await call(channel, b"q" * 50_000) == b"q" * 50_000


async def test_an_error_without_headers_has_its_code_and_its_words() -> None:
    async def behave(stream: Stream) -> None:
        stream.start(*START, ("grpc-status", "9"), ("grpc-message", "no%3A%0Asuch %E2%82%AC"),
                     end=True)  # fmt: skip

    async with serving(behave) as server, channel_to(server.target) as channel:
        error = await failed(channel)
        assert (error.code, error.details, error.local) == (
            Code.FAILED_PRECONDITION, "no:\nsuch €", False,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (ErrorCodes.NO_ERROR, Code.INTERNAL), (ErrorCodes.PROTOCOL_ERROR, Code.INTERNAL),
        (ErrorCodes.INTERNAL_ERROR, Code.INTERNAL), (ErrorCodes.CANCEL, Code.CANCELLED),
        (ErrorCodes.ENHANCE_YOUR_CALM, Code.RESOURCE_EXHAUSTED),
        (ErrorCodes.INADEQUATE_SECURITY, Code.PERMISSION_DENIED), (0xFFFF_FFFF, Code.INTERNAL),
    ],
)  # fmt: skip
async def test_a_call_that_is_reset_is_not_made_again(code: int, expected: Code) -> None:
    async def behave(stream: Stream) -> None:
        stream.refuse(code)

    async with serving(behave) as server, channel_to(server.target) as channel:
        assert (await failed(channel)).code is expected
        assert server.calls == 1


async def test_what_was_refused_unseen_is_made_again_and_nobody_notices() -> None:
    async def behave(stream: Stream) -> None:
        if server.calls == 1:
            stream.refuse()
        else:
            await stream.answer(await stream.question())

    async with serving(behave) as server, channel_to(server.target) as channel:
        assert await call(channel, b"again") == b"again"
        assert server.calls == 2


async def test_who_always_refuses_is_asked_three_times() -> None:
    async def behave(stream: Stream) -> None:
        stream.refuse()

    async with serving(behave) as server, channel_to(server.target) as channel:
        assert (await failed(channel)).code is Code.UNAVAILABLE
        assert server.calls == 3


async def test_a_connection_that_ends_hands_its_unseen_calls_to_the_next() -> None:
    async def behave(stream: Stream) -> None:
        question = await stream.question()
        if stream.peer is server.peers[0]:
            if stream.number == 3:
                stream.peer.h2.close_connection(last_stream_id=1)
                stream.peer.flush()
                return
            await eventually(lambda: server.calls == 3)
        await stream.answer(question)

    async with serving(behave) as server, channel_to(server.target) as channel:
        first = asyncio.ensure_future(call(channel, b"1"))
        await eventually(lambda: server.calls == 1)
        # The first is answered where it was asked; h2 has closed, and takes no more there.
        second = await call(channel, b"2")
        assert second == b"2"
        assert [peer.streams.keys() for peer in server.peers][1] == {1}
        server.peers[0].transport.abort()
        with pytest.raises(CallFailed) as caught:
            await first
        assert caught.value.code is Code.UNAVAILABLE


async def test_an_answer_may_come_before_the_whole_question() -> None:
    async def behave(stream: Stream) -> None:
        await stream.answer(b"enough")

    async with serving(behave) as server, channel_to(server.target) as channel:
        server.gives_room = False
        assert await call(channel, bytes(MIB)) == b"enough"
        (stream,) = server.peers[0].streams.values()
        assert await stream.reset == ErrorCodes.NO_ERROR
        assert len(stream.body) <= 65_535


async def test_a_silent_server_costs_the_deadline_and_hears_of_it() -> None:
    async def behave(stream: Stream) -> None:
        await stream.reset

    async with serving(behave) as server, channel_to(server.target) as channel:
        assert (await failed(channel, seconds=0.1)).code is Code.DEADLINE_EXCEEDED
        (stream,) = server.peers[0].streams.values()
        await eventually(stream.reset.done)
        assert stream.reset.result() == ErrorCodes.CANCEL


async def test_who_is_cancelled_tells_the_server() -> None:
    async def behave(stream: Stream) -> None:
        await stream.reset

    async with serving(behave) as server, channel_to(server.target) as channel:
        task = asyncio.ensure_future(call(channel))
        await eventually(lambda: server.calls)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        (stream,) = server.peers[0].streams.values()
        await eventually(stream.reset.done)
        assert stream.reset.result() == ErrorCodes.CANCEL


async def test_a_ping_is_answered() -> None:
    async def behave(stream: Stream) -> None:
        stream.peer.h2.ping(b"12345678")
        stream.peer.flush()
        await eventually(lambda: server.others["PingAckReceived"])
        await stream.answer(b"!")

    async with serving(behave) as server, channel_to(server.target) as channel:
        assert await call(channel) == b"!"


async def test_who_floods_us_with_pings_and_does_not_read_is_left() -> None:
    async def behave(stream: Stream) -> None:
        stream.peer.transport.pause_reading()
        ping = bytes.fromhex("000008060000000000") + bytes(8)
        while not stream.peer.transport.is_closing():
            stream.peer.transport.write(ping * 10_000)
            await asyncio.sleep(0)
            if stream.peer.transport.get_write_buffer_size() > MIB:
                await asyncio.sleep(0.001)

    async with serving(behave) as server, channel_to(server.target) as channel:
        error = await failed(channel, seconds=60)
        assert error.code is Code.UNAVAILABLE


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (message(bytes(LARGEST_ANSWER + 1)), Code.RESOURCE_EXHAUSTED),
        (b"\1" + message(b"compressed")[1:], Code.INTERNAL),
        (message(b"one") * 2, Code.INTERNAL),
        (b"", Code.INTERNAL),
    ],
    ids=["too long", "compressed", "two", "none"],
)
async def test_an_answer_that_is_not_one_plain_message_is_none(content: bytes, code: Code) -> None:
    async def behave(stream: Stream) -> None:
        await stream.question()
        stream.start()
        if len(content) > LARGEST_ANSWER:
            await stream.say(content)
            await stream.reset  # it is told before the end
            return
        await stream.say(content)
        stream.end()

    async with serving(behave) as server, channel_to(server.target) as channel:
        assert (await failed(channel)).code is code


async def test_an_answer_without_a_status_is_none() -> None:
    async def behave(stream: Stream) -> None:
        stream.start()
        await stream.say(message(b"!"))
        stream.peer.h2.end_stream(stream.number)
        stream.peer.flush()

    async with serving(behave) as server, channel_to(server.target) as channel:
        assert (await failed(channel)).code is Code.INTERNAL
        assert server.calls == 1


@pytest.mark.parametrize("amid", [0, 1, 8, 100])
async def test_a_connection_that_is_cut_amid_an_answer_is_no_answer(amid: int) -> None:
    async def behave(stream: Stream) -> None:
        stream.start()
        await stream.say(message(bytes(200))[:amid])
        stream.peer.transport.close()

    async with serving(behave) as server, channel_to(server.target) as channel:
        error = await failed(channel)
        assert (error.code, error.unseen) == (Code.UNAVAILABLE, False)
        assert server.calls == 1


@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
        bytes(range(256)) * 10,
        b"\0" * 9,
        b"",
    ],
    ids=["HTTP/1.1", "garbage", "zeros", "nothing"],
)
async def test_who_does_not_speak_http_2_is_unavailable(first: bytes) -> None:
    async with serving() as server, channel_to(server.target) as channel:
        server.first, server.first_is_last = first, True
        error = await failed(channel)
        assert (error.code, error.local) == (Code.UNAVAILABLE, True)
        assert server.calls == 0
