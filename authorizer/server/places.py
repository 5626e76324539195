"""How many requests are decided at once."""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# How much the newest of the intervals between two places given back counts in their average.
_WEIGHT: Final = 1 / 16
# That interval, before anybody knows. Seconds.
_GUESS: Final = 0.001
# How many of the line get a place in one turn of the event loop. What they ask is read and put to
# the PDP one after the other, and whoever comes meanwhile, to be refused, waits for as long.
_IN_A_TURN: Final = 4
# What is left of `max_wait` when it is no burst that we have, but too much.
_SHARE: Final = 0.1


class Places:
    """A fixed number of places. Who finds none waits in line for at most `max_wait` seconds.

    To wait for longer than a burst lasts would only make every answer late. Nor does anybody get
    in line who would not have his turn in time, by how fast places are given back of late: a
    refusal is worth something when it comes at once. Where people are turned away for longer than
    `max_wait` it is no burst: who comes then finds a line that is a tenth as long, until as much
    time has passed without it. A long one would stay long. Nobody more would be served, all of them
    later, and those for whom the estimate was too good refused late. It is not shortened where it
    has room for all `callers`, who are connected and have one question at a time each: turned away,
    they would ask again and again.
    """

    def __init__(
        self,
        limit: int,
        *,
        max_wait: float = 0.0,
        callers: Callable[[], float] = lambda: math.inf,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit = limit
        self._max_wait = max_wait
        self._callers = callers
        self._clock = clock
        self._taken = 0
        # Whoever has waited longest comes first; a place is handed over and never free meanwhile.
        # With each, the timer that ends his waiting.
        self._line: dict[asyncio.Future[bool], asyncio.TimerHandle] = {}
        self._coming = 0
        # Of the places that are taken, those that are kept for the line until the next turns of the
        # event loop; and how many it has got in this one.
        self._kept = 0
        self._handed = 0
        # The seconds between two places that are given back while all are taken, and since when
        # the next is waited for.
        self._interval = _GUESS
        self._since = 0.0
        # When somebody was turned away last, and since when that goes on.
        self._turned_away = -math.inf
        self._turning_away_since = -math.inf

    @property
    def taken(self) -> int:
        """The number of requests that are being decided now."""
        return self._taken

    @property
    def waiting(self) -> int:
        """The number of requests in line."""
        return len(self._line)

    @property
    def coming(self) -> int:
        """The number of requests that were announced, and may not have called `take` yet."""
        return self._coming

    def announce(self) -> None:
        """Count one that calls `take` within two turns of the event loop.

        Without that, all that come in one turn would find the same place free.
        """
        if not self._coming:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._have_come)
        self._coming += 1

    def hopeless(self, coming: int = 0) -> bool:
        """Tell whether there is no place, nor will be one in time for one more in line.

        `coming` is how many others have yet to call `take`, but will.
        """
        ahead = self._taken - self._kept + len(self._line) + coming - self._limit
        if ahead < 0:
            return False
        now = self._clock()
        interval = self._interval
        if self._taken == self._limit:
            # All of them may be given back in the next moment.
            interval = max(interval, (now - self._since) / self._limit)
        may_wait = self._max_wait
        if self._is_overload(now) and (self._callers() - self._limit) * interval > may_wait:
            may_wait *= _SHARE
        return not self._max_wait or (ahead + 1) * interval > may_wait

    def _is_overload(self, now: float) -> bool:
        goes_on = now - self._turned_away <= self._max_wait
        return goes_on and now - self._turning_away_since > self._max_wait

    def turn_away(self) -> None:
        """Take note that somebody has got no place."""
        now = self._clock()
        if now - self._turned_away > self._max_wait:
            self._turning_away_since = now
        self._turned_away = now

    def take_free(self) -> bool:
        """Take a place if there is one now, and say whether there was."""
        if self._taken == self._limit:
            return False
        self._taken += 1
        if self._taken == self._limit:
            self._since = self._clock()
        return True

    def _have_come(self) -> None:
        self._coming = 0

    def line_up(self) -> asyncio.Future[bool] | None:
        """Get in line. It says by a future whether there was a place in time; None: it is hopeless.

        Who has got in line calls `leave` at the end, whatever has become of it.
        """
        if self.hopeless():
            self.turn_away()
            return None
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._line[turn] = loop.call_later(self._max_wait, self._end_wait, turn)
        return turn

    def leave(self, turn: asyncio.Future[bool]) -> None:
        """Give back the place that was waited for, or get out of the line."""
        if turn.done() and not turn.cancelled():
            if turn.result():
                self.give_back()
        else:
            turn.cancel()
            if timer := self._line.pop(turn, None):
                timer.cancel()

    async def take(self) -> bool:
        """Take a place if there is one in time, and say whether there was."""
        if self.take_free():
            return True
        turn = self.line_up()
        if turn is None:
            return False
        try:
            return await turn
        except asyncio.CancelledError:
            self.leave(turn)
            raise

    def _end_wait(self, turn: asyncio.Future[bool]) -> None:
        del self._line[turn]
        if not turn.done():  # else he has hung up just now
            self.turn_away()
            turn.set_result(False)

    def give_back(self) -> None:
        """Give back a place that was taken."""
        if self._taken == self._limit:
            now = self._clock()
            self._interval += (now - self._since - self._interval) * _WEIGHT
            self._since = now
        if not self._line:
            self._taken -= 1
        elif self._handed < _IN_A_TURN:
            if not self._handed:
                asyncio.get_running_loop().call_soon(self._next_turn)
            self._handed += 1
            self._hand_over()
        else:
            self._kept += 1

    def _next_turn(self) -> None:
        self._handed = min(self._kept, _IN_A_TURN)
        self._kept -= self._handed
        if self._handed:
            asyncio.get_running_loop().call_soon(self._next_turn)
        for _ in range(self._handed):
            self._hand_over()

    def _hand_over(self) -> None:
        """Let who has waited longest have a place; it is free where nobody waits any more."""
        while self._line:
            turn = next(iter(self._line))
            self._line.pop(turn).cancel()
            if not turn.done():  # else he has hung up just now
                turn.set_result(True)
                return
        self._taken -= 1
