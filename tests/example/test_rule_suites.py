"""The example's rules do what its suites say, policies included, and no route is left out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from example.transcripts import PAGE, REPOSITORY, refreshed

from authorizer.cli.main import main
from authorizer.cli.schema import SCHEMAS

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.integration
def test_every_route_and_method_is_tested_with_the_policies_that_decide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(REPOSITORY)
    status = main(["test", "--fail-under", "100"])
    told = capsys.readouterr()
    assert (status, told.err) == (0, ""), told.out
    assert "undecided" not in told.out
    assert "failed" not in told.out


@pytest.mark.integration
def test_the_page_shows_what_the_commands_say() -> None:
    """Where this fails, `python tests/example/transcripts.py` writes the page anew."""
    page = PAGE.read_text("utf-8")
    assert refreshed(page) == page
    assert len(re.findall(r"^\$ authorizer ", page, re.MULTILINE)) == 5


def test_the_suite_on_the_page_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    suite, identities = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "page.yaml").write_text(suite)
    monkeypatch.chdir(REPOSITORY)
    assert main(["test", "--no-pdp", str(tmp_path / "page.yaml")]) == 0
    assert "1 passed, 1 undecided" in capsys.readouterr().out
    # Its Rita is the example's, whose name is taken there.
    (tmp_path / "identities.yaml").write_text(identities.replace("rita", "rina"))
    assert main(["explain", "GET", "/healthz", "--no-pdp", "--as", "rita"]) == 0
    assert main(["test", "--no-pdp", str(tmp_path)]) == 0


def test_the_page_names_every_schema_and_no_other() -> None:
    named = set(re.findall(r"`authorizer schema (\w+)`", PAGE.read_text("utf-8")))
    assert named <= set(SCHEMAS)
    assert {"tests", "identities"} <= named
