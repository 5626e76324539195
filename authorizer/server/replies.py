"""Answers as HTTP: the bytes of one, and those that are no decisions, in the shape of Ory's."""

from __future__ import annotations

import time
from email.utils import formatdate
from functools import cache, lru_cache
from http import HTTPStatus
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec
from aiohttp import web
from aiohttp.http import HttpVersion, HttpVersion10, HttpVersion11

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import AbstractStreamWriter

_JSON: Final = {"Content-Type": "application/json"}


class Said(msgspec.Struct, frozen=True, gc=False):
    """What is answered, once that is known as a whole: headers as lines, and the body.

    It names us, and not the library and its version, which aiohttp tells everybody. `is_last`:
    nothing else is answered on its connection.
    """

    status: int
    lines: str
    body: bytes
    is_last: bool = False

    def text(
        self,
        version: HttpVersion = HttpVersion11,
        *,
        keep_alive: bool = True,
        only_head: bool = False,
    ) -> bytes:
        """Return it as the bytes of HTTP, for a client of this version."""
        head = (
            f"{_first(version, self.status, keep_alive)}{self.lines}"
            f"Content-Length: {len(self.body)}\r\nDate: {_date(int(time.time()))}\r\n\r\n"
        ).encode()
        return head if only_head else head + self.body


class Reply(web.StreamResponse):
    """What is said, for a request that aiohttp has in hand.

    aiohttp's own `Response` can do more, and takes 7.3 us to find out that it need not; this takes
    3.9.
    """

    def __init__(self, said: Said) -> None:
        super().__init__(status=said.status)
        self._said = said
        if said.is_last:
            self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter:
        """Remember whom to answer."""
        self._asked = request
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive
        return request.writer

    async def write_eof(self, data: bytes = b"") -> None:  # noqa: ARG002 - there never is any
        """Write all of it in one piece, and so in one packet."""
        request = self._asked
        text = self._said.text(
            request.version,
            keep_alive=bool(self._keep_alive),
            only_head=request.method == "HEAD",
        )
        await request.writer.write(text)
        await request.writer.write_eof()


def header_lines(headers: Mapping[str, str]) -> str:
    """Return headers as lines, with the one that names us; raises ValueError as `reply` does."""
    texts = tuple(chain.from_iterable(headers.items()))
    if not "".join(texts).isprintable():
        msg = "a header holds what is no text"
        raise ValueError(msg)
    return _form(len(headers)) % texts


@cache
def _form(count: int) -> str:
    """Return what so many headers are put into: it takes a third of what a loop over them does."""
    return "%s: %s\r\n" * count + "Server: authorizer\r\n"


@cache
def _first(version: HttpVersion, status: int, keep_alive: bool) -> str:  # noqa: FBT001 - as said
    """Return the status line, and what is said of the connection where that is not the default."""
    line = f"HTTP/{version.major}.{version.minor} {status} {HTTPStatus(status).phrase}\r\n"
    if keep_alive and version == HttpVersion10:
        return f"{line}Connection: keep-alive\r\n"
    if not keep_alive and version == HttpVersion11:
        return f"{line}Connection: close\r\n"
    return line


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def reply(status: int, headers: Mapping[str, str], body: bytes) -> Reply:
    """Return an answer. Raises ValueError for a header that would not be one line of text."""
    return Reply(Said(status, header_lines(headers), body))


def json_response(status: int, content: Any) -> Reply:  # noqa: ANN401 - whatever JSON can say
    """Return `content` as a JSON answer."""
    return reply(status, _JSON, msgspec.json.encode(content))


def error_said(status: int, message: str, headers: Mapping[str, str] | None = None) -> Said:
    """Return an error for people, with its status, and headers beside those of every answer."""
    phrase = HTTPStatus(status).phrase
    content = {"error": {"code": status, "status": phrase, "message": message}}
    lines = header_lines({**_JSON, **(headers or {})})
    return Said(status, lines, msgspec.json.encode(content))


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Reply:
    """Return what `error_said` says as an answer of aiohttp's."""
    return Reply(error_said(status, message, headers))


def refuse_unreadable() -> web.StreamResponse:
    """Answer what is not HTTP, where nobody keeps a record of it."""
    return error_response(400, "not a request that HTTP/1.1 allows")
