"""The benchmark of decisions: that it measures what it says. No time that it finds is judged."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.measuring import loads, programs, report, sampling

ROOT = Path(__file__).parents[2]


@pytest.mark.integration
@pytest.mark.skipif(
    shutil.which("wrk") is None
    or not (programs.TOOLS / "vegeta").exists()
    or not sampling.PY_SPY.exists(),
    reason="wrk, vegeta and py-spy are there where somebody measures: `make bench` says how",
)
def test_a_quick_run_asks_every_workload_and_every_floor_and_writes_nothing() -> None:
    kept = {path: path.read_bytes() for path in (ROOT / "docs").glob("performance*")}

    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "decisions.py", "--quick"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    for goal in report.GOALS:
        row = rf"^\| {re.escape(goal.name)} \|.*\| ([\d.]+) \("
        found = re.search(row, done.stdout, re.MULTILINE)
        assert found is not None, goal.name
        assert float(found[1]) > 0
    assert {path: path.read_bytes() for path in kept} == kept


def test_who_has_no_wrk_is_told_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit, match="apt-get install wrk"):
        loads.require_wrk()
