"""Of the mistakes that a program plants in the example, docs/lint.md says how many lint finds."""

from __future__ import annotations

import pytest
from lint.planted import KINDS, PAGE, Result, copied, example, found, misspelled, refreshed, results


@pytest.fixture(scope="module")
def collected() -> list[Result]:
    return results()


def test_nothing_is_found_where_nothing_is_planted() -> None:
    with copied(example()):
        assert found() == set()


def test_there_are_many_mistakes_of_many_kinds(collected: list[Result]) -> None:
    assert len(KINDS) >= 10
    assert sum(len(result.planted) for result in collected) >= 50


def test_each_kind_has_a_place_in_the_example(collected: list[Result]) -> None:
    assert [result.kind.name for result in collected if not result.planted] == []


def test_each_mistake_changes_something_and_no_two_are_the_same(collected: list[Result]) -> None:
    files = example()
    planted = [mistake.files for result in collected for mistake in result.planted]
    assert all(text != files[name] for changed in planted for name, text in changed.items())
    assert len({tuple(sorted(changed.items())) for changed in planted}) == len(planted)


def test_what_is_missed_is_explained(collected: list[Result]) -> None:
    unexplained = [
        f"{result.kind.name}: {mistake.what} in {mistake.file}"
        for result in collected
        if not result.kind.blind
        for mistake in result.missed
    ]
    assert unexplained == []


def test_the_page_shows_what_was_found(collected: list[Result]) -> None:
    page = PAGE.read_text("utf-8")
    assert refreshed(page, collected) == page, "run `PYTHONPATH=tests python -m lint.planted`"


@pytest.mark.parametrize(("word", "other"), [("org", "ogr"), ("aal", "ala"), ("aa", "aax")])
def test_a_misspelled_word_is_another(word: str, other: str) -> None:
    assert misspelled(word) == other
