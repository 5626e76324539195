"""Refusals that cost next to nothing, for when there is no place for one more question.

What is refused only after it was read as HTTP costs a fifth of a decision: at four times of what
can be decided, refusing would be all that is done. So a question is refused by its bytes.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from authorizer.config.settings import Enforcement
from authorizer.contract.outcome import answer
from authorizer.model import DecisionRecord, Indeterminate, Reason
from authorizer.server.decision_id import new_decision_id
from authorizer.server.replies import header_lines

if TYPE_CHECKING:
    from authorizer.server.collaborators import Collaborators

OVERLOADED: Final = Indeterminate(
    Reason.OVERLOADED, "as many requests as server.max_in_flight are being decided"
)
_REQUEST: Final = b"POST /authorize HTTP/1.1\r\n"
_END: Final = b"\r\n\r\n"
# A line that begins with a blank goes on with the one before.
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*(?:\r\n(?![ \t])|\Z)")
# What says of where the request ends, or of what is to become of the connection.
_NOT_PLAIN: Final = (b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade")
# A larger head costs more to look through than it saves: 60 KB of token took 5 ms.
_MAX_HEAD: Final = 8 * 1024


def is_one_question(data: bytes) -> bool:
    """Tell whether these bytes are one whole POST to /authorize, plainly framed, and no more.

    Only then nobody can see another end of it than we do. What is not is for aiohttp to read.
    """
    end = data.find(_END, 0, _MAX_HEAD)
    if end < 0 or not data.startswith(_REQUEST):
        return False
    head = data[:end].lower()
    length = _LENGTH.search(head)
    return (
        length is not None
        and sum(map(head.count, _NOT_PLAIN)) == 1  # that length
        and int(length[1]) == len(data) - end - len(_END)
        # A line that ends otherwise is one for some, and two for others.
        and head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n")
    )


class Shedding:
    """Refuses questions unread while there is no place for them."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        sample = DecisionRecord(decision_id=new_decision_id(), outcome=OVERLOADED)
        said = answer(sample, unavailable_status=collaborators.settings.server.unavailable_status)
        head = (
            f"HTTP/1.1 {said.status} {HTTPStatus(said.status).phrase}\r\n"
            f"{header_lines(said.headers)}Content-Length: {len(said.body)}\r\n\r\n"
        )
        # All refusals are the same but for their ids, which are of one length.
        self._pieces = (head.encode() + said.body).split(sample.decision_id.encode())

    def refusal(self, data: bytes) -> bytes | None:
        """Return the answer to what an idle connection has sent, or None where it is to be read.

        Who observes lets everything pass, so that nothing is refused unread then.
        """
        ours = self._with
        if (
            not ours.places.hopeless(ours.places.coming)
            or ours.readiness.draining
            or ours.current.snapshot.settings.enforcement is Enforcement.OBSERVE
            or not is_one_question(data)
        ):
            return None
        ours.places.turn_away()
        record = DecisionRecord(decision_id=new_decision_id(), outcome=OVERLOADED)
        ours.tell(record)
        return record.decision_id.encode().join(self._pieces)

    def let_come(self) -> None:
        """Hear that aiohttp reads one: it asks for a place two turns of the event loop later."""
        self._with.places.announce()
