"""docs/your-own-project.md, followed to the letter in an empty folder, shows what it says.

The lines that install are not run, as they need a network: what they install is on PATH.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
import yaml
from chain import Ports
from docpages import DOCS
from httpstub import Handler, serving
from polling import until
from served import Served

from authorizer.config.loading import load

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE: Final = (DOCS / "your-own-project.md").read_text("utf-8")
TOOLS: Final = DOCS.parent / ".tools" / "bin"
COOKIE: Final = "ory_kratos_session=of-ann"
_DURATION: Final = re.compile(r"in [0-9.]+ s$", re.MULTILINE)


def files() -> dict[str, str]:
    """Return the files that the page shows: each in a block, by the path that introduces it."""
    shown = r"^`([\w./-]+)` [^\n]*\n\n```(?:yaml|json)\n(.*?)^```"
    return dict(re.findall(shown, PAGE, re.DOTALL | re.MULTILINE))


def transcripts(program: str) -> list[tuple[str, str]]:
    """Return each command of a program, with what it prints."""
    blocks = "".join(re.findall(r"^```console\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    found = re.findall(r"^\$ ([^\n]*)\n(.*?)(?=^\$ |\Z)", blocks, re.DOTALL | re.MULTILINE)
    return [(command, shown) for command, shown in found if command.startswith(f"{program} ")]


def printed(command: str, folder: Path) -> str:
    """Return what a command prints in a shell; it fails where the command does."""
    programs = (str(Path(sys.executable).parent), str(TOOLS), os.environ["PATH"])
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],  # noqa: S607 - as a user
        cwd=folder,
        env={"PATH": os.pathsep.join(programs), "ANN": COOKIE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return _DURATION.sub("in 0.3 s", done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_folder_that_is_drawn_has_the_files_that_are_shown() -> None:
    (drawn,) = re.findall(r"^```text\nnotes/\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    names = re.findall(r"── (\S+\.\w+) ", drawn)
    assert sorted(names) == sorted(Path(name).name for name in files())


@pytest.mark.integration
@pytest.mark.parametrize(("command", "shown"), [*transcripts("cerbos"), *transcripts("authorizer")])
def test_each_command_prints_what_the_page_says(folder: Path, command: str, shown: str) -> None:
    assert printed(command, folder) == shown


def test_what_installs_is_there() -> None:
    (lines,) = re.findall(r"^```sh\n(mkdir notes.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    checkout = "../oathkeeper-cerbos-authorizer"
    named = set(re.findall(rf"{re.escape(checkout)}(?:/(\S+))?", lines))
    assert named == {"", "tools/install.py", ".tools/bin/cerbos"}
    assert all((DOCS.parent / name).exists() for name in named)


def test_in_a_container_it_may_listen(folder: Path) -> None:
    (listen,) = re.findall(r"`--listen (\S+)`", PAGE)
    (setting,) = re.findall(r"-e (AUTHORIZER__\w+=\w+)", PAGE)
    environ = dict([setting.split("="), ("AUTHORIZER__SERVER__LISTEN", listen)])
    assert load(cwd=folder, environ=environ).settings.server.listen == listen


# --- through Oathkeeper


class _Kratos(Handler):
    """Knows one session, by its cookie; and stands for the application."""

    session: bytes = b""

    def do_GET(self) -> None:
        is_question = self.path == "/sessions/whoami"
        is_known = COOKIE in self.headers.get("Cookie", "")
        body = self.session if is_question and is_known else b"{}"
        self.send_response(401 if is_question and not is_known else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def oathkeeper(folder: Path, api: str) -> Iterator[None]:
    """Run Oathkeeper on the page's files while the context lasts; `api` is its API's address."""
    command = [str(TOOLS / "oathkeeper"), "serve", "--config", "oathkeeper.yml", "--sqa-opt-out"]
    with (folder / "oathkeeper.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)

    def is_ready() -> bool:
        assert process.poll() is None, (folder / "oathkeeper.log").read_text()
        asked = [str(shutil.which("curl")), "-sf", f"http://{api}/rules/everything"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0

    try:
        until(is_ready)
        yield
    finally:
        process.kill()
        process.wait()


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def why(served: Served, folder: Path) -> str:
    """Return what the authorizer and Oathkeeper have written of what was asked."""
    log = (folder / "oathkeeper.log").read_text()
    return f"{served.events('authorization.decision')}\n{log}"


@pytest.mark.integration
def test_through_oathkeeper_callers_get_what_the_page_says(folder: Path) -> None:
    """The session is the one that the page has in its rule tests."""
    identities = yaml.safe_load(files()["rules/tests/identities.yaml"])["identities"]
    session = json.dumps(identities["ann"]["extra"]).encode()
    served = Served(folder, ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"))
    with serving(type("Ann", (_Kratos,), {"session": session})) as stub:
        served.start()
        try:
            ports = dataclasses.replace(
                Ports.free(),
                kratos_public=port_of(stub),
                upstream=port_of(stub),
                authorizer=port_of(served.ready["listen"]),
            )
            for name in ("oathkeeper.yml", "access-rules.yml"):
                (folder / name).write_text(ports.render(files()[name]))
            with oathkeeper(folder, f"127.0.0.1:{ports.api}"):
                for command, shown in transcripts("curl"):
                    got = printed(ports.render(command), folder)
                    assert got == f"{shown.strip()}\n", why(served, folder)
            # They are written off the event loop, and may come after the answer.
            until(lambda: len(served.events("authorization.decision")) == 2)
            reasons = [one["reason"] for one in served.events("authorization.decision")]
            assert reasons == ["policy_allow", "policy_deny"]
        finally:
            served.end()
