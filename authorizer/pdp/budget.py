"""How many calls may be repeated, so that an outage is not made worse by asking twice. Pure."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable


class RetryBudget:
    """Lets through `ratio` retries for each call of the last `memory` seconds, and `reserve` more.

    Both are counted with a weight that fades with time. A fixed bucket would be too small for a
    busy service, whose calls to an endpoint that hangs all need their retry at the same moment,
    and too large for an idle one.
    """

    def __init__(
        self,
        *,
        ratio: float = 0.2,
        reserve: float = 10.0,
        memory: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ratio: Final = ratio
        self._reserve: Final = reserve
        self._memory: Final = memory
        self._clock = clock
        self._calls = 0.0
        self._retries = 0.0
        self._at = clock()

    def reserve(self) -> bool:
        """Count a call, which is no retry, and take one for it; say whether there was one.

        Whoever does not need it gives it back.
        """
        self._fade()
        self._calls += 1
        return self.take()

    def take(self) -> bool:
        """Take one retry, if it is there, and say whether it was."""
        if self._retries + 1 > self._reserve + self._ratio * self._calls:
            return False
        self._retries += 1
        return True

    def give_back(self) -> None:
        """Give back a retry that nobody needed."""
        self._retries = max(0.0, self._retries - 1)

    def _fade(self) -> None:
        now = self._clock()
        kept = math.exp((self._at - now) / self._memory)
        self._calls *= kept
        self._retries *= kept
        self._at = now
