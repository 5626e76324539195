"""Answers that are no decisions, in the shape of Ory's services."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

import msgspec
from aiohttp import web

# Which library, in which version: nobody needs to know, and aiohttp tells everybody.
_NAME: Final = "authorizer"


def json_response(status: int, content: Any) -> web.Response:  # noqa: ANN401 - whatever JSON can say
    """Return `content` as a JSON answer."""
    return web.Response(
        status=status, body=msgspec.json.encode(content), content_type="application/json"
    )


def error_response(status: int, message: str) -> web.Response:
    """Return an error for people, with its status."""
    phrase = HTTPStatus(status).phrase
    return json_response(status, {"error": {"code": status, "status": phrase, "message": message}})


def refuse_unreadable() -> web.StreamResponse:
    """Answer what is not HTTP, where nobody keeps a record of it."""
    return error_response(400, "not a request that HTTP/1.1 allows")


def named(response: web.StreamResponse) -> web.StreamResponse:
    """Return the response with our name in it, and without aiohttp's."""
    response.headers["Server"] = _NAME
    return response
