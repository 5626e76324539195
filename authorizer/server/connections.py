"""How many connections are open, and why some were not let go on."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Cut(enum.StrEnum):
    """Why we ended a connection that was not done."""

    TOO_MANY = "too_many"
    SLOW_HEAD = "slow_head"
    LARGE_HEAD = "large_head"
    SLOW_READER = "slow_reader"


class Connections:
    """The connections of one listener: `limit` of them, and who is one too many is hung up on.

    `on_cut` is called for each that we end before it is done.
    """

    def __init__(self, limit: int, on_cut: Callable[[Cut], None] = lambda _: None) -> None:
        self._limit = limit
        self._on_cut = on_cut
        self._open = 0

    @property
    def open(self) -> int:
        """The number of connections that are open now."""
        return self._open

    def enter(self) -> bool:
        """Count a new connection if there is room for it, and say whether there was."""
        if self._open >= self._limit:
            self.cut(Cut.TOO_MANY)
            return False
        self._open += 1
        return True

    def leave(self) -> None:
        """Count a connection no more that had entered."""
        self._open -= 1

    def cut(self, why: Cut) -> None:
        """Tell that a connection was ended by us."""
        self._on_cut(why)
