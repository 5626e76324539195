"""Files of other programs are read as those read them, and never run."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.errors import SourceError
from authorizer.lint.foreign import load_foreign


def values(text: str) -> list[object]:
    return [document.value for document in load_foreign(text, "a.yaml")]


def test_documents_merge_keys_and_repeated_anchors_are_allowed() -> None:
    text = "a: &x {b: 1, c: [2]}\n---\na: &x {b: 1}\nd: {<<: *x, b: 3}\n---\n"
    assert values(text) == [{"a": {"b": 1, "c": [2]}}, {"a": {"b": 1}, "d": {"b": 3}}]


def test_what_is_merged_in_keeps_its_own_place() -> None:
    [document] = load_foreign("a: &x\n  b: 1\nd:\n  <<: *x\n", "a.yaml")
    assert document.value == {"a": {"b": 1}, "d": {"b": 1}}
    assert document.place(("d", "b")).line == 2


def test_words_that_only_yaml_1_1_takes_for_booleans_stay_words() -> None:
    assert values("[NO, on, true, ~, 12, 0x1f, 1.5]") == [
        ["NO", "on", True, None, 12, "0x1f", "1.5"]
    ]


@pytest.mark.parametrize("text", ["a: [", "a: *nowhere", "\tb", "!!python/name:os.system x: ["])
def test_what_cannot_be_read_says_where(text: str) -> None:
    with pytest.raises(SourceError) as raised:
        values(text)
    assert raised.value.problems[0].source == "a.yaml"


@pytest.mark.parametrize(
    "text", ['expr: "a" in P.attr.b', "expr: P.attr.a ? 1 : 2", "expr: [1, 2].exists(x, x)"]
)
def test_an_expression_that_yaml_takes_for_more_is_told_how_to_be_written(text: str) -> None:
    with pytest.raises(SourceError) as raised:
        values(text)
    [problem] = raised.value.problems
    assert "below `>-`" in problem.hint


def test_a_tag_of_pythons_runs_nothing() -> None:
    assert values("a: !!python/object/apply:os.getcwd []") == [{"a": []}]


def test_laughs_and_circles_end() -> None:
    laughs = "a: &a [x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(9)
    )
    assert len(values(laughs)) == 1
    with pytest.raises(SourceError):
        values("&a [*a]")
    with pytest.raises(SourceError):
        values("[" * 5000 + "]" * 5000)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    with contextlib.suppress(SourceError):
        load_foreign(content, "a.yaml")
