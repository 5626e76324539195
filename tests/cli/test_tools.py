"""`authorizer explain`, `test`, `rules list` and `schema`: what they print, and how they end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from authorizer.cli.main import main
from authorizer.cli.schema import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    # Runs a command line, and returns its status, its output and what it said of errors.
    Command: TypeAlias = Callable[..., tuple[int, str, str]]

RULES = """
version: 1
routes:
  - id: item
    match: {path: "/d/{id}"}
    resource: {kind: document, id: "${path.id}"}
    actions: {GET: view, DELETE: delete}
  - {id: open, match: {path: /open, methods: [GET]}, effect: allow}
"""
IDENTITIES = """
version: 1
identities:
  ann:
    profile: kratos
    extra:
      id: session
      active: true
      expires_at: "2999-01-01T00:00:00Z"
      identity: {id: ann-id, schema_id: person, traits: {email: ann@acme.test}}
"""
SUITE = """
version: 1
cases:
  - name: Ann views
    request: {method: GET, url: /d/1}
    as: ann
    expect: {route: item, checks: [{action: view}]}
  - name: Anyone opens
    request: {method: GET, url: /open}
    expect: {decision: allow}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rules" / "tests").mkdir(parents=True)
    (tmp_path / "rules" / "a.yaml").write_text(RULES)
    (tmp_path / "rules" / "tests" / "identities.yaml").write_text(IDENTITIES)
    (tmp_path / "rules" / "tests" / "a.yaml").write_text(SUITE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def command(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return a function that runs a command line in the folder: status, output, errors."""
    assert folder.is_dir()

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(arguments)
        told = capsys.readouterr()
        return status, told.out, told.err

    return run


# --- explain


def test_explain_takes_a_path_and_a_name(command: Command) -> None:
    status, out, err = command("explain", "GET", "/d/1", "--as", "ann", "--no-pdp")
    assert (status, err) == (0, "")
    assert out.startswith("GET http://localhost/d/1\n")
    assert "> item  /d/{id}  rules/a.yaml:4:9\n" in out
    assert re.search(r"^  id +ann-id$", out, re.MULTILINE)
    assert '"view" on document "1"' in out
    assert "no PDP was asked" in out


def test_explain_notes_that_a_method_in_small_letters_is_another_one(command: Command) -> None:
    status, out, err = command("explain", "get", "/d/1", "--no-pdp")
    assert status == 0
    assert "method_not_mapped" in out
    assert err == "note: methods tell case apart: get is not GET\n"
    assert command("explain", "Frobnicate", "/d/1", "--no-pdp")[2] == ""


def test_explain_tells_a_program_the_same(command: Command) -> None:
    arguments = ["explain", "GET", "https://x.test/d/1?q=1", "--as", "ann", "--no-pdp"]
    status, out, _ = command(*arguments, "--format", "json")
    told = json.loads(out)
    assert status == 0
    assert told["address"] == {"scheme": "https", "host": "x.test", "path": "/d/1", "query": "q=1"}
    assert (told["route"], told["captures"]) == ("item", {"id": "1"})
    assert told["decision"] is None


def test_explain_takes_all_that_the_payload_can_say(command: Command, folder: Path) -> None:
    (folder / "extra.json").write_text('{"identity": {"id": "bob"}}')
    arguments = ["explain", "GET", "/d/1", "--no-pdp", "--format", "json", "--extra", "extra.json"]
    _, out, _ = command(*arguments)
    assert json.loads(out)["request"]["subject"] == "bob"
    more = ["--subject", "cid", "--profile", "kratos", "--profile", "anonymous"]
    more += ["--header", "X-A: 1", "--header", "x-a:2", "--raw-path", "/d/%31"]
    more += ["--forwarded-uri", "/f"]
    _, out, _ = command(*arguments, *more)
    request = json.loads(out)["request"]
    assert request["subject"] == "cid"
    assert request["profiles"] == ["kratos", "anonymous"]
    assert request["headers"] == {"x-a": ["1", "2"]}
    assert (request["raw_path"], request["forwarded_uri"]) == ("/d/%31", ["/f"])


def test_explain_reads_an_identity_from_standard_input() -> None:
    asked = [sys.executable, "-m", "authorizer", "explain", "GET", "/healthz", "--no-pdp"]
    done = subprocess.run(
        [*asked, "--extra", "-", "--format", "json"],
        cwd=Path(__file__).parents[2],
        input=b'{"identity": {"id": "dee"}}',
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout)["request"]["subject"] == "dee"


def test_whoever_is_not_named_is_nobody(command: Command) -> None:
    _, out, _ = command("explain", "GET", "/d/1", "--no-pdp")
    assert re.search(r"^  profile +anonymous$", out, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--as", "anne"], "error: --as: there is no identity `anne` (did you mean `ann`?)\n"),
        (["--extra", "gone.json"], "error: gone.json: cannot be read: No such file or directory\n"),
        (["--extra", "rules/a.yaml", "--header", "a b: c"], "error: /headers: has a name"),
        (["--header", "x-tenant"], "error: --header: expected 'name: value'\n"),
        (["--rules", "gone"], "error: --rules: "),
        (["--config", "gone.yaml"], "error: gone.yaml: cannot be read"),
    ],
)
def test_what_cannot_be_explained_says_why_and_ends_with_2(
    command: Command, arguments: list[str], message: str
) -> None:
    status, out, err = command("explain", "GET", "/d/1", "--no-pdp", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(message)


# --- test


def test_a_run_has_a_mark_for_each_case_and_the_coverage(
    command: Command,
) -> None:
    status, out, err = command("test", "--no-pdp")
    assert (status, err) == (0, "")
    assert out.splitlines()[:4] == [
        "rules/tests/a.yaml ..",
        "",
        "coverage: 2 of 3 methods of 2 routes (67 %)",
        "  rules/a.yaml:4:9  item: no case touches DELETE",
    ]
    assert "2 passed in " in out


@pytest.mark.parametrize(("percent", "expected"), [("66", 0), ("67", 1), ("100", 1)])
def test_too_little_coverage_fails(command: Command, percent: str, expected: int) -> None:
    status, _, err = command("test", "--no-pdp", "--fail-under", percent)
    assert status == expected
    assert err == ("" if expected == 0 else f"error: less than {percent} % is covered\n")


def test_a_case_that_is_not_as_expected_fails_and_says_where(
    command: Command, folder: Path
) -> None:
    suite = folder / "rules" / "tests" / "a.yaml"
    suite.write_text(SUITE.replace("action: view", "action: edit"))
    status, out, _ = command("test", "--no-pdp", "--junit", "junit.xml")
    assert status == 1
    assert "FAILED Ann views\nrules/tests/a.yaml:4:5: GET http://localhost/d/1\n" in out
    assert "1 passed, 1 failed in " in out
    root = ET.parse(folder / "junit.xml").getroot()  # noqa: S314 - what we have just written
    assert (root.get("tests"), root.get("failures")) == ("2", "1")


def test_a_decision_that_nobody_could_make_is_never_a_success_by_accident(
    command: Command, folder: Path
) -> None:
    (folder / "rules" / "tests" / "b.yaml").write_text(
        "version: 1\ncases:\n"
        "  - {request: {method: GET, url: /d/1}, as: ann, expect: {decision: allow}}\n"
    )
    status, out, err = command("test")
    assert status == 2
    assert "1 undecided" in out
    assert "without a PDP" in err
    assert "--no-pdp" in err
    status, out, err = command("test", "--no-pdp")
    assert (status, err) == (0, "")
    assert "undecided: a policy decides, and no PDP was asked" in out


def test_a_part_of_the_cases_says_nothing_of_coverage(
    command: Command,
) -> None:
    status, out, _ = command("test", "--no-pdp", "-k", "ANYONE")
    assert status == 0
    assert "1 passed" in out
    assert "coverage" not in out
    status, _, err = command("test", "--no-pdp", "-k", "nobody")
    assert status == 2
    assert "no case with this text" in err


def test_suites_may_be_anywhere(command: Command, folder: Path) -> None:
    (folder / "other.yaml").write_text(SUITE)
    status, out, _ = command("test", "--no-pdp", "other.yaml")
    assert status == 0
    assert out.startswith("other.yaml ..\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.yaml"], "error: gone.yaml: there is no such file or folder\n"),
        (["rules/tests/identities.yaml"], "has no case of a test"),
        (["--junit", "gone/junit.xml"], "error: gone/junit.xml: cannot be written: No such file"),
    ],
)
def test_what_cannot_be_run_says_why_and_ends_with_2(
    command: Command, arguments: list[str], message: str
) -> None:
    status, _, err = command("test", "--no-pdp", *arguments)
    assert status == 2
    assert message in err


@pytest.mark.parametrize("value", ["101", "-1", "nan", "x"])
def test_a_share_is_a_percentage(command: Command, value: str) -> None:
    with pytest.raises(SystemExit) as caught:
        command("test", "--fail-under", value)
    assert caught.value.code == 2


def test_a_pdp_that_is_not_there_ends_the_run(command: Command, folder: Path) -> None:
    suite = folder / "rules" / "tests" / "a.yaml"
    suite.write_text(SUITE.replace("{route: item, ", "{decision: allow, "))
    status, _, err = command("test", "--pdp", f"unix:{folder}/nobody.sock")
    assert status == 2
    assert err.startswith(f"error: unix:{folder}/nobody.sock: ")


POLICY = """
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: document
  version: default
  schemas: {resourceSchema: {ref: "cerbos:///document.json"}}
  rules:
    - {actions: [view], effect: EFFECT_ALLOW, roles: [user]}
"""
SCHEMA = '{"type": "object", "required": ["team"]}'


@pytest.mark.integration
def test_what_the_pdp_logs_is_told_behind_the_report_and_only_where_a_case_fails(
    command: Command, folder: Path
) -> None:
    (folder / "policies" / "_schemas").mkdir(parents=True)
    (folder / "policies" / "document.yaml").write_text(POLICY)
    (folder / "policies" / "_schemas" / "document.json").write_text(SCHEMA)
    suite = folder / "rules" / "tests" / "a.yaml"
    suite.write_text(SUITE.replace("{route: item, ", "{decision: deny, "))
    status, out, err = command("test", "--embedded-pdp", "policies")
    assert (status, out.splitlines()[0], err) == (0, "rules/tests/a.yaml ..", "")
    suite.write_text(SUITE.replace("{route: item, ", "{decision: allow, "))
    status, out, err = command("test", "--embedded-pdp", "policies")
    assert (status, out.splitlines()[0]) == (1, "rules/tests/a.yaml F.")
    assert "  detail    the PDP's schemas refuse: resource /: missing properties: 'team'\n" in out
    assert "Validation failed" in err


@pytest.mark.integration
def test_an_expression_that_errs_is_told_by_the_pdps_log(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (folder / "policies").mkdir()
    rule = "condition: {match: {expr: R.attr.gone}}, effect"
    policy = POLICY.replace("effect", rule).replace("  schemas", "  # schemas")
    (folder / "policies" / "document.yaml").write_text(policy)
    assert main(["explain", "GET", "/d/1", "--as", "ann", "--embedded-pdp", "policies"]) == 0
    told = capfd.readouterr()
    assert "deny, policy_deny" in told.out
    assert "Error evaluating CEL expression" in told.err
    assert "R.attr.gone" in told.err


# --- rules list, schema


def test_rules_list_shows_the_table(command: Command) -> None:
    status, out, _ = command("rules", "list")
    assert status == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["HOST", "PATH"],
        ["*", "/d/{id}"],
        ["*", "/open"],
    ]
    status, out, _ = command("rules", "list", "--format", "json", "--rules", "rules/a.yaml")
    assert status == 0
    assert [row["route"] for row in json.loads(out)] == ["item", "open"]


def test_rules_that_serve_would_refuse_are_refused(command: Command, folder: Path) -> None:
    (folder / "rules" / "b.yaml").write_text("version: 1\nroutes: [{id: x}]\n")
    for arguments in (["rules", "list"], ["test"], ["explain", "GET", "/"]):
        status, _, err = command(*arguments)
        assert status == 2
        assert "b.yaml:2:10: `match` is missing" in err


@pytest.mark.parametrize("of", SCHEMAS)
def test_a_schema_is_printed_as_it_is_shipped(command: Command, of: str) -> None:
    status, out, _ = command("schema", of)
    package, name = SCHEMAS[of]
    root = Path(__file__).parents[2]
    assert status == 0
    assert out == (root / package.replace(".", "/") / name).read_text()
    schema: dict[str, Any] = json.loads(out)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_help_waits_for_nothing_heavy() -> None:
    code = (
        "import sys; from authorizer.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'grpc', 'aiohttp', 'jsonschema', 'msgspec', 'yaml', 'structlog', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "[]\n")
