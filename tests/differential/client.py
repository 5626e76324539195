"""A caller who sends what it likes, byte for byte, on connections that stay open."""

from __future__ import annotations

import contextlib
import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TIMEOUT: Final = 30.0  # seconds; two busy cores
# More would only grow the number of connections that Oathkeeper opens: Go keeps two a host.
_CONNECTIONS: Final = 4


@dataclass(frozen=True)
class Request:
    """A request; `target` is what stands between the method and HTTP/1.1, whatever it is."""

    method: str
    target: bytes
    host: str
    id: str

    def encode(self) -> bytes:
        """Return it as it goes out."""
        head = f"Host: {self.host}\r\nX-Request-Id: {self.id}\r\nContent-Length: 0\r\n\r\n"
        return self.method.encode() + b" " + self.target + b" HTTP/1.1\r\n" + head.encode()


@dataclass(frozen=True)
class Response:
    """What came back; header names are in lower case. `status` is 0 where nothing did."""

    status: int
    headers: Mapping[str, str]


def send_all(port: int, requests: Sequence[Request]) -> list[Response]:
    """Send requests to a port of this machine; return what came back, in their order."""
    shares = [requests[start::_CONNECTIONS] for start in range(_CONNECTIONS)]
    responses: list[Response | None] = [None] * len(requests)
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        for start, share in enumerate(pool.map(lambda share: _send(port, share), shares)):
            responses[start::_CONNECTIONS] = share
    return [response for response in responses if response is not None]


def _send(port: int, requests: Sequence[Request]) -> list[Response]:
    """Send one after the other, on one connection while the other side keeps it open."""
    responses = []
    with contextlib.ExitStack() as open_ones:
        connection: socket.socket | None = None
        for request in requests:
            if connection is None:
                connection = open_ones.enter_context(
                    socket.create_connection(("127.0.0.1", port), _TIMEOUT)
                )
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sendall(request.encode())
            response, stays_open = _receive(connection, request)
            responses.append(response)
            if not stays_open:
                open_ones.close()
                connection = None
    return responses


def _receive(connection: socket.socket, request: Request) -> tuple[Response, bool]:
    """Return the answer, and whether the connection stays open."""
    with http.client.HTTPResponse(connection, method=request.method) as reply:
        try:
            reply.begin()
        except http.client.RemoteDisconnected:
            # Go's server drops the connection when a handler panics.
            return Response(0, {}), False
        reply.read()
        headers = {name.lower(): value for name, value in reply.getheaders()}
        return Response(reply.status, headers), not reply.will_close
