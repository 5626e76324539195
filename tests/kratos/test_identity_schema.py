"""An identity schema is read from wherever Kratos would read it, and refused with a place."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from identityschemas import written

from authorizer.errors import SourceError
from authorizer.kratos.identity_schema import read_identity_schema
from authorizer.kratos.traits import traits_of

if TYPE_CHECKING:
    from pathlib import Path

PERSON = written({"type": "object", "properties": {"email": {"type": "string"}}})


def refused(source: str) -> str:
    with pytest.raises(SourceError) as caught:
        traits_of(read_identity_schema(source))
    (problem,) = caught.value.problems
    return str(problem)


def test_the_three_forms_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`file://` is relative to the working directory, as it is to Kratos's."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a person.json").write_text(PERSON)
    encoded = base64.b64encode(PERSON.encode()).decode()
    sources = ["a person.json", "file://a%20person.json", f"file://{tmp_path}/a%20person.json"]
    for source in [*sources, f"base64://{encoded}"]:
        assert list(traits_of(read_identity_schema(source))) == ["email"]


def test_a_schema_is_called_by_its_file_or_its_number(tmp_path: Path) -> None:
    (tmp_path / "person.json").write_text(PERSON)
    assert read_identity_schema(f"file://{tmp_path}/person.json").name == f"{tmp_path}/person.json"
    encoded = base64.b64encode(PERSON.encode()).decode()
    assert read_identity_schema(f"base64://{encoded}", 2).name == "schema 2 (base64)"


def test_tabs_are_white_space(tmp_path: Path) -> None:
    (tmp_path / "person.json").write_text("\t" + PERSON.replace("{", "{\n\t"))
    assert list(traits_of(read_identity_schema(str(tmp_path / "person.json")))) == ["email"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{\n  "properties": }', ":2:17: is not JSON: expecting value"),
        ("properties: {traits: {}}", ":1:1: is not JSON: expecting value"),
        ('{"title": "a",\n "title": "b"}', ":2:2: "),
        ('{"properties": {}}', ":1:16: is no identity schema: it describes no `properties.traits`"),
        ("[]", ":1:1: expected a mapping or true or false, found a list"),
        (
            '{"$schema": "https://json-schema.org/draft/2020-12/schema"}',
            ":1:13: expected a schema of draft 7: Kratos reads no later one",
        ),
        (written({"properties": {"a": {"type": "text"}}}), ":1:57: expected `array`, `boolean`, "),
        (written({"properties": {"a": {"type": 5}}}), ":1:57: expected `array`"),
        (written({"required": "a"}), ":1:40: expected a list, found a string"),
        (
            written({"$ref": "https://schemas.test/person.json"}),
            ":1:36: expected a reference into this file, like `#/definitions/x`",
        ),
        (written({"$ref": "#/definitions/gone"}), ":1:36: points to no schema in this file"),
        (written({"$ref": "#/title"}, title="x"), "points to no schema in this file"),
        ('{"a": ' + "[" * 100_000, "is nested too deeply"),
        ('{"a": ' + "9" * 5_000 + "}", "holds a number that is too long"),
        ("\xff".encode("latin-1"), "is not UTF-8"),
    ],
)
def test_what_kratos_could_not_read_is_refused_in_its_place(
    tmp_path: Path, text: str | bytes, message: str
) -> None:
    path = tmp_path / "person.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert message in refused(str(path))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone.json", "gone.json: cannot be read: No such file or directory"),
        ("file:///gone.json", "/gone.json: cannot be read: No such file or directory"),
        ("https://schemas.test/person.json", "is neither a file nor base64://"),
        ("file://%00", "cannot be read: embedded null byte"),
        ("base64://{}", "schema 1 (base64): is not base64"),
        ("base64://e30", "schema 1 (base64): is not base64"),
    ],
)
def test_what_is_not_there_says_so(source: str, message: str) -> None:
    assert message in refused(source)
