"""A place to call: it connects, connects again, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any

import pytest
import trustme
import uvloop
from freeports import free_port
from h2.settings import SettingCodes
from polling import eventually
from rpc.calling import call, channel_to, failed
from rpc.serverh2 import Peer, Stream, echo, serving
from structlog.testing import capture_logs

from authorizer.config.addresses import TcpAddress, UnixAddress
from authorizer.rpc.call import Call
from authorizer.rpc.channel import Channel
from authorizer.rpc.connection import Connection
from authorizer.rpc.status import CallFailed, Code

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.config.addresses import Address

ONE = {SettingCodes.MAX_CONCURRENT_STREAMS: 1}


async def silent(stream: Stream) -> None:
    await stream.reset


def others() -> list[asyncio.Task[Any]]:
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


@pytest.fixture
def no_complaint(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Assert that asyncio had nothing to log, such as an exception that nobody took."""
    with caplog.at_level(logging.WARNING, "asyncio"):
        yield
        gc.collect()
        assert not caplog.records


# --- connecting


async def test_nothing_is_dialled_before_the_first_call_and_many_share_a_connection() -> None:
    async with serving() as server, channel_to(server.target) as channel:
        assert not others()
        asked = [b"%d" % number for number in range(20)]
        assert await asyncio.gather(*(call(channel, one) for one in asked)) == asked
        assert len(server.peers) == 1


async def test_a_unix_socket_is_called(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("s") / "s")
    async with serving() as server:
        listener = await asyncio.get_running_loop().create_unix_server(lambda: Peer(server), path)
        async with channel_to(UnixAddress(path)) as channel:
            assert await call(channel, b"hello") == b"hello"
        listener.close()
    headers = server.peers[0].streams[1].headers
    assert headers[":authority"] == "localhost"


@pytest.mark.usefixtures("no_complaint")
async def test_who_waits_for_a_connection_that_fails_fails_at_once_and_each_by_itself() -> None:
    async with channel_to(TcpAddress("127.0.0.1", free_port())) as channel:
        first = await asyncio.gather(*(failed(channel) for _ in range(5)))
        then = [await failed(channel) for _ in range(5)]
    assert {error.code for error in (*first, *then)} == {Code.UNAVAILABLE}
    assert all("cannot connect: " in error.details for error in (*first, *then))
    assert len({id(error) for error in (*first, *then)}) == 10
    assert len(others()) == 0


@pytest.mark.alone
async def test_who_came_back_is_found_within_half_a_second() -> None:
    port = free_port()
    async with channel_to(TcpAddress("127.0.0.1", port)) as channel:
        await failed(channel)
        for _ in range(2):
            async with serving(port=port):
                began = time.monotonic()
                while not await _answers(channel):
                    # Half a second, and room for a machine that does other things too.
                    assert time.monotonic() - began < 1.5
                    await asyncio.sleep(0.002)
            await eventually(lambda: not channel._connection or not channel._connection.open)
            await failed(channel)


async def _answers(channel: Channel) -> bool:
    try:
        return await call(channel, b"hello") == b"hello"
    except CallFailed:
        return False


async def test_a_server_that_says_nothing_is_given_up_in_a_second() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with channel_to(TcpAddress("127.0.0.1", listener.getsockname()[1])) as channel:
            error = await failed(channel)
            assert (error.code, error.details) == (
                Code.UNAVAILABLE, "cannot connect: no answer within 1 s",
            )  # fmt: skip


async def test_a_deadline_that_is_shorter_than_connecting_ends_the_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with channel_to(TcpAddress("127.0.0.1", listener.getsockname()[1])) as channel:
            assert (await failed(channel, seconds=0.05)).code is Code.DEADLINE_EXCEEDED


async def test_a_name_that_can_be_nobodys_is_unavailable() -> None:
    async with channel_to(TcpAddress("a" * 64 + ".test", 1)) as channel:
        assert (await failed(channel)).code is Code.UNAVAILABLE
        assert (await failed(channel)).code is Code.UNAVAILABLE


async def test_a_server_that_only_says_goodbye_is_not_dialled_in_a_storm() -> None:
    settings, goaway = bytes.fromhex("000000040000000000"), bytes.fromhex("000008070000000000")
    async with serving() as server:
        server.first = settings + goaway + bytes(8)
        async with channel_to(server.target) as channel:
            for _ in range(20):
                assert (await failed(channel)).code is Code.UNAVAILABLE
            assert len(server.peers) <= 3


async def test_a_server_that_hangs_up_on_each_call_is_dialled_ten_times_a_second() -> None:
    """Calls that it has not begun are made again; each of them needs a connection."""

    async def hang_up(stream: Stream) -> None:
        stream.peer.h2.close_connection(last_stream_id=0)
        stream.peer.flush()

    async with serving(hang_up) as server, channel_to(server.target) as channel:
        for _ in range(10):
            assert (await failed(channel, seconds=0.1)).code in {
                Code.UNAVAILABLE,
                Code.DEADLINE_EXCEEDED,
            }
        # In ten times 0.1 s, and as often again for a machine that does other things, too.
        assert len(server.peers) <= 20


async def test_a_fault_in_connecting_is_told_and_fails_calls_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    dialled = []

    async def surprise(*_: object) -> None:
        dialled.append(1)
        raise LookupError

    monkeypatch.setattr("authorizer.rpc.channel._connected_to", surprise)
    with capture_logs() as logs:
        async with channel_to(TcpAddress("127.0.0.1", 1)) as channel:
            for _ in range(5):
                reason = await failed(channel)
                assert (reason.code, reason.details) == (
                    Code.UNAVAILABLE,
                    "cannot connect: LookupError",
                )
    assert len(dialled) < 5
    assert {entry["event"] for entry in logs} == {"rpc.not_connected"}


# --- time


async def test_the_deadline_spans_waiting_for_a_stream() -> None:
    async with (
        serving(silent, settings=ONE) as server,
        channel_to(server.target) as channel,
    ):
        first = asyncio.ensure_future(failed(channel, seconds=20))
        await eventually(lambda: server.calls == 1)
        assert (await failed(channel, seconds=0.05)).code is Code.DEADLINE_EXCEEDED
        assert server.calls == 1
        await channel.close()
        assert (await first).code is Code.UNAVAILABLE


async def test_what_is_left_of_the_time_is_told_when_a_call_is_made_again() -> None:
    told: list[str] = []

    async def behave(stream: Stream) -> None:
        told.append(stream.headers["grpc-timeout"])
        if len(told) < 3:
            await asyncio.sleep(0.02)
            stream.refuse()
        else:
            await echo(stream)

    async with serving(behave) as server, channel_to(server.target) as channel:
        await call(channel, seconds=10)
    left = [int(one.removesuffix("m")) for one in told]
    assert 10_000 >= left[0] > left[1] > left[2] > 0


# --- the end


async def test_a_channel_that_is_closed_while_it_connects_fails_who_waits() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        channel = Channel(TcpAddress("127.0.0.1", listener.getsockname()[1]))
        waiting = asyncio.ensure_future(failed(channel))
        client = await asyncio.to_thread(listener.accept)
        await channel.close()
        error = await waiting
        assert (error.code, error.details) == (Code.UNAVAILABLE, "the connection is closed")
        assert not others()
        with client[0] as accepted:
            accepted.settimeout(5)
            while await asyncio.to_thread(accepted.recv, 1_000):
                pass  # what it said first, and then the end


async def test_a_channel_that_is_closed_before_it_has_begun_to_connect_is_closed() -> None:
    channel = Channel(TcpAddress("127.0.0.1", free_port()))
    waiting = asyncio.ensure_future(failed(channel))
    await asyncio.sleep(0)
    await channel.close()
    assert (await waiting).details == "the connection is closed"
    assert not others()


async def test_what_is_being_asked_fails_when_the_channel_is_closed_and_so_does_what_comes() -> (
    None
):
    async with serving(silent, settings=ONE) as server:
        channel = Channel(server.target)
        waiting = [asyncio.ensure_future(failed(channel)) for _ in range(3)]
        await eventually(lambda: server.calls == 1)
        await channel.close()
        assert {error.code for error in await asyncio.gather(*waiting)} == {Code.UNAVAILABLE}
        assert (await failed(channel)).code is Code.UNAVAILABLE
        await channel.close()
        await eventually(lambda: server.gone == 1)
        assert len(server.peers) == 1


async def test_a_connection_that_only_ends_its_calls_is_closed_with_the_channel() -> None:
    async def behave(stream: Stream) -> None:
        if stream.peer is server.peers[0]:
            # GOAWAY that h2 does not know of: this call goes on.
            stream.peer.transport.write(bytes.fromhex("000008070000000000") + b"\x7f\xff\xff\xff"
                                        + bytes(4))  # fmt: skip
            await stream.reset
        else:
            await echo(stream)

    async with serving(behave) as server:
        channel = Channel(server.target)
        first = asyncio.ensure_future(failed(channel))
        await eventually(lambda: channel._connection and server.calls and
                         not channel._connection.open)  # fmt: skip
        assert await call(channel, b"hello") == b"hello"
        await channel.close()
        assert (await first).code is Code.UNAVAILABLE
        await eventually(lambda: server.gone == 2)


@pytest.mark.usefixtures("no_complaint")
async def test_nothing_is_left_of_what_has_failed() -> None:
    """No task, and no ring that only the collector could take apart."""
    async with serving(silent) as server:
        port = free_port()
        gc.collect()
        gc.disable()
        gc.set_debug(gc.DEBUG_SAVEALL)
        try:
            await _fail_in_every_way(server.target, TcpAddress("127.0.0.1", port))
            await eventually(lambda: server.gone == len(server.peers))
            gc.collect()
            ours = (Call, Channel, Connection, CallFailed)
            left = [one for one in gc.garbage if isinstance(one, ours)]
            assert not left
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
    assert not others()


async def _fail_in_every_way(silent: Address, nobody: Address) -> None:
    async with channel_to(silent) as channel:
        await _fails(channel, 0.02)
        task = asyncio.ensure_future(_fails(channel, 20))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        waiting = asyncio.ensure_future(_fails(channel, 20))
        await eventually(lambda: channel._connection and channel._connection._calls)
    await waiting
    async with channel_to(nobody) as channel:
        for _ in range(3):
            await _fails(channel, 20)
        failure = channel._failure
        await eventually(lambda: channel._failure is not failure)  # it has tried again


async def _fails(channel: Channel, seconds: float) -> None:
    try:
        await call(channel, seconds=seconds)
    except CallFailed:
        return
    raise AssertionError


# --- TLS


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def contexts(
    authority: trustme.CA, *, alpn: list[str] | None, name: str = "localhost"
) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return a server's context and a client's."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(server)
    if alpn is not None:
        server.set_alpn_protocols(alpn)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    authority.configure_trust(client)
    return server, client


async def test_http_2_is_spoken_within_tls(authority: trustme.CA) -> None:
    server_tls, tls = contexts(authority, alpn=["h2"])
    async with serving(tls=server_tls) as server:
        target = TcpAddress("localhost", server.target.port)
        async with channel_to(target, tls=tls) as channel:
            assert await call(channel, b"x" * 100_000) == b"x" * 100_000
        headers = server.peers[0].streams[1].headers
        assert (headers[":scheme"], headers[":authority"]) == ("https", str(target))
        await eventually(lambda: server.gone == 1)


@pytest.mark.parametrize("alpn", [None, ["http/1.1"]])
async def test_who_does_not_offer_http_2_in_tls_is_not_called(
    authority: trustme.CA, alpn: list[str] | None
) -> None:
    server_tls, tls = contexts(authority, alpn=alpn)
    async with serving(tls=server_tls, broken=True) as server:
        target = TcpAddress("localhost", server.target.port)
        async with channel_to(target, tls=tls) as channel:
            error = await failed(channel)
        assert (error.code, error.local) == (Code.UNAVAILABLE, True)
        assert "ALPN" in error.details
        assert server.calls == 0


async def test_another_name_is_believed_only_where_it_is_asked_for(authority: trustme.CA) -> None:
    server_tls, tls = contexts(authority, alpn=["h2"], name="pdp.test")
    async with serving(tls=server_tls, broken=True) as server:
        async with channel_to(server.target, tls=tls) as channel:
            assert "CERTIFICATE_VERIFY_FAILED" in (await failed(channel)).details
        async with channel_to(server.target, tls=tls, server_name="pdp.test") as channel:
            assert await call(channel) == b"?"
        assert server.peers[-1].streams[1].headers[":authority"] == "pdp.test"


async def test_a_call_that_fits_no_frame_is_refused_when_it_is_made_known() -> None:
    channel = Channel(TcpAddress("127.0.0.1", 1))
    with pytest.raises(ValueError, match="too long"):
        channel.method("/s/M", secrets={"authorization": "x" * 16_384})


@pytest.mark.usefixtures("no_complaint")
@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
async def test_a_channel_may_be_closed_at_any_moment_of_connecting(
    authority: trustme.CA,
    secure: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """What was half made is closed: else the warning of a socket that nobody closed fails this."""
    if secure and not isinstance(asyncio.get_running_loop(), uvloop.Loop):
        pytest.skip("asyncio's TLS server keeps the socket of who leaves amid the handshake")
    server_tls, tls = contexts(authority, alpn=["h2"])
    async with serving(silent, tls=server_tls if secure else None, broken=secure) as server:
        target = TcpAddress("localhost", server.target.port)
        for moment in range(40):
            channel = Channel(target, tls=tls if secure else None)
            waiting = asyncio.ensure_future(_fails_or_not(channel))
            for _ in range(moment):
                await asyncio.sleep(0)
            await channel.close()
            await waiting
        await eventually(lambda: server.gone == len(server.peers))


async def _fails_or_not(channel: Channel) -> None:
    with contextlib.suppress(CallFailed):
        await call(channel)
