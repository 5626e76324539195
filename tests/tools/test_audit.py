from __future__ import annotations

import json

import audit
import pytest

GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
OPEN = {"name": "open", "version": "2", "vulns": [{"id": "CVE-2", "fix_versions": []}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("packages", "status", "strictly", "told"),
    [
        ([GOOD], 0, 0, "1 packages asked about, 0 flaws."),
        ([GOOD, BAD], 1, 1, "bad 2: CVE-1 (mended in 3)"),
        ([OPEN], 1, 1, "open 2: CVE-2 (mended in no version yet)"),
        ([UNKNOWN, GOOD], 0, 1, "Nobody knew about unknown."),
        ([UNKNOWN, BAD], 1, 1, "Nobody knew about unknown."),
        (None, 0, 1, "Nobody could be asked: is there a network?"),
    ],
)
def test_a_flaw_fails_and_what_nobody_knows_only_strictly(
    packages: list[object] | None, status: int, strictly: int, told: str
) -> None:
    report = "" if packages is None else json.dumps({"dependencies": packages, "fixes": []})
    lines, code = audit.judged(report, strict=False)
    assert (code, audit.judged(report, strict=True)[1]) == (status, strictly)
    assert told in lines
