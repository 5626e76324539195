"""How long to wait before trying again. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Delays in seconds: `first`, then twice as long each time up to `cap`.

    What worked for `forgiven_after` seconds before it failed begins at `first` again.
    """

    first: float = 0.1
    cap: float = 5.0
    forgiven_after: float = 10.0

    def next(self, previous: float | None, *, worked_for: float) -> float:
        """Return the delay after `previous` (None: there was none)."""
        if previous is None or worked_for >= self.forgiven_after:
            return self.first
        return min(previous * 2, self.cap)
