"""The port, implemented by a Cerbos PDP over one channel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Self

from cerbos.response.v1 import response_pb2
from google.protobuf.message import DecodeError

from authorizer.errors import PdpDeadline, PdpError, PdpRejected, PdpUnavailable
from authorizer.pdp.channel import SERVICE, ask_health, describe, open_channel
from authorizer.pdp.messages import Questions, UnfitAnswer, read_answer
from authorizer.rpc.status import CallFailed, Code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.config.addresses import Address
    from authorizer.config.settings import PdpTls
    from authorizer.model import Check, PdpAnswer, Principal
    from authorizer.pdp.interface import Deadline, PdpHealth

# What it says of a JWT, whatever is wrong with it (measured on 0.55.0); its own log has the reason.
_REFUSED_JWT: Final = "invalid auxData"
# Cerbos names the field that it refused, in front of a text that may quote.
# Only our own field names and positions pass: an attribute's key ends the match.
_REFUSED_FIELD: Final = re.compile(
    r"validation error:\s*(?:-\s*)?((?:principal|resources|request_id)(?:\[\d+\]|\.[a-z_]+)*)"
)


class CerbosPdp:
    """One Cerbos PDP. Make it where the event loop runs; it connects at the first question."""

    def __init__(
        self, target: Address, *, tls: PdpTls | None = None, insecure_plaintext: bool = False
    ) -> None:
        """Open a channel to `target`. Raises ConfigError as `open_channel` does."""
        self.endpoint: Final = str(target)
        self._channel = open_channel(target, tls=tls, insecure_plaintext=insecure_plaintext)
        # Not the generated stub: it takes messages, and a principal is kept written.
        self._method = self._channel.method(f"/{SERVICE}/CheckResources")
        self._questions = Questions()

    async def check(
        self,
        principal: Principal,
        checks: Sequence[Check],
        *,
        deadline: Deadline,
        request_id: str,
        explain: bool = False,
    ) -> PdpAnswer:
        """Ask all checks in one call, as the port says."""
        request = self._request(principal, checks, request_id=request_id, explain=explain)
        remaining = deadline.remaining()
        if remaining <= 0:
            raise PdpDeadline(self.endpoint, "no time was left to ask")
        try:
            answer = await self._channel.call(self._method, request, seconds=remaining)
        except CallFailed as error:
            raise self._failure(error) from _cause(error)
        try:
            response = response_pb2.CheckResourcesResponse.FromString(answer)
            return read_answer(checks, response, explain=explain)
        except (UnfitAnswer, DecodeError) as error:
            raise PdpRejected(self.endpoint, f"the answer does not fit: {error}") from error

    async def health(self, *, timeout: float) -> Sequence[PdpHealth]:  # noqa: ASYNC109 - as the port says
        """Return the one state that there is."""
        return (await ask_health(self._channel, self.endpoint, timeout=timeout),)

    async def close(self) -> None:
        """Close the channel; what is being asked fails as PdpUnavailable."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _request(
        self, principal: Principal, checks: Sequence[Check], *, request_id: str, explain: bool
    ) -> bytes:
        try:
            return self._questions.build(principal, checks, request_id=request_id, explain=explain)
        except (ValueError, OverflowError, TypeError) as error:
            message = f"a value of the question has no form in protobuf ({type(error).__name__})"
            # Python's own text quotes the value.
            raise PdpRejected(self.endpoint, message) from None

    def _failure(self, error: CallFailed) -> PdpError:
        match error.code:
            case Code.UNAVAILABLE:
                return PdpUnavailable(self.endpoint, describe(error))
            case Code.CANCELLED:
                return PdpUnavailable(self.endpoint, "CANCELLED: the PDP gave the call up")
            case Code.DEADLINE_EXCEEDED:
                return PdpDeadline(self.endpoint, describe(error))
            case code:
                return PdpRejected(self.endpoint, f"{code.name}{_refused(error.details)}")


def _refused(details: str) -> str:
    """Return what of a question was refused, as far as that can be said without quoting it."""
    if details == _REFUSED_JWT:
        return (
            ": it refused the JWT of `aux_data`: expired, not valid yet, signed by another key,"
            " or it has no key set of that id; its log says which"
        )
    field = _REFUSED_FIELD.match(details)
    return f": it refused {field[1]}" if field else ""


def _cause(error: CallFailed) -> CallFailed | None:
    """Return `error` unless a server wrote its text, which may quote an attribute's value."""
    return error if error.local else None
