"""One event for each decision: who asked for what, what came out, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from authorizer.instrumentation.labels import label
from authorizer.model import Allow, Deny, Indeterminate, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.model import CheckRecord, DecisionRecord, Outcome

EVENT: Final = "authorization.decision"
# A caller's path may be as long as a body may be, and thousands of events may wait to be written.
MAX_TEXT: Final = 2048


_LEVELS: Final[Mapping[type[Outcome], str]] = {
    Allow: "info",
    Deny: "info",
    Refused: "warning",
    Indeterminate: "error",
}


class Log(Protocol):
    """What a decision is written to."""

    def write(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """Log an event. `fields` hold text, numbers, None, and lists and objects of these."""


class DecisionLog:
    """Logs every decision.

    `info` for allow and deny, `warning` for what the asker got wrong, `error` when nobody could
    decide.
    """

    def __init__(self, log: Log) -> None:
        self._log = log

    def record(self, record: DecisionRecord) -> None:
        """Log one decision."""
        self._log.write(_LEVELS[type(record.outcome)], EVENT, fields(record))


def fields(record: DecisionRecord) -> dict[str, Any]:
    """Return what is logged of a decision: no trait, no body, no header but the request id.

    Texts longer than `MAX_TEXT` characters are cut, and say so. Times are in milliseconds, to
    the microsecond; `pdp_ms` is None where no PDP was asked. `cached_ms` is there where the answer
    is one from before, and says how old it is.
    """
    outcome = record.outcome
    texts = (
        record.request_id,
        record.subject,
        record.profile,
        record.method,
        record.host,
        record.path,
    )
    if len("".join(texts)) > MAX_TEXT:  # one look at all of them: nearly none is so long
        texts = tuple(map(_cut, texts))  # type: ignore[assignment] # as many as there were
    request_id, subject, profile, method, host, path = texts
    out: dict[str, Any] = {
        "decision_id": record.decision_id,
        "request_id": request_id,
        "outcome": label(outcome),
        "reason": str(outcome.reason),  # not `value`, which Python 3.11 takes 0.2 us to find
        "route": record.route,
        "subject": subject,
        "profile": profile,
        "method": method,
        "host": host,
        "path": path,
        "checks": [_check(check) for check in record.checks],
        "cerbos_call_id": record.cerbos_call_id,
        "total_ms": _milliseconds(record.total_seconds),
        "pdp_ms": None if record.pdp_seconds is None else _milliseconds(record.pdp_seconds),
    }
    if record.cached_seconds is not None:
        out["cached_ms"] = _milliseconds(record.cached_seconds)
    if record.cerbos_request_id:
        out["cerbos_request_id"] = record.cerbos_request_id
    if outcome.detail:
        out["detail"] = outcome.detail
    if record.would_be is not None:
        out["would_be"] = _would_be(record.would_be)
    return out


def _check(check: CheckRecord) -> dict[str, str]:
    kind, id_, action = check.kind, check.id, check.action
    if len(kind) + len(id_) + len(action) > MAX_TEXT:
        kind, id_, action = _cut(kind), _cut(id_), _cut(action)
    return {"kind": kind, "id": id_, "action": action, "effect": check.effect}


def _would_be(outcome: Outcome) -> dict[str, str]:
    out = {"outcome": label(outcome), "reason": outcome.reason.value}
    if outcome.detail:
        out["detail"] = outcome.detail
    return out


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1_000_000) / 1000  # `round` to three places takes three times as long


def _cut(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    return f"{text[:MAX_TEXT]}… ({len(text) - MAX_TEXT} more)"
