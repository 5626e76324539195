"""A trie gives each path to its most specific pattern; what was put in first does not matter."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.routing.pattern import Rank, parse_path
from authorizer.routing.trie import Shape, Trie


def trie_of(*paths: str) -> Trie[str]:
    trie: Trie[str] = Trie()
    for path in paths:
        pattern = parse_path(path)
        node = trie.place(pattern)
        if pattern.segments and pattern.segments[-1].rank is Rank.TAIL:
            node.tail = path
        elif pattern.trailing_slash:
            node.slash_end = path
        else:
            node.end = path
    return trie


def shape(path: str, *, trailing_slash: bool = False) -> Shape:
    segments = tuple(path.split("/")[1:])
    return Shape(segments, segments, trailing_slash)


def test_capture_names_do_not_make_another_place() -> None:
    trie: Trie[str] = Trie()
    assert trie.place(parse_path("/{a}/x/{n:int}")) is trie.place(parse_path("/{b}/x/{m:int}"))
    assert trie.place(parse_path("/{a}:x/y")) is trie.place(parse_path("/{b}:x/y"))
    assert trie.place(parse_path("/{a}")) is not trie.place(parse_path("/{a:slug}"))
    assert trie.place(parse_path("/{a}:x")) is not trie.place(parse_path("/{a}:y"))


@pytest.mark.parametrize(
    "paths", [*itertools.permutations(["/{x}/b", "/a/{y...}", "/a/c", "/{z}/"])]
)
def test_the_order_of_patterns_means_nothing(paths: tuple[str, ...]) -> None:
    trie = trie_of(*paths)
    assert trie.find(shape("/a/b")) == "/a/{y...}"
    assert trie.find(shape("/a/c")) == "/a/c"
    assert trie.find(shape("/q/b")) == "/{x}/b"
    assert trie.find(shape("/a")) is None
    assert trie.find(shape("/a", trailing_slash=True)) == "/{z}/"


def test_owners_come_with_the_most_specific_first() -> None:
    paths = ["/", "/a", "/a/", "/a/{x...}", "/b", "/{x}:go", "/{x:int}", "/{x}", "/{x...}"]
    assert list(trie_of(*reversed(paths)).owners()) == paths


def test_literals_and_other_segments_may_look_at_different_texts() -> None:
    trie = trie_of("/admin/{n:int}", "/{x}/{n:int}")
    assert trie.find(Shape(("%61dmin", "%37"), ("admin", "7"))) == "/{x}/{n:int}"
    assert trie.find(Shape(("%61dmin", "%37"), ("%61dmin", "%37"))) is None


def test_folding_finds_all_that_differ_only_in_case_and_only_the_most_specific() -> None:
    trie = trie_of("/Admin/x", "/admin/x", "/{a}/x")
    assert sorted(trie.find_folded(shape("/ADMIN/x"))) == ["/Admin/x", "/admin/x"]
    assert trie.find_folded(shape("/other/X")) == ["/{a}/x"]
    assert trie.find_folded(shape("/other/y")) == []
    verbs = trie_of("/{a}:Go", "/{a}:go", "/{a}")
    assert sorted(verbs.find_folded(shape("/x:GO"))) == ["/{a}:Go", "/{a}:go"]


@pytest.mark.parametrize(
    ("paths", "expected"),
    [(["/a/{X}"], False), (["/A"], True), (["/{x}:Go"], True), (["/{x:/[[:upper:]]/}"], True)],
)
def test_folding_a_path_in_lower_case_is_for_nothing_where_no_pattern_has_capitals(
    paths: list[str], *, expected: bool
) -> None:
    assert trie_of(*paths).has_upper is expected


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["/a"], False),
        (["/{n:int}"], True),
        (["/{n:int}", "/a"], True),
        (["/a", "/{u:uuid}"], True),
    ],
)
def test_one_kind_that_applications_take_more_of_is_remembered(
    paths: list[str], *, expected: bool
) -> None:
    assert trie_of(*paths).has_lax is expected


@given(st.lists(st.sampled_from(["a", "A", "b", "7"]), max_size=4))
def test_what_is_found_is_found_when_case_is_folded_or_something_as_specific(
    segments: list[str],
) -> None:
    trie = trie_of("/a", "/A/b", "/{x}/{n:int}", "/{s:slug}/b", "/a/{t...}", "/")
    asked = Shape(tuple(segments), tuple(segments))
    if trie.find(asked) is not None:
        assert trie.find_folded(asked)


def test_a_walk_does_not_look_at_every_route() -> None:
    """Beside ten thousand routes, a path is compared with those that share its beginning."""
    trie = trie_of(*(f"/{n}/x" for n in range(10_000)), "/{a}/{n:int}")
    assert len(trie.root.literals) == 10_000
    assert len(trie.root.others) == 1
    assert trie.find(shape("/77/x")) == "/77/x"
    assert trie.find(shape("/77/5")) == "/{a}/{n:int}"


def test_the_longest_pattern_is_found() -> None:
    path = "/a" * 100
    trie = trie_of(path, "/{x...}")
    assert trie.find(shape(path)) == path
    assert trie.find(shape("/a" * 5_000)) == "/{x...}"
    assert trie.find_folded(shape("/A" * 5_000)) == ["/{x...}"]
