"""How many requests are decided at once."""

from __future__ import annotations

import asyncio


class Places:
    """A fixed number of places. Who finds none waits in line for at most `max_wait` seconds.

    To wait for longer than a burst lasts would only make every answer late.
    """

    def __init__(self, limit: int, *, max_wait: float = 0.0) -> None:
        self._limit = limit
        self._max_wait = max_wait
        self._taken = 0
        # Whoever has waited longest comes first; a place is handed over and never free meanwhile.
        self._line: dict[asyncio.Future[None], None] = {}

    @property
    def taken(self) -> int:
        """The number of requests that are being decided now."""
        return self._taken

    @property
    def waiting(self) -> int:
        """The number of requests in line."""
        return len(self._line)

    async def take(self) -> bool:
        """Take a place if there is one in time, and say whether there was."""
        if self._taken < self._limit:
            self._taken += 1
            return True
        if not self._max_wait:
            return False
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line[turn] = None
        try:
            await asyncio.wait((turn,), timeout=self._max_wait)
        except asyncio.CancelledError:
            if turn.done():
                self.give_back()  # it was handed over in the same moment
            else:
                del self._line[turn]
            raise
        if turn.done():
            return True
        del self._line[turn]
        return False

    def give_back(self) -> None:
        """Give back a place that was taken."""
        if self._line:
            turn = next(iter(self._line))
            del self._line[turn]
            turn.set_result(None)
        else:
            self._taken -= 1
