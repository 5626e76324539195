"""From an identity and a request to the question that Oathkeeper would ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from authorizer.contract.decode import decode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from authorizer.model import AccessRequest
    from authorizer.suites.identities import Identity

# Where a URL is only a path. A route with `hosts` of its own wants a whole URL.
DEFAULT_HOST: Final = "http://localhost"


def pose(
    identity: Identity,
    method: str,
    url: str,
    *,
    host: str = DEFAULT_HOST,
    headers: Mapping[str, str | Sequence[str]] | None = None,
    more: Mapping[str, Any] | None = None,
) -> AccessRequest:
    """Return the question, read by the decoder that the server has.

    A `url` that begins with a slash stands behind `host`. `more` holds `raw_path` and
    `forwarded_uri`, where there are any. Raises MalformedRequest.
    """
    body: dict[str, Any] = {
        "subject": identity.subject,
        "extra": identity.extra,
        "method": method,
        "url": host + url if url.startswith("/") else url,
        "headers": dict(headers or {}),
        **(more or {}),
    }
    if identity.profiles:
        body["profile"] = list(identity.profiles)
    return decode(json.dumps(body).encode())
