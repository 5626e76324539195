#!/usr/bin/env python3
"""Ask whether what is shipped has known flaws: tools/audit.py, or `make audit`.

The lock file is what is asked about. A flaw is exit status 1. What could not be asked about, as
without a network, is told and no failure; with AUDIT_STRICT=1 it is one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parent.parent
COMMAND: Final = (
    *(".venv/bin/uvx", "--quiet", "pip-audit==2.10.1", "--progress-spinner", "off"),
    *("--format", "json", "--require-hashes", "--disable-pip", "-r", "requirements/runtime.txt"),
)


def judged(report: str, *, strict: bool) -> tuple[list[str], int]:
    """Return what to tell of pip-audit's report, and the exit status; "" is no report."""
    packages: list[dict[str, Any]] = json.loads(report)["dependencies"] if report else []
    flaws = [
        f"{package['name']} {package['version']}: {flaw['id']}"
        f" (mended in {', '.join(flaw['fix_versions']) or 'no version yet'})"
        for package in packages
        for flaw in package.get("vulns", ())
    ]
    unasked = [package["name"] for package in packages if "skip_reason" in package]
    told = [*flaws, f"{len(packages) - len(unasked)} packages asked about, {len(flaws)} flaws."]
    if not packages:
        told.append("Nobody could be asked: is there a network?")
    if unasked:
        told.append(f"Nobody knew about {', '.join(unasked)}.")
    return told, int(bool(flaws or (strict and (unasked or not packages))))


def main() -> int:
    """Ask; return the exit status."""
    asked = subprocess.run(COMMAND, cwd=ROOT, capture_output=True, text=True, check=False)
    told, status = judged(asked.stdout.strip(), strict=os.environ.get("AUDIT_STRICT") == "1")
    print("\n".join(told))
    if not asked.stdout.strip():
        print(asked.stderr.strip().rpartition("\n")[2], file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
