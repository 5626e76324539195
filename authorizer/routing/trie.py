"""A trie of path patterns. It knows patterns and readings, not what a route does with them.

The most specific pattern wins, segment by segment from the left; nothing depends on the order in
which patterns were put in.

A walk goes on from a place only where it fits, and comes back where that leads nowhere. It enters
no place twice, so it can never enter more than the trie has: at depth d, no more than the places
there, and no more than k to the power of d where k kinds of segments side by side take one value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from authorizer.routing.mixed import Mixed
from authorizer.routing.pattern import Rank, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.routing.pattern import PathPattern

T = TypeVar("T")
_NO_LITERALS: Final[dict[str, Any]] = {}


class Shape(msgspec.Struct, frozen=True, gc=False):
    """A path as a walk sees it: what literals are compared with, and what other segments are.

    They differ where a reading compares only literals undecoded. `empty_tail`: behind a trailing
    slash, a tail may hold nothing. `lax`: values need not be canonical.
    """

    literals: tuple[str, ...]
    values: tuple[str, ...]
    trailing_slash: bool = False
    empty_tail: bool = False
    lax: bool = False


@dataclass(slots=True)
class Node(Generic[T]):
    """A place in the trie. `end` owns the paths that end here, `slash_end` those with a slash.

    `others` are all segments that are neither literal nor mixed: of each rank one, for any two
    regexes tie. `folded` has the literals that are not their own casefold, by that.
    """

    # Most places have none; those share one that stays empty (4 MiB less for 10,000 routes).
    literals: dict[str, Node[T]] = field(default_factory=lambda: _NO_LITERALS)
    folded: dict[str, list[Node[T]]] = field(default_factory=lambda: _NO_LITERALS)
    mixed: Mixed[Node[T]] | None = None
    others: tuple[tuple[Segment, Node[T]], ...] = ()
    end: T | None = None
    slash_end: T | None = None
    tail: T | None = None

    def add_literal(self, key: str) -> Node[T]:
        """Return the new place of a literal that is not there yet."""
        child: Node[T] = Node()
        if self.literals is _NO_LITERALS:
            self.literals = {}
        self.literals[key] = child
        if key != key.casefold():
            if self.folded is _NO_LITERALS:
                self.folded = {}
            self.folded.setdefault(key.casefold(), []).append(child)
        return child

    def of_any_case(self, text: str) -> Iterator[Node[T]]:
        """Yield the places of all literals that are `text` but for the case of their letters."""
        key = text.casefold()
        if key in self.literals:
            yield self.literals[key]
        yield from self.folded.get(key, ())

    def children(self) -> Iterator[Node[T]]:
        """Yield the places one segment further, the most specific first."""
        yield from (child for _, child in sorted(self.literals.items(), key=lambda item: item[0]))
        yield from (child for _, child in self.mixed or ())
        yield from (child for _, child in self.others)


class Trie(Generic[T]):
    """Patterns, each with the value that owns it."""

    def __init__(self) -> None:
        self.root: Node[T] = Node()
        # Whether a path in lower case may be another's when case is folded.
        self.has_upper = False
        # Whether there are kinds of values that applications take more of than we do.
        self.has_lax = False

    def place(self, pattern: PathPattern) -> Node[T]:
        """Return the node of a pattern, made where it is not there; a tail's is the one before."""
        node = self.root
        for segment in pattern.segments:
            if segment.rank is Rank.TAIL:
                break
            node = self._child(node, segment)
        return node

    def _child(self, node: Node[T], segment: Segment) -> Node[T]:
        self.has_lax |= segment.lax is not None
        self.has_upper |= segment.rank is Rank.REGEX or segment.key != segment.key.casefold()
        if segment.rank is Rank.LITERAL:
            return node.literals.get(segment.key) or node.add_literal(segment.key)
        if segment.rank is Rank.MIXED:
            if node.mixed is None:
                node.mixed = Mixed()
            child = node.mixed.get(segment)
            if child is None:
                child = Node()
                node.mixed.add(segment, child)
            return child
        for known, child in node.others:
            if known.rank is segment.rank and known.key == segment.key:
                return child
        child = Node()
        others = (*node.others, (segment, child))
        node.others = tuple(sorted(others, key=lambda pair: (pair[0].rank, pair[0].key)))
        return child

    def find(self, shape: Shape) -> T | None:
        """Return the most specific owner of a path, or None."""
        return _find(self.root, shape, 0)

    def find_folded(self, shape: Shape) -> list[T]:
        """Return the most specific owners of a path whose letters may be of either case.

        More than one where literals, or the texts of mixed segments, differ only in case.
        """
        return _find_folded(self.root, shape, 0)

    def owners(self) -> Iterator[T]:
        """Yield every owner, the most specific first."""
        return _owners(self.root)


def _end(node: Node[T], shape: Shape) -> T | None:
    if not shape.trailing_slash:
        return node.end
    if node.slash_end is None and shape.empty_tail:
        return node.tail
    return node.slash_end


def _find(node: Node[T], shape: Shape, depth: int) -> T | None:
    values = shape.values
    if depth == len(values):
        return _end(node, shape)
    child = node.literals.get(shape.literals[depth])
    if child is not None and (owner := _find(child, shape, depth + 1)) is not None:
        return owner
    if node.mixed is not None:
        for child in node.mixed.fitting(values[depth]):
            if (owner := _find(child, shape, depth + 1)) is not None:
                return owner
    for segment, child in node.others:
        fits = segment.fits_laxly if shape.lax else segment.fits
        if fits(values[depth]) and (owner := _find(child, shape, depth + 1)) is not None:
            return owner
    return node.tail


def _find_folded(node: Node[T], shape: Shape, depth: int) -> list[T]:
    values = shape.values
    if depth == len(values):
        end = _end(node, shape)
        return [] if end is None else [end]
    owners: list[T] = []
    for child in node.of_any_case(shape.literals[depth]):
        owners += _find_folded(child, shape, depth + 1)
    value = values[depth]
    if node.mixed is not None and not owners:
        for child in node.mixed.fitting_folded(value):
            owners += _find_folded(child, shape, depth + 1)
    for segment, child in node.others:
        if owners:
            break
        if segment.fits_folded(value) or (shape.lax and segment.fits_laxly(value)):
            owners = _find_folded(child, shape, depth + 1)
    return owners or ([] if node.tail is None else [node.tail])


def _owners(node: Node[T]) -> Iterator[T]:
    yield from (owner for owner in (node.end, node.slash_end) if owner is not None)
    for child in node.children():
        yield from _owners(child)
    if node.tail is not None:
        yield node.tail
