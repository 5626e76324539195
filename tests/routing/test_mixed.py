"""Mixed segments in one place: found by their ends, as if each had been tried."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from authorizer.routing.mixed import Mixed
from authorizer.routing.pattern import Rank, overlap, parse_path

if TYPE_CHECKING:
    import random

    from authorizer.routing.pattern import Segment

texts = st.text("abA\u00df:.", max_size=3)
inner = st.text("abA\u00df:.", min_size=1, max_size=2)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    first, last = draw(texts), draw(texts)
    between = draw(st.lists(inner, max_size=2))
    names = [f"{{n{number}}}" for number in range(len(between) + 1)]
    pieces = [text for pair in zip(names, [*between, last], strict=True) for text in pair]
    return mixed("".join([first, *pieces]) if first or last or between else "{n0}:x")


def mixed(text: str) -> Segment:
    (segment,) = parse_path(f"/{text}").segments
    assert segment.rank is Rank.MIXED
    return segment


def of(chosen: list[Segment]) -> Mixed[str]:
    found: Mixed[str] = Mixed()
    for segment in chosen:
        found.add(segment, segment.key)
    return found


sets = st.lists(segments(), max_size=8, unique_by=lambda segment: segment.key)


@given(sets, st.text("abA\u00dfs:.", max_size=8))
def test_a_value_finds_exactly_the_segments_that_it_fits(chosen: list[Segment], value: str) -> None:
    found = of(chosen)
    fitting = [segment.key for segment in chosen if segment.fits(value)]
    assert sorted(found.fitting(value)) == sorted(fitting)
    folded = [segment.key for segment in chosen if segment.fits_folded(value)]
    assert sorted(found.fitting_folded(value)) == sorted(folded)


@given(sets)
def test_overlaps_are_all_pairs_that_overlap_each_once(chosen: list[Segment]) -> None:
    pairs = [tuple(sorted((one[1], other[1]))) for one, other in of(chosen).overlaps()]
    expected = [
        tuple(sorted((one.key, other.key)))
        for one, other in combinations(chosen, 2)
        if overlap(one, other)
    ]
    assert sorted(pairs) == sorted(expected)


@given(sets, st.randoms(use_true_random=False))
def test_the_order_in_which_they_were_put_in_means_nothing(
    chosen: list[Segment], rng: random.Random
) -> None:
    shuffled = list(chosen)
    rng.shuffle(shuffled)
    one, other = of(chosen), of(shuffled)
    assert list(one) == list(other)
    assert list(one.overlaps()) == list(other.overlaps())
    for value in ("a:b", "ab", "A.a", "aa:a"):
        assert list(one.fitting(value)) == list(other.fitting(value))
        assert list(one.fitting_folded(value)) == list(other.fitting_folded(value))


def test_a_known_segment_is_found_by_its_key() -> None:
    found = of([mixed("{a}:go"), mixed("v{n}")])
    assert found.get(mixed("{other}:go")) == "{}:go"
    assert found.get(mixed("{a}:Go")) is None


def test_a_value_that_would_leave_nothing_to_capture_is_compared_with_none() -> None:
    found = of([mixed("v{n}:go")])
    assert list(found._exact.around("v:go")) == []
    assert len(list(found._exact.around("v7:go"))) == 1


def test_of_ten_thousand_verbs_a_value_is_compared_with_one() -> None:
    verbs = of([mixed(f"{{id}}:verb{number}") for number in range(10_000)])
    assert len(list(verbs._exact.around("7:verb4711"))) == 1
    assert list(verbs.fitting("7:verb4711")) == ["{}:verb4711"]
    assert list(verbs.fitting("7:verb10000")) == []
    assert list(verbs.overlaps()) == []
