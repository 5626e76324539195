"""Asks requests in turn at a steady rate, and tells when each was answered.

It runs as a program of its own with nothing else to do (asking.py starts it), as who measures must
not be what is late. Where it is late all the same, that does not count: an answer came when the
kernel got its last byte (SO_TIMESTAMPNS, socket(7)), whenever somebody came to read it, and its
time begins as its request is handed to the kernel.

It reads one line of JSON:

    {"address": "host:port", "trust": "ca.pem" or null, "requests": ["..."], "rate": a second,
     "patience": seconds}

and asks until its standard input ends; then it waits for what is open. It writes JSON lines, times
in seconds, moments on the monotonic clock:

    ["tick", due, late, the moment since which the oldest open request is open]
    ["answer", number of the request, asked at, latency, status, reason]

A status of 0 is no answer: `stalled` or `cut off`. Linux only.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
import struct
import sys
import time
from dataclasses import dataclass, field
from typing import Any, Final, Self, TypedDict

# asm-generic/socket.h; Python has no name for it.
_SO_TIMESTAMPNS: Final = 35
_TIMESPEC: Final = struct.Struct("qq")
# Requests that a connection takes, so that there are always new ones.
_USES: Final = 20

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_REASON: Final = re.compile(rb"\r\nx-decision-reason: *([^\r]*)", re.IGNORECASE)
_CLOSE: Final = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)


class Order(TypedDict):
    """What is to be asked."""

    address: str
    trust: str | None
    requests: list[str]
    rate: float
    patience: float


def _now() -> float:
    """Return the moment on the clock of the kernel's timestamps."""
    return time.clock_gettime(time.CLOCK_REALTIME)


@dataclass
class _Connection:
    """One connection, kept alive."""

    plain: socket.socket
    tls: ssl.SSLObject | None = None
    uses: int = 0
    _received: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _to_send: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)

    @classmethod
    async def open(cls, address: str, context: ssl.SSLContext | None) -> Self:
        host, _, port = address.rpartition(":")
        plain = socket.socket()
        try:
            plain.setblocking(False)  # noqa: FBT003 - socket's own
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            await asyncio.get_running_loop().sock_connect(plain, (host, int(port)))
            connection = cls(plain)
            if context is not None:
                await connection._shake_hands(context, host)
        except BaseException:
            plain.close()
            raise
        return connection

    async def ask(self, request: bytes) -> tuple[float, bytes]:
        """Return when the whole answer had come, and the answer. Raises OSError."""
        self.uses += 1
        if self.tls is not None:
            self.tls.write(request)
            request = self._to_send.read()
        await asyncio.get_running_loop().sock_sendall(self.plain, request)
        answer = b""
        while True:
            came_at, data = await self._receive()
            answer += data if self.tls is None else self._decrypted(data)
            if _is_whole(answer):
                return came_at, answer

    async def _shake_hands(self, context: ssl.SSLContext, host: str) -> None:
        self.tls = context.wrap_bio(self._received, self._to_send, server_hostname=host)
        loop = asyncio.get_running_loop()
        while True:
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(self.plain, self._to_send.read())
                self._received.write((await self._receive())[1])
            else:
                return await loop.sock_sendall(self.plain, self._to_send.read())

    def _decrypted(self, data: bytes) -> bytes:
        assert self.tls is not None
        self._received.write(data)
        plain = b""
        try:
            while more := self.tls.read(65536):
                plain += more
        except ssl.SSLWantReadError:
            pass
        return plain

    async def _receive(self) -> tuple[float, bytes]:
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(self.plain, readable.set)
        try:
            await readable.wait()
        finally:
            loop.remove_reader(self.plain)
        space = socket.CMSG_SPACE(_TIMESPEC.size)
        data, control, _, _ = self.plain.recvmsg(65536, space)
        if not data:
            raise ConnectionResetError
        if not control:  # the kernel has only just begun to keep the times
            return _now(), data
        [(_, _, stamp)] = control
        seconds, nanoseconds = _TIMESPEC.unpack(stamp)
        return seconds + nanoseconds / 1e9, data


def _is_whole(answer: bytes) -> bool:
    head, _, body = answer.partition(b"\r\n\r\n")
    if length := _LENGTH.search(head):
        return len(body) >= int(length[1])
    return body.endswith(b"0\r\n\r\n")  # in chunks


class _Asker:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._requests = [request.encode() for request in order["requests"]]
        trust = order["trust"]
        self._context = None if trust is None else ssl.create_default_context(cafile=trust)
        self._idle: list[_Connection] = []
        self._open: dict[asyncio.Task[None], float] = {}

    async def run(self) -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, ended.set)
        began, number = time.monotonic(), 0
        while not ended.is_set():
            due = began + number / self._order["rate"]
            await asyncio.sleep(due - time.monotonic())
            now = time.monotonic()
            _tell("tick", due, now - due, min(self._open.values(), default=now))
            task = asyncio.create_task(self._ask(number % len(self._requests)))
            self._open[task] = now
            task.add_done_callback(self._open.pop)
            number += 1
        if self._open:
            await asyncio.wait(self._open)
        for connection in self._idle:
            connection.plain.close()

    async def _ask(self, number: int) -> None:
        asked_at, began = time.monotonic(), _now()
        seconds, status, reason = self._order["patience"], 0, "stalled"
        try:
            async with asyncio.timeout(seconds):
                came_at, answer = await self._answer(self._requests[number])
            seconds = came_at - began
            status = int(answer.split(b" ", 2)[1])
            said = _REASON.search(answer)
            reason = said[1].decode() if said else ""
        except TimeoutError:
            pass
        except OSError:
            seconds, reason = _now() - began, "cut off"
        _tell("answer", number, asked_at, seconds, status, reason)

    async def _answer(self, request: bytes) -> tuple[float, bytes]:
        if self._idle:
            connection = self._idle.pop()
        else:
            connection = await _Connection.open(self._order["address"], self._context)
        kept = False
        try:
            came_at, answer = await connection.ask(request)
            kept = connection.uses < _USES and not _CLOSE.search(answer)
        finally:
            if kept:
                self._idle.append(connection)
            else:
                connection.plain.close()
        return came_at, answer


def _tell(*event: Any) -> None:  # noqa: ANN401 - JSON
    print(json.dumps(event), flush=True)  # noqa: T201 - what it is for


if __name__ == "__main__":
    asyncio.run(_Asker(json.loads(sys.stdin.readline())).run())
