"""How many requests are decided at once."""

from __future__ import annotations


class Places:
    """A fixed number of places; whoever finds none is turned away, nobody waits.

    Waiting would only make every answer later than its deadline.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0

    @property
    def taken(self) -> int:
        """The number of requests that are being decided now."""
        return self._taken

    def take(self) -> bool:
        """Take a place if there is one, and say whether there was."""
        if self._taken >= self._limit:
            return False
        self._taken += 1
        return True

    def give_back(self) -> None:
        """Give back a place that was taken."""
        self._taken -= 1
