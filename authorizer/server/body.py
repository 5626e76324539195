"""Take the body of a request off the wire, within bounds of kind, size and time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.http import HttpVersion11
from aiohttp.http_exceptions import HttpProcessingError

from authorizer.model import Reason, Refused

if TYPE_CHECKING:
    from aiohttp import StreamReader

_JSON: Final = "application/json"


async def read_body(request: web.BaseRequest, *, limit: int, seconds: float) -> bytes | Refused:
    """Return the body, or why it was refused.

    At most about `limit` bytes are ever held. What the headers alone forbid is refused before
    anything is read, also before a client that asked is told to go on (Expect: 100-continue).
    """
    refused = _refused_by_headers(request, limit)
    if refused is not None:
        return refused
    try:
        async with asyncio.timeout(seconds):
            await _tell_to_go_on(request)
            body = await _read(request.content, limit)
    except TimeoutError:
        return Refused(Reason.REQUEST_TIMEOUT, "the body did not arrive in time")
    except (web.RequestPayloadError, HttpProcessingError):
        return Refused(Reason.MALFORMED_REQUEST, "the body is not framed as HTTP/1.1 wants it")
    except ConnectionError:
        return Refused(Reason.MALFORMED_REQUEST, "the connection closed before the body ended")
    return _too_large(limit) if body is None else body


def _refused_by_headers(request: web.BaseRequest, limit: int) -> Refused | None:
    headers = request.headers
    if headers.get("Content-Encoding", "identity").lower() != "identity":
        return Refused(
            Reason.MALFORMED_REQUEST, "the body is compressed; send it without Content-Encoding"
        )
    if headers.get("Content-Type") != _JSON and not (
        request.content_type == _JSON and (request.charset or "utf-8").lower() == "utf-8"
    ):
        return Refused(
            Reason.MALFORMED_REQUEST, "the body's type is not application/json, in UTF-8"
        )
    if (request.content_length or 0) > limit:
        return _too_large(limit)
    return None


def _too_large(limit: int) -> Refused:
    return Refused(
        Reason.REQUEST_TOO_LARGE, f"the body is larger than {limit} bytes (server.max_body)"
    )


async def _tell_to_go_on(request: web.BaseRequest) -> None:
    if (
        request.headers.get("Expect", "").lower() == "100-continue"
        and request.version >= HttpVersion11
    ):
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def _read(content: StreamReader, limit: int) -> bytes | None:
    """Return all of `content`, or None when it is larger than `limit`."""
    first = await content.readany()
    if content.at_eof():
        return first if len(first) <= limit else None
    body = bytearray(first)
    while len(body) <= limit:
        chunk = await content.readany()
        if not chunk:
            return bytes(body)
        body += chunk
    return None
