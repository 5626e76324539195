"""docs/from-schema-to-policy.md, followed to the letter on a real chain, shows what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from chain import running_chain
from chain.credentials import bearer
from chain.scenario import PEOPLE
from docpages import DOCS
from polling import PATIENCE
from served import PATIENT

if TYPE_CHECKING:
    from chain import Chain

pytestmark = pytest.mark.integration

PAGE: Final = DOCS / "from-schema-to-policy.md"
SCHEMA: Final = "kratos/identity.schema.json"
NEIGHBOUR: Final = '"department": {'
POLICY: Final = "cerbos/policies/resources/report.yaml"


def test_who_follows_the_page_sees_what_it_says(tmp_path: Path) -> None:
    traits, roles = PEOPLE["rita"]
    seen = []
    with running_chain(tmp_path, environ=PATIENT) as chain:
        rita = chain.kratos.create("rita", traits, roles)
        credential = str(bearer(chain.self_service.log_in(rita)))
        pids = {name: program.pid for name, program in chain.programs.items()}
        for kind, block, shown in _steps():
            if kind == "json":
                chain.write(SCHEMA, _above(NEIGHBOUR, block, chain.read(SCHEMA)))
            elif kind == "yaml":
                chain.write(POLICY, chain.read(POLICY) + block)
            else:
                seen.append(_shell(chain, block, shown, credential))
        assert {name: program.pid for name, program in chain.programs.items()} == pids
    assert seen == [shown for kind, _, shown in _steps() if kind == "sh"]


def _above(neighbour: str, block: str, text: str) -> str:
    """Return the text with a block pasted one line above the one line that begins so."""
    (place,) = re.finditer(rf"^ *{re.escape(neighbour)}", text, re.MULTILINE)
    assert f"one line above `{neighbour}`" in PAGE.read_text("utf-8")
    return text[: place.start()] + block + text[place.start() :]


def _steps() -> list[tuple[str, str, str]]:
    """Return each block to follow: its kind, its text, and what is said to be printed."""
    found = re.findall(
        r"^```(sh|json|yaml)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?",
        PAGE.read_text("utf-8"),
        re.DOTALL | re.MULTILINE,
    )
    assert [kind for kind, *_ in found].count("sh") > 3
    return found


def _shell(chain: Chain, block: str, shown: str, rita: str) -> str:
    """Run a block of shell until it prints what is said, or patience ends; return its output."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RITA": rita,
    }
    end = time.monotonic() + PATIENCE
    while True:
        printed = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", chain.ports.render(block)],  # noqa: S607 - as a user
            cwd=chain.work,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        if printed == shown or time.monotonic() > end:
            return printed
        time.sleep(0.1)
