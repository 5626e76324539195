"""An answer is HTTP that any client reads the same, and nobody can write a header into it."""

from __future__ import annotations

import asyncio
import email.utils
import time
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from polling import PATIENCE

from authorizer.server.replies import Reply, Said, header_lines, reply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONTENT = b'{"status":"ok"}'


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Serve two answers, one that closes the connection."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        lines = header_lines({"Content-Type": "application/json", "X-A": "b"})
        return Reply(Said(200, lines, CONTENT, is_last=request.path == "/close"))

    server = web.Server(handle)
    listener = await asyncio.get_running_loop().create_server(server, "127.0.0.1", 0)
    yield listener.sockets[0].getsockname()[1]
    listener.close()
    await server.shutdown(1)


async def exchange(port: int, request: str) -> tuple[list[str], bytes, bool]:
    """Return the lines of the head, the body, and whether the connection was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.replace("\n", "\r\n").encode())
    async with asyncio.timeout(PATIENCE):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = head.split("\r\n")[:-2]
        closes = "Connection: close" in lines or (
            lines[0].startswith("HTTP/1.0") and "Connection: keep-alive" not in lines
        )
        content = b""
        if closes:
            content = await reader.read()
        elif not request.startswith("HEAD"):
            content = await reader.readexactly(len(CONTENT))
    writer.close()
    await writer.wait_closed()
    return lines, content, closes


@pytest.mark.parametrize(
    ("request_", "first", "connection", "closes"),
    [
        ("GET / HTTP/1.1\nHost: a\n\n", "HTTP/1.1 200 OK", None, False),
        ("GET / HTTP/1.1\nHost: a\nConnection: close\n\n", "HTTP/1.1 200 OK", "close", True),
        ("GET /close HTTP/1.1\nHost: a\n\n", "HTTP/1.1 200 OK", "close", True),
        ("GET / HTTP/1.0\n\n", "HTTP/1.0 200 OK", None, True),
        ("GET / HTTP/1.0\nConnection: keep-alive\n\n", "HTTP/1.0 200 OK", "keep-alive", False),
        ("HEAD / HTTP/1.1\nHost: a\n\n", "HTTP/1.1 200 OK", None, False),
    ],
)
async def test_says_what_it_is_how_long_it_is_and_whether_it_is_the_last(
    port: int,
    request_: str,
    first: str,
    connection: str | None,
    closes: bool,  # noqa: FBT001 - a column of the table
) -> None:
    lines, content, closed = await exchange(port, request_)
    named = dict(line.split(": ", 1) for line in lines[1:])
    assert lines[0] == first
    assert closed is closes
    assert named.pop("Connection", None) == connection
    date = email.utils.parsedate_to_datetime(named.pop("Date"))
    assert abs(date.timestamp() - time.time()) < 10
    assert named == {
        "Content-Type": "application/json",
        "X-A": "b",
        "Server": "authorizer",
        "Content-Length": str(len(CONTENT)),
    }
    assert content == (b"" if request_.startswith("HEAD") else CONTENT)


@given(
    st.text(max_size=5), st.sampled_from("\r\n\x00\x1b\x7f\x85\u2028\ud800"), st.text(max_size=5)
)
def test_a_header_that_would_not_be_one_line_of_text_is_an_error(
    before: str, control: str, after: str
) -> None:
    with pytest.raises(ValueError, match="no text"):
        reply(200, {"X-A": f"{before}{control}{after}"}, b"")
    with pytest.raises(ValueError, match="no text"):
        reply(200, {f"{before}{control}{after}": "b", "X-A": "b"}, b"")
