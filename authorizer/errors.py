"""The one exception tree.

    AuthorizerError
    ├── SourceError          a file, a flag or a variable that we cannot accept (carries Problems)
    │   ├── ConfigError      … in the configuration
    │   └── RulesError       … in the route rules
    ├── MalformedRequest     the caller of /authorize broke the contract (they erred: 4xx)
    ├── ExpressionError      an expression failed, or gave a value that it may not give
    │   └── MissingKey       … because something that it reads is not there
    ├── WorkersFailed        no worker comes up
    └── PdpError             the PDP gave no answer that can be used
        ├── PdpUnavailable   nobody there
        ├── PdpDeadline      no answer in time
        └── PdpRejected      it answered that it would not decide

A deny is never an exception: it is a value (`authorizer.model.Deny`) and is returned.
Only a broken contract, configuration or PDP raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class AuthorizerError(Exception):
    """Everything that this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in one place of one source.

    `source` is a file name, or a description ("--listen", "AUTHORIZER__PDP__TLS__CA").
    `line` and `column` count from one; 0 means that there is no such place.
    `message` says what was found and what was expected; `hint` says what to do.
    """

    source: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class SourceError(AuthorizerError):
    """A source that was refused; `problems` holds at least one entry, in source order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        """Refuse a source for the given problems (at least one)."""
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class ConfigError(SourceError):
    """The configuration (file, environment or flags) was refused."""


class RulesError(SourceError):
    """The route rules were refused."""


class MalformedRequest(AuthorizerError):
    """The body of an authorization request broke the contract.

    `pointer` is a JSON pointer (RFC 6901) to the offending value ("" is the whole body),
    `reason` a sentence that never quotes a value from the body.
    """

    def __init__(self, pointer: str, reason: str) -> None:
        """Refuse a body because of the value at `pointer`."""
        self.pointer = pointer
        self.reason = reason
        super().__init__(f"{pointer or 'body'}: {reason}")


class ExpressionError(AuthorizerError):
    """An expression failed. `expression` is its text as written; no value is quoted."""

    def __init__(self, expression: str, reason: str) -> None:
        """Say that `expression` failed for `reason`."""
        self.expression = expression
        self.reason = reason
        super().__init__(f"{expression}: {reason}")


class MissingKey(ExpressionError):
    """Something that an expression reads is not there."""


class WorkersFailed(AuthorizerError):
    """Processes that should decide end before they are ready, again and again."""

    def __init__(self, failures: int) -> None:
        """Say that so many have failed in a row."""
        super().__init__(
            f"{failures} workers in a row ended before they were ready; the lines above say why"
        )


class PdpError(AuthorizerError):
    """The PDP gave no answer that can be used. `endpoint` says which one was asked."""

    def __init__(self, endpoint: str, message: str) -> None:
        """Say that the PDP at `endpoint` failed."""
        self.endpoint = endpoint
        self.message = message
        super().__init__(f"{endpoint}: {message}")


class PdpUnavailable(PdpError):
    """No PDP could be reached, or the connection was lost."""


class PdpDeadline(PdpError):
    """The PDP did not answer within the time that was left."""


class PdpRejected(PdpError):
    """The PDP answered that it would not decide, or its answer does not fit the question."""
