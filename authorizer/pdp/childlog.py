"""The log lines of a Cerbos process, read as records of ours."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Final

_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "dpanic": logging.CRITICAL,
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL,
}
# Cerbos warns at each start that nobody collects its traces, which is what most want.
_NOT_A_WARNING: Final = "Disabling OTLP"


@dataclass(frozen=True, slots=True)
class ChildLine:
    """One line. `level` is one of `logging`'s; `logger` is Cerbos's name for the part of it.

    `problems` say what is wrong in which policy file, where the line tells. Of a line about a
    question, `error` is the policy's expression that failed: Cerbos's own text may quote a value.
    Everything else in a line (request metadata, peers) is left out: it may hold callers' values.
    """

    level: int
    logger: str
    message: str
    error: str = ""
    problems: tuple[str, ...] = ()


def read_line(line: str) -> ChildLine:
    """Read one line of standard output or error; what is not JSON is a warning as it stands."""
    try:
        record = json.loads(line)
    except ValueError:
        return ChildLine(logging.WARNING, "cerbos", line.strip())
    if not isinstance(record, dict):
        return ChildLine(logging.WARNING, "cerbos", line.strip())
    level = _LEVELS.get(str(record.get("log.level")), logging.WARNING)
    message = str(record.get("message", ""))
    if message.startswith(_NOT_A_WARNING):
        level = logging.DEBUG
    failures = record.get("load_failures")
    return ChildLine(
        level=level,
        logger=str(record.get("log.logger", "cerbos")),
        message=message,
        # "no such key: anna@acme.test", from `R.attr.members[P.attr.email]`.
        error=str(record.get("expression" if "grpc.method" in record else "error", "")),
        problems=tuple(map(_failure, failures)) if isinstance(failures, list) else (),
    )


def _failure(failure: object) -> str:
    if not isinstance(failure, dict):
        return str(failure)
    return f"{failure.get('file', '?')}: {failure.get('error', '?')}"
