"""The page for operators names what there is: every metric, event and reason, and no other."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from authorizer.instrumentation.decision_log import EVENT, fields
from authorizer.instrumentation.metrics import Metrics
from authorizer.instrumentation.totals import Totals
from authorizer.instrumentation.workers import WorkerMetrics
from authorizer.model import Allow, DecisionRecord, Deny, Reason
from authorizer.pdp.interface import PdpHealth, PdpState

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "operations.md").read_text()


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def in_first_column(text: str, pattern: str) -> set[str]:
    cells = re.findall(r"^\| (.*?) \|", text, re.MULTILINE)
    return {name for cell in cells for name in re.findall(pattern, cell)}


def exposed() -> set[str]:
    """Return the names of our metrics once everything has happened."""
    metrics = Metrics(version="0")
    metrics.record(DecisionRecord(decision_id="1", outcome=Allow(Reason.ROUTE_ALLOW)))
    metrics.policies_loaded(ok=True, at=0.0)
    metrics.pdp_calls.attempted("a", "answered")
    metrics.pdp_calls.breaker_changed("a", "closed")
    workers = WorkerMetrics(wanted=2, ready=lambda: 2, log_dropped=lambda: 0)
    each = [metrics.families([PdpHealth("a", PdpState.SERVING)]), workers.families()]
    text, _ = Totals().exposition(each)
    return set(re.findall(r"^# TYPE (authorizer_\w+)", text.decode(), re.MULTILINE))


def test_the_table_has_every_metric_and_no_other() -> None:
    assert in_first_column(section("Metrics and alerts"), r"authorizer_\w+") == exposed()


def test_the_whole_page_speaks_of_metrics_that_there_are() -> None:
    known = exposed()
    for name in re.findall(r"\bauthorizer_\w+", PAGE):
        assert name.removesuffix("_bucket") in known


def test_the_tables_have_every_event_and_no_other() -> None:
    written = {
        event
        for path in (ROOT / "authorizer").rglob("*.py")
        for call in re.findall(r"_log\.\w+\(([^,)]*)", path.read_text())
        for event in re.findall(r'"([a-z]+\.[a-z_]+)"', call)
    }
    assert in_first_column(section("What is logged"), r"`([a-z]+\.[a-z_]+)`") == written
    assert EVENT in section("What is logged")


def test_every_reason_has_a_line() -> None:
    deciding = "".join(
        path.read_text()
        for path in (ROOT / "authorizer").rglob("*.py")
        if path.name not in {"model.py", "outcome.py"}
    )
    given = {reason.value for reason in Reason if f"Reason.{reason.name}" in deciding}
    assert in_first_column(section("Why was this denied?"), r"`(\w+)`") == given


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not there")
def test_the_lines_for_jq_find_what_they_say(tmp_path: Path) -> None:
    (script,) = re.findall(r"```sh\n(.*?)```", section("What is logged"), re.DOTALL)
    denied = DecisionRecord(
        decision_id="ID", outcome=Deny(Reason.NO_ROUTE, "none"), method="GET", path="/x", host="a"
    )
    allowed = DecisionRecord(decision_id="2", outcome=Allow(Reason.ROUTE_ALLOW))
    lines = [{"timestamp": "T", "event": EVENT, **fields(each)} for each in (denied, allowed)]
    lines.append({"timestamp": "T", "event": "authorizer.ready"})
    (tmp_path / "authorizer.log").write_text("\n".join(map(json.dumps, lines)))
    commands = re.split(r"^#.*\n", script, flags=re.MULTILINE)[1:]
    found = [
        subprocess.run(
            ["/bin/sh", "-c", command], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.split()
        for command in commands
    ]
    assert found[0] == ["T", "no_route", "GET", "a/x", "none"]
    assert '"ID",' in found[1]
    assert found[2] == ["1", "no_route"]
    assert found[3] == ['{"timestamp":"T","event":"authorizer.ready"}']
