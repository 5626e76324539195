"""What a PDP answered before, for a route that lets an answer be used again (`cache`).

It knows no PDP and no route. Whoever asks looks here first, and brings here what was answered.
"""

from __future__ import annotations

import sys
import time
import weakref
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from authorizer.bounded import Bounded
from authorizer.pdp.checktext import text_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from authorizer.model import AuxData, Check, CheckResult, PdpAnswer, Principal

DEFAULT_LIMIT: Final = 16 * 1024 * 1024

# All that an answer depends on, compared as a whole: nobody can collide into another's. A principal
# is equal to itself alone (id, roles and attributes never change, and no two snapshots share one).
# Referred to weakly, it is nobody's memory but that of whoever keeps principals; once it is gone,
# nothing equals the reference to it any more.
_Key: TypeAlias = "tuple[weakref.ref[Principal], AuxData | None, bytes]"

# What an entry takes beside what it holds: the key, the table, the reference. Measured.
_ENTRY: Final = 768


class Asked(msgspec.Struct, frozen=True):
    """A question, as it is asked: what it depends on, when, and since which clearing."""

    key: _Key
    at: float
    generation: int


class KeptAnswers:
    """Keeps answers; what was not used for longest goes first.

    `limit` is in bytes of memory, estimated so that it errs upwards. An age is measured by
    `monotonic`, from when the question was asked; whether a JWT is over is seen by `now` (Unix
    time). Both are in seconds.
    """

    def __init__(
        self,
        limit: int = DEFAULT_LIMIT,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.hits = 0
        self.misses = 0
        self._monotonic: Final = monotonic
        self._now: Final = now
        self._generation = 0
        self._entries: Bounded[_Key, _Entry] = Bounded(limit)

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def size(self) -> int:
        """The bytes that are kept, by the same estimate as the limit."""
        return self._entries.size

    @property
    def generation(self) -> int:
        """How often it was cleared: no two questions of different ones may share an answer."""
        return self._generation

    def ask(self, principal: Principal, checks: Sequence[Check]) -> Asked | None:
        """Return a question to look up, and to keep the answer to; None: it cannot be kept."""
        text = text_of(checks)
        if text is None:
            return None
        key = (weakref.ref(principal.bare), principal.aux_data, text)
        return Asked(key, self._monotonic(), self._generation)

    def find(self, asked: Asked, max_age: float) -> tuple[PdpAnswer, float] | None:
        """Return the answer that was kept, and its age, which is less than `max_age` seconds.

        None where there is none, or the question's JWT is over.
        """
        entry = self._entries.peek(asked.key)
        if entry is not None:
            age = asked.at - entry.at
            if age < max_age and not self._is_over(asked):
                self._entries.use(asked.key)
                self.hits += 1
                return entry.answer, age
        self.misses += 1
        return None

    def keep(self, asked: Asked, answer: PdpAnswer, request_id: str) -> None:
        """Keep an answer, unless all was cleared since it was asked for.

        `request_id` is what the PDP was asked with, where the answer does not say so itself.
        """
        if asked.generation != self._generation:
            return
        named = replace(answer, request_id=answer.request_id or request_id)
        self._entries.put(asked.key, _Entry(named, asked.at), _size(asked.key, named))

    def clear(self) -> None:
        """Forget all; what was asked until now is not kept when it is answered."""
        self._generation += 1
        self._entries.clear()

    def _is_over(self, asked: Asked) -> bool:
        aux_data = asked.key[1]
        if aux_data is None or aux_data.expires_at is None:
            return False
        return self._now() >= aux_data.expires_at


class _Entry(msgspec.Struct, frozen=True, gc=False):
    answer: PdpAnswer
    at: float


def _size(key: _Key, answer: PdpAnswer) -> int:
    _, aux_data, text = key
    tokens = 0 if aux_data is None else 256 + len(aux_data.jwt)
    named = 2 * 64 + len(answer.call_id) + len(answer.request_id)
    return _ENTRY + len(text) + tokens + named + sum(map(_size_of_result, answer.results))


def _size_of_result(result: CheckResult) -> int:
    values = (result.outputs, result.validation_errors)
    return 256 + sum(map(_size_of_value, values))


def _size_of_value(value: Any) -> int:  # noqa: ANN401 - whatever JSON can say
    size = sys.getsizeof(value)
    if isinstance(value, dict):
        size += sum(map(_size_of_value, value)) + sum(map(_size_of_value, value.values()))
    elif isinstance(value, list | tuple):
        size += sum(map(_size_of_value, value))
    return size
