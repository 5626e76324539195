"""Templates of other languages are told where they would be taken to the letter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lintfolder import Folder


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{path.id}", "${path.id}"),
        ("{{ path.id }}", "${path.id}"),
        ("{{ .path.id }}", "${path.id}"),
        ("$path.id", "${path.id}"),
        ("{id}", "${path.id}"),
        (":id", "${path.id}"),
        ("user/{query.owner}", "${query.owner}"),
        ("${path.id}", ""),
        ("$${path.id}", ""),
        ("{other}", ""),
        ("a:id", ""),
        ("*", ""),
        ("5 $ a day", ""),
    ],
)
def test_a_text_that_was_meant_to_be_filled_in_is_told(
    folder: Folder, written: str, meant: str
) -> None:
    folder.asks()
    file = folder.path / "rules" / "one.yaml"
    text = file.read_text().replace('id: "${path.id}"', f'id: "{written}"')
    file.write_text(text)
    found = folder.lint()
    assert [finding.code.value for finding in found] == (["foreign-template"] if meant else [])
    assert [finding.help for finding in found] == ([f"did you mean `{meant}`?"] if meant else [])
    assert all(finding.place.line == 5 for finding in found)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/orgs/:org/a", "{org}"),
        ("/orgs/<org>", "{org}"),
        ("/orgs/<int:org>", "{org}"),
        ("/orgs/*", "{name}"),
        ("/orgs/**", "{name...}"),
        ("/orgs/{org}:move", ""),
        ("/orgs/a:b", ""),
    ],
)
def test_a_part_of_a_path_that_was_meant_to_be_a_capture_is_told(
    folder: Folder, path: str, meant: str
) -> None:
    folder.route(path)
    found = folder.lint()
    assert [(finding.code.value, finding.help) for finding in found] == (
        [("foreign-template", f"did you mean `{meant}`?")] if meant else []
    )
