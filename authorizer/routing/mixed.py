"""Mixed segments in one place of a path: `{id}:archive`, `v{major}`, `{a}.{b}`.

APIs have hundreds of `{id}:verb` in one place. They are found by the texts that they begin and end
with, so that a value is compared with one or two of them rather than with all.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import TypeAlias

    from authorizer.routing.pattern import Segment

V = TypeVar("V")
# A segment's last text from its end to its beginning, and its key.
_Ending: TypeAlias = "tuple[str, str]"


class Mixed(Generic[V]):
    """Mixed segments, each with a value. Nothing depends on the order in which they were put in."""

    __slots__ = ("_exact", "_folded", "_known")

    def __init__(self) -> None:
        self._known: dict[str, tuple[Segment, V]] = {}
        self._exact: _Ends[V] = _Ends()
        # Those whose two texts are not their own casefold, by that.
        self._folded: _Ends[V] = _Ends()

    def __iter__(self) -> Iterator[tuple[Segment, V]]:
        """Yield every segment with its value, in the order of their keys."""
        return (self._known[key] for key in sorted(self._known))

    def get(self, segment: Segment) -> V | None:
        """Return the value of a segment with this key, or None."""
        entry = self._known.get(segment.key)
        return None if entry is None else entry[1]

    def add(self, segment: Segment, value: V) -> None:
        """Put in a segment that is not there yet."""
        entry = self._known[segment.key] = (segment, value)
        first, last = segment.texts[0], segment.texts[-1]
        self._exact.add(first, last, entry)
        folded = first.casefold(), last.casefold()
        if folded != (first, last):
            self._folded.add(*folded, entry)

    def fitting(self, text: str) -> Iterator[V]:
        """Yield the value of each segment that a decoded segment of a path fits."""
        for segment, value in self._exact.around(text):
            if segment.fits(text):
                yield value

    def fitting_folded(self, text: str) -> Iterator[V]:
        """Yield the value of each segment that fits when letters of either case are the same."""
        folded = text.casefold()
        for ends in (self._exact, self._folded):
            for segment, value in ends.around(folded):
                if segment.fits_folded(text):
                    yield value

    def overlaps(self) -> Iterator[tuple[tuple[Segment, V], tuple[Segment, V]]]:
        """Yield each two that some value fits both of (see `pattern.overlap`), once.

        Their first texts agree as far as both go, and so do their last ones: looked up, as ten
        thousand segments are fifty million pairs.
        """
        endings: dict[str, list[_Ending]] = defaultdict(list)
        for key, (segment, _) in self._known.items():
            insort(endings[segment.texts[0]], (segment.texts[-1][::-1], key))
        for key in sorted(self._known):
            entry = self._known[key]
            first, last = entry[0].texts[0], entry[0].texts[-1][::-1]
            for size in range(len(first) + 1):
                for other in _agreeing(endings.get(first[:size], ()), last):
                    if size < len(first) or other < key:
                        yield entry, self._known[other]


def _agreeing(endings: Sequence[_Ending], last: str) -> Iterator[str]:
    """Yield the key of each ending that begins with `last`, or that `last` begins with."""
    for size in range(len(last) + 1):
        at = bisect_left(endings, (last[:size], ""))
        while at < len(endings) and (
            endings[at][0] == last[:size] if size < len(last) else endings[at][0].startswith(last)
        ):
            yield endings[at][1]
            at += 1


class _Ends(Generic[V]):
    """Segments by their first and their last text."""

    __slots__ = ("_by_ends", "_lengths")

    def __init__(self) -> None:
        self._by_ends: dict[tuple[str, str], list[tuple[Segment, V]]] = {}
        # How long the two texts are; few lengths differ, however many segments there are.
        self._lengths: tuple[tuple[int, int], ...] = ()

    def add(self, first: str, last: str, entry: tuple[Segment, V]) -> None:
        lengths = {*self._lengths, (len(first), len(last))}
        self._lengths = _shared(tuple(sorted(lengths)))
        insort(self._by_ends.setdefault((first, last), []), entry, key=lambda one: one[0].key)

    def around(self, text: str) -> Iterator[tuple[Segment, V]]:
        """Yield the segments whose two texts a value begins and ends with, and has more between."""
        for ahead, behind in self._lengths:
            inner = len(text) - behind
            if ahead < inner:
                yield from self._by_ends.get((text[:ahead], text[inner:]), ())


@lru_cache(maxsize=1_024)
def _shared(lengths: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return one object for all places whose texts are as long: so it is in a processor's cache."""
    return lengths
