"""Connections that wait at the socket of another process, which does not take them."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from polling import eventually

from authorizer.config.origin import Origin
from authorizer.errors import ConfigError
from authorizer.server.accepting import Crowd, Rescue, Taking
from authorizer.server.listening import address_of, bind

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=100) as one:
        one.setblocking(False)  # noqa: FBT003 - the signature is socket's
        yield one


class Taken(asyncio.Protocol):
    """Remembers that a connection was made."""

    def __init__(self, names: list[str], name: str) -> None:
        self._names = names
        self._name = name

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._names.append(self._name)
        transport.close()


def connect(to: socket.socket, count: int) -> list[socket.socket]:
    return [socket.create_connection(to.getsockname()) for _ in range(count)]


def closed(clients: list[socket.socket]) -> None:
    for client in clients:
        client.close()


async def test_what_nobody_else_takes_is_taken_from_every_socket_until_it_is_closed() -> None:
    names: list[str] = []
    with listening() as one, listening() as other:
        rescue = Rescue([one, other], Taking(lambda: Taken(names, "here"), None, None))
        clients = connect(one, 40) + connect(other, 3)
        await eventually(lambda: len(names) == 43)
        rescue.close()
        assert rescue._timer.cancelled()  # no look follows, which would set the next one
        closed(clients)


async def test_where_no_file_can_be_opened_it_looks_again() -> None:
    class Full:
        """A socket that finds no descriptor twice."""

        def __init__(self, real: socket.socket) -> None:
            self.real = real
            self.failures = 2

        def fileno(self) -> int:
            return self.real.fileno()

        def accept(self) -> tuple[socket.socket, object]:
            if self.failures:
                self.failures -= 1
                raise OSError(errno.EMFILE, "Too many open files")
            return self.real.accept()

    names: list[str] = []
    with listening() as one:
        full = Full(one)
        rescue = Rescue([full], Taking(lambda: Taken(names, "here"), None, None))  # type: ignore[list-item]
        clients = connect(one, 2)
        await eventually(lambda: len(names) == 2)
        rescue.close()
        closed(clients)
    assert full.failures == 0


async def test_a_handshake_that_fails_is_nobodys_fault(caplog: pytest.LogCaptureFixture) -> None:
    names: list[str] = []
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with listening() as one:
        host, port = one.getsockname()
        rescue = Rescue([one], Taking(lambda: Taken(names, "here"), context, 5.0))
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
        assert names == []
        _, writer = await asyncio.open_connection(host, port, ssl=trusting)
        await eventually(lambda: names == ["here"])
        writer.close()
        rescue.close()
    assert caplog.records == []


def crowd_at(listening: socket.socket, names: list[str]) -> Crowd:
    return Crowd([listening], Taking(lambda: Taken(names, "here"), None, None))


async def test_a_crowd_is_let_in_in_a_few_turns_of_the_event_loop() -> None:
    """The loop itself takes one in each."""
    names: list[str] = []
    loop = asyncio.get_running_loop()
    with listening() as one:
        crowd = crowd_at(one, names)
        clients = connect(one, 80)
        async with await loop.create_server(crowd, sock=one):
            turns = 0
            while len(names) < 80:
                await asyncio.sleep(0)
                turns += 1
                assert turns < 40
            crowd.close()
        closed(clients)


async def test_a_crowd_that_is_closed_takes_nobody_more() -> None:
    names: list[str] = []
    with listening() as one, listening() as other:
        crowd = crowd_at(other, names)
        clients = connect(other, 3)
        crowd()
        crowd.close()
        rescue = Rescue([one], Taking(lambda: Taken(names, "later"), None, None))
        clients += connect(one, 1)
        await eventually(lambda: names == ["later"])
        rescue.close()
        closed(clients)


async def test_who_does_not_go_on_with_a_handshake_keeps_few_files_open() -> None:
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    names: list[str] = []
    with listening() as one:
        taking = Taking(lambda: Taken(names, "here"), context, 5.0)
        clients = connect(one, 70)
        for _ in range(10):
            taking.some(one)
            await asyncio.sleep(0)
        assert len(taking._greetings) == 64
        closed(clients)
        await eventually(lambda: not taking._greetings)
        taking.some(one)
        assert len(taking._greetings) == 6
        await eventually(lambda: not taking._greetings)
    assert names == []


def bound(text: str, processes: int) -> list[socket.socket]:
    of_each = bind(
        Origin(None), ("server", "listen"), text, may_be_reached=False, processes=processes
    )
    return [one for [one] in of_each]


def test_each_process_has_a_socket_at_one_address_and_some_of_the_connections() -> None:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in bound("127.0.0.1:0", 2)]
        assert len({address_of(one) for one in sockets}) == 1
        clients = connect(sockets[0], 60)
        taken = []
        for one in sockets:
            taken.append(0)
            with contextlib.suppress(BlockingIOError):
                while True:
                    one.accept()[0].close()
                    taken[-1] += 1
        closed(clients)
    assert sum(taken) == 60
    assert min(taken) > 10  # the kernel's dice: fewer once in ten million times


@pytest.mark.parametrize("processes", [1, 2])
def test_no_other_service_comes_to_share_the_address(processes: int) -> None:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in bound("127.0.0.1:0", 2)]
        with pytest.raises(ConfigError, match="Address already in use"):
            bound(str(address_of(sockets[0])), processes)
