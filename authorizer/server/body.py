"""Take the body of a request off the wire, within bounds of kind, size and time."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Final

from aiohttp import web
from aiohttp.http import HttpVersion10, HttpVersion11
from aiohttp.http_exceptions import HttpProcessingError

from authorizer.model import Reason, Refused

if TYPE_CHECKING:
    from aiohttp import StreamReader
    from aiohttp.http import HttpVersion
    from multidict import CIMultiDictProxy

_JSON: Final = "application/json"
# With whatever parameters, of which only a charset says something. aiohttp's own reading takes time
# quadratic in the length of a value: at 30,000 quotes nobody else is answered for minutes.
_JSON_IN_UTF_8: Final = re.compile(
    r"""application/json
        ([ \t]*;[ \t]*(charset=("?)utf-8\3|(?!charset)[\w-]+=([^\s;"\\]+|"[^"\\]*")))*
        [ \t]*""".replace("\n        ", ""),
    re.ASCII | re.IGNORECASE,
)


async def read_body(request: web.BaseRequest, *, limit: int, seconds: float) -> bytes | Refused:
    """Return the body, or why it was refused.

    At most about `limit` bytes are ever held. What the headers alone forbid is refused before
    anything is read, also before a client that asked is told to go on (Expect: 100-continue).
    """
    refused = refused_by_head(request.headers, request.version, limit)
    if refused is not None:
        return refused
    content = request.content
    try:
        async with asyncio.timeout(seconds):
            await _tell_to_go_on(request)
            body = await _read(content, limit)
    except TimeoutError:
        return Refused(Reason.REQUEST_TIMEOUT, "the body did not arrive in time")
    except (web.RequestPayloadError, HttpProcessingError):
        return Refused(Reason.MALFORMED_REQUEST, "the body is not framed as HTTP/1.1 wants it")
    except ConnectionError:
        return _cut_off()
    except asyncio.CancelledError:
        # So aiohttp says to a handler that its connection is lost, where `Endpoint` asks it to.
        task = asyncio.current_task()
        if task is None or request.transport is not None:
            raise
        task.uncancel()
        return _cut_off()
    return _too_large(limit) if body is None else body


def refused_by_head(
    headers: CIMultiDictProxy[str], version: HttpVersion, limit: int
) -> Refused | None:
    """Return why a body is refused by what is said in front of it, or None."""
    # All values count: of two, nobody knows which one a peer has read.
    if any(coding.lower() != "identity" for coding in headers.getall("Content-Encoding", ())):
        return Refused(
            Reason.MALFORMED_REQUEST, "the body is compressed; send it without Content-Encoding"
        )
    if not _is_framed_plainly(headers, version):
        return Refused(
            Reason.MALFORMED_REQUEST,
            "the request's framing is not plain: HTTP/1.1, with a length or chunked",
        )
    kinds = headers.getall("Content-Type", ())
    if len(kinds) != 1 or not (kinds[0] == _JSON or _JSON_IN_UTF_8.fullmatch(kinds[0])):
        return Refused(
            Reason.MALFORMED_REQUEST, "the body's type is not application/json, in UTF-8"
        )
    if int(headers.get("Content-Length", "0")) > limit:
        return _too_large(limit)
    return None


def _is_framed_plainly(headers: CIMultiDictProxy[str], version: HttpVersion) -> bool:
    """Tell whether nobody on the way can have seen another end of the body than we do.

    aiohttp refuses a Transfer-Encoding beside a length, and what does not end in chunked. It
    takes an empty one, `gzip, chunked` (and leaves the gzip), and one of HTTP/1.0, whose framing
    is faulty then (RFC 9112, section 6.1); and it takes `HTTP/0.9` and `HTTP/2.0`.
    """
    codings = [coding.lower() for coding in headers.getall("Transfer-Encoding", ())]
    if version == HttpVersion11:
        return codings in ([], ["chunked"])
    return version == HttpVersion10 and not codings


def _too_large(limit: int) -> Refused:
    return Refused(
        Reason.REQUEST_TOO_LARGE, f"the body is larger than {limit} bytes (server.max_body)"
    )


def _cut_off() -> Refused:
    return Refused(Reason.MALFORMED_REQUEST, "the connection closed before the body ended")


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
