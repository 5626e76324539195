"""The short way of a question: whole when it comes, on a connection that has nothing else to do.

Nearly all are. aiohttp makes two tasks, a request, a writer and a response of each, which takes
two thirds of what HTTP takes in all. By the short way its parser reads a question as any other, so
that there is one opinion on what is HTTP; what was read is answered without those. A head that
came before in the same bytes need not be read again (`heads`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from authorizer.server.heads import Heads

if TYPE_CHECKING:
    import asyncio

    from aiohttp.http import HttpVersion
    from multidict import CIMultiDictProxy

    from authorizer.server.replies import Said


class Answerer(Protocol):
    """Answers questions that have come as a whole."""

    def at_once(
        self, headers: CIMultiDictProxy[str], version: HttpVersion, body: bytes
    ) -> Said | asyncio.Task[Said]:
        """Return the answer, or a task that gives it."""


class Refuser(Protocol):
    """Refuses questions unread while there are too many."""

    def refusal(self, data: bytes) -> bytes | None:
        """Return the answer to the bytes of a request, or None where they are to be read."""

    def let_come(self) -> None:
        """Hear that a request goes the long way."""


@dataclass(frozen=True, slots=True)
class ShortWay:
    """What takes the short way: requests of one method and path. Others are for aiohttp."""

    method: str
    path: str
    answerer: Answerer
    refuser: Refuser
    heads: Heads = field(default_factory=Heads)
