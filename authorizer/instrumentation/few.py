"""Of events that may come by the thousand, a few are passed on, and a number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

# So many are passed on in each second.
PASSED_ON: Final = 10
_SECOND: Final = 1.0


class Few:
    """Lets ten events a second pass; `say_more` hears how many more there were, at its end.

    A second begins with the first event after the one before. All happens on the event loop.
    """

    def __init__(self, say_more: Callable[[int], None]) -> None:
        self._say_more = say_more
        self._seen = 0

    def passes(self) -> bool:
        """Count one event, and say whether it is one of the few."""
        if not self._seen:
            asyncio.get_running_loop().call_later(_SECOND, self._sum_up)
        self._seen += 1
        return self._seen <= PASSED_ON

    def _sum_up(self) -> None:
        more, self._seen = self._seen - PASSED_ON, 0
        if more > 0:
            self._say_more(more)
