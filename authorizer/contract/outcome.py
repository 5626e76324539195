"""What is answered: the one table from a reason to an HTTP status, the headers, the body.

Oathkeeper reads the status, and the headers that it is told to pass on. It lets the caller pass
on 200 alone. A 500, 502, 503 or 504 it asks again, four times in four seconds, so that an outage
is five times the load: what nobody could decide is 501 unless the operator wants those tries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from authorizer.model import Allow, Deny, Indeterminate, Reason, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import DecisionRecord, Outcome

_UNAVAILABLE: Final = None  # the operator's choice, server.unavailable_status

TABLE: Final[Mapping[Reason, tuple[type[Outcome], int | None]]] = {
    Reason.POLICY_ALLOW: (Allow, 200),
    Reason.ROUTE_ALLOW: (Allow, 200),
    Reason.OBSERVED: (Allow, 200),
    Reason.POLICY_DENY: (Deny, 403),
    Reason.ROUTE_DENY: (Deny, 403),
    Reason.NO_ROUTE: (Deny, 403),
    Reason.METHOD_NOT_MAPPED: (Deny, 403),
    Reason.CONDITION_NOT_MAPPED: (Deny, 403),
    Reason.AMBIGUOUS_URL: (Deny, 403),
    Reason.MAPPING_FAILED: (Deny, 403),
    Reason.PROFILE_MISMATCH: (Deny, 403),
    Reason.PRINCIPAL_REJECTED: (Deny, 403),
    Reason.MALFORMED_REQUEST: (Refused, 400),
    Reason.REQUEST_TIMEOUT: (Refused, 408),
    Reason.REQUEST_TOO_LARGE: (Refused, 413),
    Reason.BAD_SHARED_SECRET: (Refused, 401),
    Reason.PDP_UNAVAILABLE: (Indeterminate, _UNAVAILABLE),
    Reason.PDP_DEADLINE: (Indeterminate, _UNAVAILABLE),
    Reason.PDP_REJECTED: (Indeterminate, _UNAVAILABLE),
    Reason.OVERLOADED: (Indeterminate, _UNAVAILABLE),
    Reason.INTERNAL_ERROR: (Indeterminate, _UNAVAILABLE),
}

_WITHOUT_PERCENT: Final = "".join(c for c in map(chr, range(0x20, 0x7F)) if c != "%")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An HTTP answer, before anything knows how to send it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Body(msgspec.Struct, omit_defaults=True):
    decision_id: str
    outcome: str
    reason: str
    detail: str
    route: str
    cerbos_call_id: str
    pointer: str | None = None


_ENCODER: Final = msgspec.json.Encoder()


def answer(
    record: DecisionRecord, *, unavailable_status: int, pointer: str | None = None
) -> Answer:
    """Return the answer that says what `record` says.

    `unavailable_status` is 501 or 503. `pointer` is given for a malformed body alone: the JSON
    pointer to what is wrong in it ("" is the whole body).
    """
    outcome = record.outcome
    status = status_of(outcome, unavailable_status=unavailable_status)
    reason = str(outcome.reason)  # not `value`, which Python 3.11 takes 0.2 us to find
    names = (record.decision_id, record.route, record.cerbos_call_id)
    if not _are_plain(names):
        names = (header_value(names[0]), header_value(names[1]), header_value(names[2]))
    ours = {
        "Content-Type": "application/json",
        "X-Decision-Id": names[0],
        "X-Decision-Reason": reason,
        "X-Authorizer-Route": names[1],
        "X-Cerbos-Call-Id": names[2],
    }
    if status == 200 and record.response_headers:  # noqa: PLR2004 - the one that lets pass
        taken = {name.lower() for name in ours}
        for name, value in record.response_headers.items():
            if name.lower() not in taken:
                ours[name] = header_value(value)
    if status == 503:  # noqa: PLR2004 - the one that is asked again
        ours["Retry-After"] = "0"
    body = _Body(
        record.decision_id,
        type(outcome).__name__.lower(),
        reason,
        outcome.detail,
        record.route,
        record.cerbos_call_id,
        pointer,
    )
    return Answer(status, ours, _ENCODER.encode(body))


def status_of(outcome: Outcome, *, unavailable_status: int) -> int:
    """Return the status for `outcome`.

    A reason under a class that is not its own is a fault of ours, and never a 200.
    """
    kind, status = TABLE[outcome.reason]
    if type(outcome) is not kind or status is None:
        return unavailable_status
    return status


def _are_plain(texts: tuple[str, ...]) -> bool:
    """Tell, of several at once, that none needs to be encoded: nearly all are so."""
    text = "".join(texts)
    return text.isascii() and text.isprintable() and "%" not in text and " " not in text


def header_value(text: str) -> str:
    """Return `text` so that it can be sent as a header's value; two texts never become one.

    Printable ASCII is sent as it is. All else, `%`, and a space at either end (which HTTP drops)
    is percent-encoded as UTF-8, so that percent-decoding always gives the text back.
    """
    if text.isascii() and text.isprintable() and "%" not in text and text == text.strip(" "):
        return text
    encoded = quote(text, safe=_WITHOUT_PERCENT, errors="surrogatepass")
    inner = encoded.strip(" ")
    before = len(encoded) - len(encoded.lstrip(" "))
    after = len(encoded) - before - len(inner)
    return "%20" * before + inner + "%20" * after
