"""The exit status says what happened, whatever is printed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from authorizer.cli.main import main

if TYPE_CHECKING:
    from lintfolder import Folder


def test_rules_by_themselves_can_be_looked_at(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.path)
    folder.route("/a")
    assert main(["lint"]) == 0
    assert main(["lint", "rules/one.yaml"]) == 0
    folder.write("rules/two.yaml", "version: 1\nroutes: [{}]\n")
    capsys.readouterr()
    assert main(["lint", "--format", "json"]) == 1
    files = {finding["file"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert files == {"rules/two.yaml"}
    folder.write("other/fine.yaml", "version: 1\nroutes: []\n")
    assert main(["lint", "other"]) == 0


@pytest.mark.parametrize(
    "option",
    [
        ["gone"],
        ["--config", "gone"],
        ["--policies", "gone"],
        ["--policies", "empty"],
        ["--access-rules", "gone"],
        ["--access-rules", "empty"],
        ["--oathkeeper-config", "gone"],
        ["--identity-schema", "gone"],
        ["--format", "gone"],
    ],
)
def test_what_is_not_there_cannot_be_judged(
    folder: Folder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: list[str],
) -> None:
    monkeypatch.chdir(folder.path)
    folder.route("/a")
    (folder.path / "empty").mkdir()
    try:
        status = main(["lint", *option])
    except SystemExit as exit_:
        status = int(exit_.code or 0)
    assert status == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert option[-1] in printed.err


def test_github_names_files_as_they_were_given(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.path)
    folder.write("rules/two.yaml", "version: 1\nroutes: [{}]\n")
    assert main(["lint", "--format", "github"]) == 1
    assert capsys.readouterr().out.startswith("::error file=rules/two.yaml,line=2,col=10,")


def test_what_was_not_given_is_noted_beside_the_findings(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.path)
    folder.route("/a")
    assert main(["lint", "--format", "json"]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["findings"] == []
    assert printed.err == (
        "note: not looked at, as not given: Cerbos policies (--policies), Oathkeeper's access rules"
        " (--access-rules), Oathkeeper's configuration (--oathkeeper-config), identity schemas"
        " (--identity-schema), Kratos's configuration (--kratos-config)\n"
    )


def test_an_identity_schema_that_kratos_has_and_was_not_given_is_noted(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.path)
    folder.route("/a")
    schema = {"properties": {"traits": {"properties": {}, "additionalProperties": False}}}
    folder.write("person.json", json.dumps(schema))
    folder.write(
        "kratos.yml",
        """\
        selfservice: {}
        identity:
          schemas:
            - {id: person, url: file:///etc/config/person.json}
            - {id: customer, url: file:///etc/config/customer.json}
        """,
    )
    main(["lint", "--identity-schema", "person.json", "--kratos-config", "kratos.yml"])
    told = capsys.readouterr().err
    assert told.endswith(", Kratos's identity schema `customer` (--identity-schema)\n")


def test_the_policies_of_an_embedded_pdp_need_not_be_given(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder.path)
    folder.route("/a")
    folder.write("authorizer.yaml", "pdp: {embedded: {policies: policies}}\n")
    folder.write("policies/broken.yaml", "[\n")
    main(["lint", "--format", "json"])
    printed = capsys.readouterr()
    files = {finding["file"] for finding in json.loads(printed.out)["findings"]}
    assert "policies/broken.yaml" in files
    assert "Cerbos policies" not in printed.err
