"""One call: what is asked, and what its answer means (gRPC's PROTOCOL-HTTP2.md). No wire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from authorizer.rpc import headers
from authorizer.rpc.status import CallFailed, Code, of_http

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping

    from authorizer.rpc.headers import Fields

# As gRPC's other clients bound an answer.
LARGEST_ANSWER: Final = 4 * 1024 * 1024
_PREFIX_SIZE: Final = 5  # of a message: whether it is compressed, and its length
# As they are written. `int` would read more: "+0" as well, and a failure that is OK is none.
_CODES: Final[Mapping[str, Code]] = {str(code.value): code for code in Code if code is not Code.OK}


def prefixed(message: bytes) -> bytes:
    """Return a message as it is sent: not compressed, after its length."""
    return b"\0" + len(message).to_bytes(_PREFIX_SIZE - 1) + message


class Call:
    """A call that is being made. Its future has the answer's bytes, or fails with CallFailed.

    `block` is its header block. `number` is that of its stream, 0 until it has one. `unsent` is
    what is left of its message, prefix included, and `window` how much of that the other side
    allows. `begun` tells whether the header block before the answer has come.
    """

    __slots__ = ("answer", "begun", "block", "future", "number", "timer", "unsent", "window")

    def __init__(self, block: bytes, message: bytes, future: asyncio.Future[bytes]) -> None:
        self.block = block
        self.unsent: bytes | memoryview = message
        self.future = future
        self.number = 0
        self.window = 0
        self.begun = False
        self.answer: bytes | bytearray = b""
        self.timer: asyncio.TimerHandle | None = None

    def begin(self, fields: Fields, *, is_last: bool) -> CallFailed | None:
        """Take the header block before the answer; return why it is none of gRPC's, or None."""
        status = fields.get(headers.STATUS, "")
        if status.startswith("1") and not is_last:
            return None  # an interim one, as HTTP has them; the real one comes
        if status != "200":
            return of_http(status)
        if not headers.is_grpc(fields):
            return CallFailed(Code.UNKNOWN, "the answer is not gRPC's")
        self.begun = True
        return None

    def add(self, payload: bytes) -> CallFailed | None:
        """Take a piece of the answer: nearly always there is but one. Return why it is of no use.

        None where it may be.
        """
        if not self.answer:
            self.answer = payload
        elif isinstance(self.answer, bytearray):
            self.answer += payload
        else:
            self.answer = bytearray(self.answer) + payload
        if not self.begun:
            return CallFailed(Code.INTERNAL, "a message without headers")
        if len(self.answer) > LARGEST_ANSWER + _PREFIX_SIZE:
            text = f"the answer has more than {LARGEST_ANSWER} bytes"
            return CallFailed(Code.RESOURCE_EXHAUSTED, text)
        return None

    def end(self, trailers: Fields) -> None:
        """Let who waits have the answer, or what the trailers say that there is instead."""
        if self.future.done():
            return
        status, answer = trailers.get(headers.GRPC_STATUS), self.answer
        if status is None:
            self.fail(without_status())
        elif status != "0":
            details = headers.percent_decoded(trailers.get(headers.GRPC_MESSAGE, ""))
            self.fail(CallFailed(_CODES.get(status, Code.UNKNOWN), details, local=False))
        elif len(answer) < _PREFIX_SIZE or answer[0] != 0:
            self.fail(CallFailed(Code.INTERNAL, "the answer is no plain message"))
        elif int.from_bytes(answer[1:_PREFIX_SIZE]) != len(answer) - _PREFIX_SIZE:
            self.fail(CallFailed(Code.INTERNAL, "the answer is not one message"))
        else:
            self.future.set_result(bytes(answer[_PREFIX_SIZE:]))

    def fail(self, reason: CallFailed) -> None:
        """Let who waits have a failure, unless he has something."""
        if not self.future.done():
            self.future.set_exception(reason)


def without_status() -> CallFailed:
    """Return what an answer is that ends without saying what became of the call."""
    return CallFailed(Code.INTERNAL, "the answer has no status")
