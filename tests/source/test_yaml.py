"""YAML is read as one value with the place of everything in it, or refused with every reason."""

from __future__ import annotations

import json
import os
import time
import weakref
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from authorizer.errors import Problem, SourceError
from authorizer.source import yaml as source_yaml
from authorizer.source.compose import MAX_DEPTH, Composer
from authorizer.source.document import detached
from authorizer.source.yaml import Document, load_yaml, read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from authorizer.source.document import Value


@pytest.fixture(params=["CSafeLoader", "SafeLoader"], autouse=True)
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every promise holds with libyaml, and where PyYAML was built without it."""
    name: str = request.param
    monkeypatch.setattr(source_yaml, "_Loader", getattr(yaml, name))
    return name


def problems(text: str | bytes) -> list[Problem]:
    with pytest.raises(SourceError) as refused:
        load_yaml(text, "a.yaml")
    return list(refused.value.problems)


def refusals(text: str | bytes) -> list[str]:
    return [str(problem) for problem in problems(text)]


def test_places_are_found_when_asked_for_and_outlive_the_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[bool] = []
    composed = source_yaml._composed

    def counted(text: str, name: str, *, marked: bool) -> Composer:
        asked.append(marked)
        return composed(text, name, marked=marked)

    monkeypatch.setattr(source_yaml, "_composed", counted)
    document = load_yaml("a: [1, 2]", "a.yaml")
    places, gone = document.places, weakref.ref(document)
    assert asked == [False]
    del document
    assert gone() is None
    assert str(places.place(("a", 1))) == "a.yaml:1:8"
    assert str(places.place(("a",), key=True)) == "a.yaml:1:1"
    assert asked == [False, True]


def test_a_text_that_stands_many_times_is_one_object() -> None:
    value: Any = load_yaml("[{kind: document}, {kind: document}]", "").value
    one, other = value
    assert one["kind"] is other["kind"]
    assert next(iter(one)) is next(iter(other))


@given(st.text(st.characters(), min_size=2))
def test_a_detached_text_is_an_equal_one_and_another_object(text: str) -> None:
    copy = detached(text)
    assert copy == text
    assert copy is not text


RULES = """\
version: 1
routes:
  - id: "é.item"
    match: {path: /a, methods: [GET]}
  - &b
    id: b
  - *b
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        ((), (1, 1), (1, 1)),
        (("version",), (1, 10), (1, 1)),
        (("routes",), (3, 3), (2, 1)),
        (("routes", 0), (3, 5), (3, 5)),
        (("routes", 0, "id"), (3, 9), (3, 5)),
        (("routes", 0, "match", "path"), (4, 19), (4, 13)),
        (("routes", 0, "match", "methods", 0), (4, 33), (4, 33)),
        (("routes", 1), (5, 5), (5, 5)),
        (("routes", 2), (7, 5), (7, 5)),
        (("routes", 2, "id"), (6, 9), (6, 5)),
        (("routes", 0, "nope", "deeper"), (3, 5), (3, 5)),
        (("routes", 9), (3, 3), (3, 3)),
        (("version", "deeper"), (1, 10), (1, 10)),
    ],
)
def test_each_value_and_key_has_its_place(
    path: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    """An alias has its own; what is inside it stays where it is written."""
    document = load_yaml(RULES, "a.yaml")
    found = document.place(path)
    assert (found.source, found.line, found.column) == ("a.yaml", *value)
    found = document.place(path, key=True)
    assert (found.line, found.column) == key


def test_a_problem_reads_as_a_sentence_with_its_place() -> None:
    document = load_yaml(RULES, "a.yaml")
    problem = document.problem(["routes", 1, "id"], "is taken", "choose another")
    assert str(problem) == "a.yaml:6:9: is taken (choose another)"
    assert str(document.place([])) == "a.yaml:1:1"


@pytest.mark.parametrize("text", ["", "---\n", "# only words\n", "\n\n"])
def test_an_empty_file_is_none(text: str) -> None:
    document = load_yaml(text, "a.yaml")
    assert document.value is None
    assert document.place(["a", 0]) == document.place([])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [1, 2.5, yes please, 'NO']", {"a": [1, 2.5, "yes please", "NO"]}),
        ("a: |\n  NO\nb: >-\n  x\n  y\n", {"a": "NO\n", "b": "x y"}),
        ('{"a": "\\/\\u00e9", "b": [{}, []], "c": -0.5e1}', {"a": "/é", "b": [{}, []], "c": -5.0}),
        ("a:\nb: ~\n", {"a": None, "b": None}),
        (
            "a: &x {k: v}\nb: *x\nc: &y s\nd: *y",
            {"a": {"k": "v"}, "b": {"k": "v"}, "c": "s", "d": "s"},
        ),
        ("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}),
        ("a: 1\r\nb: 2\r\n", {"a": 1, "b": 2}),
        ("text", "text"),
    ],
)
def test_what_is_unambiguous_is_read(text: str, value: object) -> None:
    assert load_yaml(text, "a.yaml").value == value
    assert load_yaml(text.encode(), "a.yaml").value == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: NO", 'a.yaml:1:4: `NO` is a boolean in YAML 1.1 (write "NO" or false)'),
        ("NO: x", 'a.yaml:1:1: `NO` as a key is a boolean in YAML 1.1 (write "NO")'),
        ("1: x", 'a.yaml:1:1: a key is a string, and `1` is not (write "1")'),
        ("? [a]\n: x", "a.yaml:1:3: a key is a string, and this is a collection (write a string)"),
        ("? \n: x", "a.yaml:1:2: a key is missing"),
        ("a: 1\nb: 2\na: 3", "a.yaml:3:1: `a` is there twice, first in line 1"),
        (
            "a: &x {k: v}\nb:\n  <<: *x\n",
            (
                "a.yaml:3:3: merge keys are not allowed; YAML 1.2 has none"
                " (write the keys out, or give a whole value by an alias)"
            ),
        ),
        (
            "a: !!python/object/apply:os.system [id]",
            (
                "a.yaml:1:4: the tag `tag:yaml.org,2002:python/object/apply:os.system` is"
                " not allowed (leave it out; text is put in quotes)"
            ),
        ),
        (
            "a: !x y",
            "a.yaml:1:4: the tag `!x` is not allowed (leave it out; text is put in quotes)",
        ),
        ("a: *x", "a.yaml:1:4: the alias `*x` has no anchor `&x` before it"),
        ("a: &x [*x]", "a.yaml:1:8: `*x` repeats what it is itself a part of"),
        ("a: &x 1\nb: &x 2", "a.yaml:2:4: the anchor `&x` is there twice (give each its own name)"),
        ("&x a: 1", "a.yaml:1:1: a key cannot have an anchor (leave it out)"),
        ("- &x a\n- *x : 1", "a.yaml:2:3: an alias cannot be a key (write the key out)"),
        (
            "a: 1\n---\nb: 2",
            "a.yaml:2:1: a second document starts here (put it into a file of its own)",
        ),
        ("é:\n\t- b", "a.yaml:2:1: a tab cannot stand here (indent with spaces)"),
        (
            "\ufeffa: 1",
            "a.yaml:1:1: starts with a byte order mark (save the file as UTF-8 without BOM)",
        ),
        (
            "a: 1\nb: 'x\u202ey'",
            (
                "a.yaml:2:6: holds the invisible character U+202E"
                ' (remove it, or write it as "\\u202e" in double quotes)'
            ),
        ),
        (b"a: 1\nb: \xff", "a.yaml:2:4: is not UTF-8 (save the file as UTF-8)"),
        ("[" * 100_000, f"a.yaml:1:65: is nested more than {MAX_DEPTH} levels deep"),
    ],
)
def test_what_could_mean_two_things_is_refused_in_its_place(
    text: str | bytes, expected: str
) -> None:
    assert refusals(text) == [expected]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a: b: c", 1, 5),
        ("a: @b", 1, 4),
        ("a: 1\nb: 'x", 2, 6),
        ("a:\n- b\n c: d", 3, 3),
        ("a: [1, 2\nb: 3", 2, 2),
    ],
)
def test_what_is_no_yaml_is_refused_where_it_stops_being_it(
    text: str, line: int, column: int
) -> None:
    (found,) = problems(text)
    # The two parsers differ by one column here and there.
    assert (found.line, abs(found.column - column) <= 1) == (line, True)
    assert found.hint


def test_all_problems_of_a_file_are_told_at_once_in_its_order() -> None:
    text = "a: NO\nb: {c: 010, c: 1}\n7: x\nd: !t x\ne: [1:30,\n"
    places = [(problem.line, problem.column) for problem in problems(text)]
    assert places[:5] == [(1, 4), (2, 8), (2, 13), (3, 1), (4, 4)]
    assert places == sorted(places)
    assert places[-1][0] >= 5


def test_aliases_cannot_make_a_small_file_large() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert "aliases repeat more than" in refusals("\n".join(lines))[0]


def test_aliases_cannot_nest_deeper_than_the_text_may() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 100)]
    assert "levels deep" in refusals("\n".join(lines))[0]


def test_half_a_surrogate_pair_is_refused() -> None:
    assert refusals('a: "\\ud83d"')
    assert refusals("a: \ud83d")


def test_a_file_that_is_too_large_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_yaml, "MAX_BYTES", 1024 * 1024)
    assert refusals(b" " * (1024 * 1024 + 1)) == ["a.yaml: is larger than 1 MiB"]


def test_a_binary_file_is_refused_in_a_few_lines() -> None:
    assert len(refusals("\x00" * 100_000)) == 10


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    document = read_yaml(tmp_path / "a.yaml")
    assert document.value == {"a": 1}
    assert document.name == str(tmp_path / "a.yaml")
    assert read_yaml(tmp_path / "a.yaml", "a.yaml").name == "a.yaml"


def test_what_cannot_be_read_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, message in (
        (tmp_path / "none.yaml", "cannot be read: No such file or directory"),
        (tmp_path, "is not a regular file"),
        (tmp_path / "pipe", "is not a regular file"),
    ):
        with pytest.raises(SourceError) as refused:
            read_yaml(path)
        assert str(refused.value) == f"{path}: {message}"


# Text without the characters that are refused as they are.
_TEXT = st.text(
    st.characters(
        exclude_categories=("Cs", "Cc", "Zl", "Zp"), exclude_characters="\ufeff\ufffe\uffff"
    ).filter(lambda character: not ("\u202a" <= character <= "\u2069")),
    max_size=20,
)
_VALUES: st.SearchStrategy[Value] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | _TEXT
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=20,
)


# A fixture of one value for all examples of a test is what is wanted: see `parser`.
@pytest.mark.parametrize("indent", [None, 2])
def test_every_json_document_is_read_as_json(parser: str, indent: int | None) -> None:
    @given(_VALUES)
    def holds(value: Value) -> None:
        text = json.dumps(value, indent=indent, ensure_ascii=False)
        assert load_yaml(text, "a.json").value == value

    assert parser
    holds()


def test_any_bytes_are_a_document_or_a_source_error(parser: str) -> None:
    @given(
        st.binary(max_size=60)
        | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
        | st.text("&*!|>%@`-?:,[]{}#'\"\\ \n\tab1~<=", max_size=60).map(str.encode)
    )
    def holds(content: bytes) -> None:
        try:
            document = load_yaml(content, "a.yaml")
        except SourceError as refused:
            places = [(problem.line, problem.column) for problem in refused.problems]
            assert places
            assert places == sorted(places)
        else:
            for path in _paths(document.value):
                assert document.place(path).line >= 1

    assert parser
    holds()


def _paths(value: Value, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children: list[tuple[str | int, Value]] = []
    if isinstance(value, dict):
        children = list(value.items())
    elif isinstance(value, list):
        children = list(enumerate(value))
    return [path, *(found for key, inner in children for found in _paths(inner, (*path, key)))]


def test_every_place_is_where_the_text_of_the_value_begins(parser: str) -> None:
    @given(_VALUES)
    def holds(value: Value) -> None:
        text = json.dumps(value, indent=1, ensure_ascii=False)
        lines = text.split("\n")
        document: Document = load_yaml(text, "a.json")
        for path in _paths(value):
            place = document.place(path)
            inner = value
            for step in path:
                inner = inner[step]  # type: ignore[index] # as the path says
            begins = json.dumps(inner, indent=1, ensure_ascii=False).split("\n")[0]
            assert lines[place.line - 1][place.column - 1 :].startswith(begins)

    assert parser
    holds()


def test_ten_thousand_routes_load_in_a_few_seconds(parser: str) -> None:
    if parser != "CSafeLoader":
        pytest.skip("the parser in Python is for machines without libyaml")
    route = """\
  - id: documents.{n}
    match: {{path: "/orgs/{{org}}/documents{n}/{{id}}"}}
    resource:
      kind: document
      id: "${{path.id}}"
      scope: "${{path.org}}"
      attr: {{organization: "${{path.org}}", tenant: 12}}
    actions: {{GET: view, PATCH: edit, DELETE: delete}}
"""
    text = "routes:\n" + "".join(route.format(n=number) for number in range(10_000))
    started = time.process_time()
    document = load_yaml(text, "a.yaml")
    assert time.process_time() - started < 5
    assert document.place(["routes", 9_999, "actions"]).line == 80_001
