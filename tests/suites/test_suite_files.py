"""Where suites and identities are looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authorizer.errors import SourceError
from authorizer.suites.files import find_suites

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    for name in (
        "rules/a.yaml",
        "rules/tests/identities.yaml",
        "rules/tests/b.yaml",
        "rules/tests/deep/c.yml",
        "rules/tests/.hidden.yaml",
        "rules/tests/readme.md",
        "rules/team/tests/d.yaml",
        "rules/team/tests/identities.yaml",
        "rules/.git/tests/no.yaml",
        "elsewhere/e.yaml",
        "elsewhere/identities.yaml",
    ):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "rules"


def names(root: Path, files: tuple[Path, ...]) -> list[str]:
    return [str(file.relative_to(root)) for file in files]


def test_every_folder_of_tests_under_the_rules_is_looked_through(rules: Path) -> None:
    found = find_suites([rules])
    assert names(rules, found.suites) == ["team/tests/d.yaml", "tests/b.yaml", "tests/deep/c.yml"]
    expected = ["team/tests/identities.yaml", "tests/identities.yaml"]
    assert names(rules, found.identities) == expected


def test_what_is_asked_for_is_what_is_run_and_all_identities_stay_known(rules: Path) -> None:
    elsewhere = rules.parent / "elsewhere"
    for asked in (elsewhere, elsewhere / "e.yaml"):
        found = find_suites([rules], [asked, rules / "tests" / "b.yaml", asked])
        assert names(rules.parent, found.suites) == ["elsewhere/e.yaml", "rules/tests/b.yaml"]
        assert set(names(rules.parent, found.identities)) == {
            "rules/team/tests/identities.yaml",
            "rules/tests/identities.yaml",
            "elsewhere/identities.yaml",
        }
        assert len(found.identities) == 3


def test_a_path_that_is_not_there_is_an_error(rules: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.yaml: there is no such file or folder"):
        find_suites([rules], [rules / "gone.yaml"])


def test_rules_in_a_file_have_no_folder_of_tests(rules: Path) -> None:
    assert find_suites([rules / "a.yaml"]).suites == ()
