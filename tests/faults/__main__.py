"""Cause every fault, and write what came of it: PYTHONPATH=tests python -m faults PAGE."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from faults.matrix import FAULTS
from faults.page import refreshed, table
from faults.rig import Rig
from faults.trial import judge, undergo


def main(names: list[str]) -> int:
    """Return 1, and write nothing, when a promise was broken."""
    outcomes, broken = [], False
    with Rig() as rig:
        for number, fault in enumerate(FAULTS, 1):
            print(f"{number}/{len(FAULTS)} {fault.name}", file=sys.stderr)  # noqa: T201 - a tool
            outcome = asyncio.run(undergo(fault, rig))
            outcomes.append(outcome)
            for promise in judge(outcome):
                broken = True
                print(f"  BROKEN {promise}", file=sys.stderr)  # noqa: T201 - a tool
    if broken:
        return 1
    if not names:
        print(table(outcomes))  # noqa: T201 - a tool
    for page in map(Path, names):
        page.write_text(refreshed(page.read_text("utf-8"), outcomes), "utf-8")
    return 0


sys.exit(main(sys.argv[1:]))
