"""HTTP as it is written: paths go out byte for byte, which most clients do not do."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from chain.errors import ChainError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TIMEOUT: Final = 10.0  # seconds; the slowest answer of the chain is a password hash


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; header names are in lower case. `cookies` are all its Set-Cookie headers."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cookies: Sequence[str] = ()

    def json(self) -> Any:  # noqa: ANN401 - JSON of other programs
        """Return the body, decoded."""
        return json.loads(self.body)


def send(  # noqa: PLR0913 - a request has that many parts
    address: str,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: object = None,
    form: Mapping[str, str] | None = None,
    timeout: float = TIMEOUT,
) -> Reply:
    """Send one request to `address` (host:port); `target` is the path and query, as they are.

    `body` is sent as JSON unless it is None, `form` as a form. Raises OSError when nobody answers.
    """
    host, _, port = address.rpartition(":")
    sent = dict(headers or {})
    encoded = None
    if body is not None:
        encoded = json.dumps(body)
        sent["Content-Type"] = "application/json"
    elif form is not None:
        encoded = urlencode(form)
        sent["Content-Type"] = "application/x-www-form-urlencoded"
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request(method, target, body=encoded, headers=sent)
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        cookies = response.headers.get_all("Set-Cookie", [])
        return Reply(response.status, received, response.read(), cookies)
    except http.client.HTTPException as error:
        message = f"{method} {target}: {address} gave no HTTP answer: {error!r}"
        raise ChainError(message) from error
    finally:
        connection.close()


@dataclass(frozen=True)
class Api:
    """A program's API: its name, and its address as host:port."""

    program: str
    address: str

    def ask(
        self,
        method: str,
        target: str,
        *,
        expected: int,
        headers: Mapping[str, str] | None = None,
        body: object = None,
        form: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request; raise ChainError unless it is answered with the `expected` status."""
        reply = send(self.address, method, target, headers=headers, body=body, form=form)
        if reply.status != expected:
            # The people are made up, so the program's own words may be shown.
            said = reply.body.decode(errors="replace")[:500]
            path = target.partition("?")[0]
            message = f"{method} {path}: {self.program} answered {reply.status}: {said}"
            raise ChainError(message)
        return reply
