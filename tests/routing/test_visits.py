"""A walk of the trie is bounded by the trie, and a request by a fixed number of walks.

Counted, not timed, on tables that are built to hurt: beginnings that many paths share, with a
literal and captures side by side at each level, and what decides at the very end.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from routing.oracle import Rule
from routing.rulebook import answer, compiled, rule_file

from authorizer.routing import trie as walks
from authorizer.routing.pattern import Rank, parse_path
from authorizer.routing.trie import Node, Shape, Trie

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

WALKS = {False: "_find", True: "_find_folded"}


class Visits:
    """Every place that a walk enters, and how often."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.of: Counter[int] = Counter()
        for name in WALKS.values():
            monkeypatch.setattr(walks, name, self._counted(getattr(walks, name)))

    def _counted(self, walk: Callable[..., Any]) -> Callable[..., Any]:
        def counted(node: Node[str], shape: Shape, depth: int) -> Any:  # noqa: ANN401 - the walk's own
            self.of[id(node)] += 1
            return walk(node, shape, depth)

        return counted

    def walking(self, trie: Trie[str], path: str, *, fold: bool = False) -> int:
        """Return how many places one walk for a path enters."""
        self.of.clear()
        segments = tuple(path.split("/")[1:])
        shape = Shape(segments, segments)
        if fold:
            trie.find_folded(shape)
        else:
            trie.find(shape)
        return self.of.total()


@pytest.fixture
def visits(monkeypatch: pytest.MonkeyPatch) -> Visits:
    return Visits(monkeypatch)


def trie_of(paths: Sequence[str]) -> Trie[str]:
    trie: Trie[str] = Trie()
    for path in paths:
        pattern = parse_path(path)
        node = trie.place(pattern)
        if pattern.segments[-1].rank is Rank.TAIL:
            node.tail = path
        else:
            node.end = path
    return trie


def places(node: Node[str], deepest: int) -> Iterator[Node[str]]:
    """Yield the places that a path of `deepest` segments could enter at all."""
    yield node
    if deepest:
        for child in node.children():
            yield from places(child, deepest - 1)


def count(trie: Trie[str], path: str) -> int:
    return sum(1 for _ in places(trie.root, path.count("/")))


def one_capture_each(depth: int) -> list[str]:
    """`/{x}/a/…/end0`, `/a/{x}/a/…/end1`, …: of each path, another segment is a capture."""
    return [
        "".join("/{x}" if level == number else "/a" for level in range(depth)) + f"/end{number}"
        for number in range(depth)
    ]


def captures_from(depth: int) -> list[str]:
    """`/{x0}/{x1}/…/end`, `/a/{x1}/…/end`, `/a/a/…/end`: captures from some level on."""
    return [
        "/a" * number + "".join(f"/{{x{level}}}" for level in range(number, depth)) + "/end"
        for number in range(depth + 1)
    ]


def every_mixture(depth: int) -> list[str]:
    """All paths of literals and captures: as many as two to the power of `depth`."""
    paths = [""]
    for level in range(depth):
        paths = [path + more for path in paths for more in ("/a", f"/{{x{level}}}")]
    return [f"{path}/end" for path in paths]


@pytest.mark.parametrize("fold", [False, True], ids=["exact", "folded"])
@pytest.mark.parametrize("last", ["other", "end", "end19"])
@pytest.mark.parametrize("depth", [5, 10, 20])
@pytest.mark.parametrize("table", [one_capture_each, captures_from])
def test_what_is_small_is_walked_in_few_steps_however_deep_it_is(
    table: Callable[[int], list[str]], depth: int, last: str, visits: Visits, *, fold: bool
) -> None:
    """With two ways to go at each of 20 levels there are a million ways, but few are there."""
    trie, path = trie_of(table(depth)), "/a" * depth + f"/{last}"
    entered = visits.walking(trie, path, fold=fold)
    assert max(visits.of.values()) == 1, "no place is entered twice"
    assert entered <= count(trie, path) <= (depth + 1) * (depth + 2)


@pytest.mark.parametrize("depth", [1, 4, 10])
def test_the_bound_is_reached_where_every_mixture_is_a_route(depth: int, visits: Visits) -> None:
    """A miss may enter every place that takes it: as many as the routes that nearly fit."""
    trie = trie_of(every_mixture(depth))
    assert visits.walking(trie, "/a" * depth + "/end") == depth + 2
    assert visits.walking(trie, "/a" * depth + "/other") == 2 ** (depth + 1) - 1
    assert visits.walking(trie, "/b" * depth + "/other") == depth + 1


def test_a_place_that_does_not_fit_is_not_entered(visits: Visits) -> None:
    verbs = [f"/things/{{id}}:verb{number}" for number in range(1_000)]
    names = [f"/things/name{number}" for number in range(1_000)]
    trie = trie_of([*verbs, *names, "/things/{n:int}/x", "/things/{s:slug}/x", "/{t...}"])
    assert visits.walking(trie, "/things/7:verb777") == 3
    assert visits.walking(trie, "/things/name77") == 3
    assert visits.walking(trie, "/things/7:Verb777") == 2
    assert visits.walking(trie, "/things/7/y") == 4


KINDS = ("a", "A", "{x}", "{x:int}", "{x:slug}", "{x:uuid}", "{x}:go", "v{x}", "{x:/a+/}")


@st.composite
def tables(draw: st.DrawFn) -> list[str]:
    written = draw(st.lists(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6), max_size=20))
    return [
        "/" + "/".join(piece.replace("x", f"x{level}") for level, piece in enumerate(pieces))
        for pieces in written
    ]


values = st.lists(st.sampled_from(["a", "A", "7", "v7", "v:go", "a:GO", ""]), max_size=7)


@given(paths=tables(), segments=values, fold=st.booleans())
@example(paths=every_mixture(3), segments=["a", "a", "a"], fold=True)
def test_no_walk_of_any_table_enters_a_place_twice(
    paths: list[str], segments: list[str], *, fold: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        visits = Visits(patch)
        trie, path = trie_of(paths), "".join(f"/{segment}" for segment in segments) or "/"
        assert visits.walking(trie, path, fold=fold) <= count(trie, path)
        assert set(visits.of.values()) == {1}


# Ways to read a path beside the plain one: each of six may be done or not, and literals or the
# whole path be left undecoded; with and without a trailing slash; for each of two ways to read an
# encoded slash. See `_plausible` in authorizer/routing/table.py.
MOST_WALKS = 2 * 2 * 3 * 2**6


@pytest.mark.parametrize(
    "path",
    ["/a/b", "/a/%62.x/", "/F/%62%3Bb//01/%2F%41.x.y/", "/f" + "/%62;b//01%2f%41.x" * 50 + "/"],
)
def test_a_request_takes_a_fixed_number_of_walks_whatever_its_url(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    says = frozenset({"empty_segments: allow", "matrix_parameters: keep", "encoded_slash: keep"})
    other = frozenset({*says - {"encoded_slash: keep"}, "encoded_slash: split"})
    rules = [Rule("f", "/{a}/{t...}", says=says), Rule("n", "/{n:int}/Q", says=other)]
    table = compiled(rule_file(*rules))
    asked = 0

    def counted(find: Callable[..., Any]) -> Callable[..., Any]:
        def counting(trie: Trie[Any], shape: Shape) -> Any:  # noqa: ANN401 - the walk's own
            nonlocal asked
            asked += 1
            return find(trie, shape)

        return counting

    monkeypatch.setattr(Trie, "find", counted(Trie.find))
    monkeypatch.setattr(Trie, "find_folded", counted(Trie.find_folded))
    assert answer(table, path) == "f"
    assert 0 < asked <= MOST_WALKS
