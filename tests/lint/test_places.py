"""What is inside a string of YAML is found in the lines that it is written in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from authorizer.lint.foreign import load_foreign
from authorizer.lint.places import Sources
from authorizer.source.document import Place

if TYPE_CHECKING:
    from pathlib import Path

FORMS = [
    "a: one && two && three",
    "a: 'one && two && three'",
    'a: "one && two && three"',
    "a: one &&\n  two\n  && three",
    "a: 'one &&\n\n  two\n  && three'",
    "a: >-\n  one &&\n  two &&\n  three",
    "a: >\n\n  one &&\n\n  two &&\n    three\n",
    "a: |\n  one &&\n    two &&\n  three\nb: 1",
    "a: &x |2-\n    one &&\n  two && three",
    "- a: >- # why\n    one && two\n    && three",
]


@pytest.mark.parametrize("text", FORMS)
@pytest.mark.parametrize("word", ["one", "two", "three"])
def test_a_word_of_a_value_is_found_where_it_is_written(
    tmp_path: Path, text: str, word: str
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(text)
    [document] = load_foreign(text, str(file))
    path = (0, "a") if text.startswith("-") else ("a",)
    loaded = yaml.safe_load(text)
    value = loaded[0]["a"] if isinstance(loaded, list) else loaded["a"]
    place = Sources().inside(document.place(path), value, value.index(word))
    # The beginning of a value in quotes is its quote.
    shown = text.split("\n")[place.line - 1][place.column - 1 :].lstrip("\"'")
    assert shown.startswith(word)


def test_where_a_text_is_written_with_escapes_over_lines_it_is_where_it_starts(
    tmp_path: Path,
) -> None:
    file = tmp_path / "a.yaml"
    file.write_text('a: "\\x41\n  b"')
    place = Place(str(file), 1, 4)
    assert Sources().inside(place, "A b", 2) == place


def test_what_a_message_quotes_is_found_in_a_block_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: >-\n  one &&\n  two\nb: two\n")
    sources, block = Sources(), Place(str(file), 1, 4)
    assert sources.quoted(block, "undeclared reference to 'two'") == Place(str(file), 3, 3)
    assert sources.quoted(block, "undeclared reference to 'b'") == Place(str(file), 2, 3)
    plain = Place(str(file), 4, 4)
    assert sources.quoted(plain, "undeclared reference to 'one'") == plain
