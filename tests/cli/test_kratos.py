"""`authorizer kratos`: what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from identityschemas import written

from authorizer.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    # Runs a command line, and returns its status, its output and what it said of errors.
    Command: TypeAlias = Callable[..., tuple[int, str, str]]

REPOSITORY = Path(__file__).parents[2]
PERSON = written(
    {"properties": {"org": {"type": "string", "title": "Größe"}}, "additionalProperties": False}
)
OPEN = "selfservice: {methods: {profile: {enabled: true}}}\n"


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    (tmp_path / "person.json").write_text(PERSON, "utf-8")
    (tmp_path / "kratos.yml").write_text(OPEN)
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["kratos", *arguments])
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


def test_what_is_printed_passes_its_own_check(command: Command, tmp_path: Path) -> None:
    for more in ((), ("--closed",)):
        asked = ("principal-schema", "file://person.json", *more)
        status, out, err = command(*asked)
        assert (status, err) == (0, "")
        assert json.loads(out)["additionalProperties"] is (not more)
        (tmp_path / "principal.json").write_text(out, "utf-8")
        assert command(*asked, "--check", "principal.json") == (0, "", "")


def test_a_check_that_fails_shows_what_to_change(command: Command, tmp_path: Path) -> None:
    asked = ("principal-schema", "person.json")
    _, out, _ = command(*asked)
    (tmp_path / "principal.json").write_text(out.replace("Größe", "Size"), "utf-8")
    status, out, err = command(*asked, "--check", "principal.json")
    assert (status, err) == (1, "")
    assert out.startswith("--- principal.json\n+++ as it should be\n@@ ")
    assert '-      "title": "Size"\n+      "title": "Größe"\n' in out


@pytest.mark.parametrize(
    "change", [lambda text: text.replace("\n", "\r\n"), lambda text: text.rstrip("\n")]
)
def test_line_breaks_count_too(
    command: Command, tmp_path: Path, change: Callable[[str], str]
) -> None:
    _, out, _ = command("principal-schema", "person.json")
    (tmp_path / "principal.json").write_bytes(change(out).encode())
    status, out, _ = command("principal-schema", "person.json", "--check", "principal.json")
    assert (status, out) == (1, "principal.json: its line breaks differ\n")


def test_the_table_tells_who_writes_once_kratos_is_known(command: Command) -> None:
    _, out, _ = command("attributes", "person.json")
    assert "P.attr.org " in out.splitlines()[1]
    assert out.splitlines()[1].endswith("unknown: give --kratos-config")
    status, out, err = command("attributes", "person.json", "--kratos-config", "kratos.yml")
    assert (status, err) == (0, "")
    assert out.splitlines()[1].endswith("self-service")
    assert "unknown" not in out


PROFILES = """\
principals:
  profiles:
    kratos:
      shape: session
      roles: {always: [user]}
      attr:
        org: "${extra.identity.metadata_public.org}"
        nick: "${has(extra.identity.traits.org) ? extra.identity.traits.org : 3}"
        level: "${extra.authenticator_assurance_level}"
        all: "${extra}"
        sum: {a: "${extra.identity}", b: "${subject}"}
        state: "${extra.identity.state}"
        id: "${extra.identity.id}"
        fixed: 3
        id_of: "n-${subject}"
    jwt: {shape: claims, roles: {always: [delegate]}, attr: {dept: "${extra.ext.dept}"}}
"""


@pytest.mark.parametrize("name", ["authorizer.yaml", "mine.yaml"])
def test_the_table_has_what_the_profiles_of_the_configuration_add(
    command: Command, tmp_path: Path, name: str
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / name).write_text(PROFILES)
    asked = ["attributes", "person.json", "--kratos-config", "kratos.yml", "--format", "json"]
    status, out, err = command(*asked, *(["--config", name] if name == "mine.yaml" else []))
    assert (status, err) == (0, "")
    found = {
        row["attribute"].removeprefix("P.attr."): (row["types"], row["schemas"], row["written_by"])
        for row in json.loads(out)
        if not row["attribute"].startswith("P.attr.auth")
    }
    kratos = ["profile kratos"]
    assert found == {
        "org": (["any"], kratos, "administrator"),
        "nick": (["string", "integer"], kratos, "self-service"),
        "level": (["any"], kratos, "session"),
        "all": (["any"], kratos, "self-service"),
        "sum": (["any"], kratos, "self-service"),
        "state": (["any"], kratos, "administrator"),
        "id": (["any"], kratos, "nobody"),
        "fixed": (["integer"], kratos, "nobody"),
        "id_of": (["string"], kratos, "nobody"),
        "dept": (["any"], ["profile jwt"], "issuer"),
    }


def test_the_table_has_three_forms(command: Command) -> None:
    asked = ("attributes", "person.json", "--format")
    _, text, _ = command(*asked, "text")
    _, markdown, _ = command(*asked, "markdown")
    _, data, _ = command(*asked, "json")
    names = [row["attribute"] for row in json.loads(data)]
    assert [line.split()[0] for line in text.splitlines()[1:]] == names
    assert [line.split("`")[1] for line in markdown.splitlines()[2:]] == names


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["principal-schema", "gone.json"], "error: gone.json: cannot be read: No such file"),
        (["principal-schema", "kratos.yml"], "error: kratos.yml:1:1: is not JSON: "),
        (["principal-schema", "person.json", "--check", "gone"], "error: gone: cannot be read: "),
        (
            ["attributes", "person.json", "--config", "kratos.yml"],
            "error: kratos.yml:1:1: unknown key `selfservice`",
        ),
        (["attributes", "person.json", "base64://!"], "error: schema 2 (base64): is not base64"),
        (
            ["attributes", "person.json", "--kratos-config", "person.json"],
            "error: person.json:1:1: is no configuration of Kratos",
        ),
    ],
)
def test_what_cannot_be_read_says_why_and_ends_with_2(
    command: Command, arguments: list[str], message: str
) -> None:
    status, out, err = command(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(message)


def test_the_example_has_the_principal_schema_of_its_identity_schema(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where this fails, run the command of docs/kratos-schemas.md that writes it anew."""
    monkeypatch.chdir(REPOSITORY)
    schema = "cerbos/policies/_schemas/principal.json"
    status = main(
        ["kratos", "principal-schema", "file://kratos/identity.schema.json", "--check", schema]
    )
    assert (status, capsys.readouterr().out) == (0, "")
    required: Any = json.loads((REPOSITORY / schema).read_text("utf-8"))["required"]
    assert required == ["auth"], "nobody in particular has no trait"
