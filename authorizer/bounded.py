"""What is kept for the next time, in so much memory and no more."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Hashable

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")


class Bounded(Generic[K, V]):
    """Keeps values of which each says how many bytes it takes; unused for longest goes first."""

    def __init__(self, limit: int) -> None:
        self._limit: Final = limit
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self.size = 0

    def __len__(self) -> int:
        return len(self._entries)

    def peek(self, key: K) -> V | None:
        """Return what is kept, if anything; that is no use of it."""
        entry = self._entries.get(key)
        return None if entry is None else entry[0]

    def use(self, key: K) -> None:
        """Let it be the last to go. It must be there."""
        self._entries.move_to_end(key)

    def put(self, key: K, value: V, size: int) -> None:
        """Keep it, in place of what was there; a value that is larger than all room is not kept."""
        if size > self._limit:
            return
        if (former := self._entries.pop(key, None)) is not None:
            self.size -= former[1]
        self._entries[key] = (value, size)
        self.size += size
        while self.size > self._limit:
            _, (_, freed) = self._entries.popitem(last=False)
            self.size -= freed

    def clear(self) -> None:
        """Keep nothing of it any more."""
        self._entries.clear()
        self.size = 0
