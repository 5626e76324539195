"""HTTP as it is written: paths go out byte for byte, which most clients do not do."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from chain.errors import ChainError

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT: Final = 10.0  # seconds; the slowest answer of the chain is a password hash


@dataclass(frozen=True)
class Reply:
    """An HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - JSON of other programs
        """Return the body, decoded."""
        return json.loads(self.body)


def send(
    address: str,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: object = None,
    timeout: float = TIMEOUT,
) -> Reply:
    """Send one request to `address` (host:port); `target` is the path and query, as they are.

    `body` is sent as JSON unless it is None. Raises OSError when nobody answers.
    """
    host, _, port = address.rpartition(":")
    sent = dict(headers or {})
    encoded = None
    if body is not None:
        encoded = json.dumps(body)
        sent["Content-Type"] = "application/json"
    connection = http.client.HTTPConnection(host, int(port), timeout=timeout)
    try:
        connection.request(method, target, body=encoded, headers=sent)
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, received, response.read())
    except http.client.HTTPException as error:
        message = f"{method} {target}: {address} gave no HTTP answer: {error!r}"
        raise ChainError(message) from error
    finally:
        connection.close()
