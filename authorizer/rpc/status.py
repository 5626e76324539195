"""What becomes of a call that has no answer: gRPC's status codes, and what HTTP/2 has for them."""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping


class Code(enum.IntEnum):
    """gRPC's status codes: https://grpc.github.io/grpc/core/md_doc_statuscodes.html."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class ErrorCode(enum.IntEnum):
    """HTTP/2's error codes: RFC 9113, 7."""

    NO_ERROR = 0x0
    PROTOCOL_ERROR = 0x1
    INTERNAL_ERROR = 0x2
    FLOW_CONTROL_ERROR = 0x3
    SETTINGS_TIMEOUT = 0x4
    STREAM_CLOSED = 0x5
    FRAME_SIZE_ERROR = 0x6
    REFUSED_STREAM = 0x7
    CANCEL = 0x8
    COMPRESSION_ERROR = 0x9
    CONNECT_ERROR = 0xA
    ENHANCE_YOUR_CALM = 0xB
    INADEQUATE_SECURITY = 0xC
    HTTP_1_1_REQUIRED = 0xD


class CallFailed(Exception):
    """A call that has no answer.

    `details` is for people. `local` says that it was written on this side: what the other side
    writes may quote what it was asked. `unseen` says that the other side has not begun with the
    call, so that it is safe to make it again, whatever it asks for.
    """

    def __init__(
        self, code: Code, details: str, *, local: bool = True, unseen: bool = False
    ) -> None:
        """Say why there is no answer."""
        self.code = code
        self.details = details
        self.local = local
        self.unseen = unseen
        super().__init__(f"{code.name}: {details}" if details else code.name)

    def again(self, *, unseen: bool = False) -> CallFailed:
        """Return the same failure for one of several: each gets the traceback of who waits."""
        return CallFailed(self.code, self.details, local=self.local, unseen=unseen)


class BrokenPeer(Exception):
    """The other side does not speak HTTP/2 as agreed: the connection is of no more use."""

    def __init__(self, code: ErrorCode, details: str) -> None:
        """Say what is wrong; `code` is what the other side is told."""
        self.code = code
        self.details = details
        super().__init__(f"{code.name}: {details}")


_HTTP_STATUS: Final = re.compile(r"[1-9][0-9]{2}")
# https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md
_OF_HTTP: Final[Mapping[str, Code]] = {
    "400": Code.INTERNAL,
    "401": Code.UNAUTHENTICATED,
    "403": Code.PERMISSION_DENIED,
    "404": Code.UNIMPLEMENTED,
    "429": Code.UNAVAILABLE,
    "502": Code.UNAVAILABLE,
    "503": Code.UNAVAILABLE,
    "504": Code.UNAVAILABLE,
}

# https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md#errors; any other is INTERNAL.
_OF_RESET: Final[Mapping[int, Code]] = {
    ErrorCode.REFUSED_STREAM: Code.UNAVAILABLE,
    ErrorCode.CANCEL: Code.CANCELLED,
    ErrorCode.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
    ErrorCode.INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
}


def of_http(status: str) -> CallFailed:
    """Return what an answer is that is not gRPC's, by its HTTP status.

    Nothing else is quoted: what the other side writes there may be anything.
    """
    if not _HTTP_STATUS.fullmatch(status):
        return CallFailed(Code.UNKNOWN, "it answered without an HTTP status")
    return CallFailed(
        _OF_HTTP.get(status, Code.UNKNOWN), f"it answered with HTTP status {status}, not with gRPC"
    )


def of_reset(code: int) -> CallFailed:
    """Return what a stream is that the other side has ended by RST_STREAM."""
    return CallFailed(
        _OF_RESET.get(code, Code.INTERNAL),
        f"it reset the call: {named(code)}",
        unseen=code == ErrorCode.REFUSED_STREAM,
    )


def named(code: int) -> str:
    """Return the name of an error code of HTTP/2, or its number where it has none."""
    try:
        return ErrorCode(code).name
    except ValueError:
        return f"error {code}"
