"""Cause every fault, and write what came of it: PYTHONPATH=tests:tools python -m faults PAGE."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from chain import Entrance, PdpKind, running_chain
from faults.matrix import FAULTS
from faults.page import chain_table, refreshed, table
from faults.passage import PDP_FAULTS, judge_passage, passage
from faults.rig import Rig
from faults.trial import judge, undergo


def main(names: list[str]) -> int:
    """Return 1, and write nothing, when a promise was broken."""
    outcomes, passages, broken = [], [], []
    with Rig() as rig:
        for number, fault in enumerate(FAULTS, 1):
            _say(f"{number}/{len(FAULTS)} {fault.name}")
            outcomes.append(undergo(fault, rig))
            broken += _said(judge(outcomes[-1]))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_chain(Path(folder), pdp=PdpKind.EXTERNAL) as chain,
    ):
        for name in PDP_FAULTS:
            for entrance in Entrance:
                _say(f"the chain, its PDP {name}, by {entrance.value}")
                passages.append(passage(chain, name, entrance))
                broken += _said(judge_passage(passages[-1]))
    if broken:
        return 1
    if not names:
        print(table(outcomes), chain_table(passages), sep="\n\n")  # noqa: T201 - a tool
    for page in map(Path, names):
        text = page.read_text("utf-8")
        page.write_text(refreshed(text, outcomes, passages), "utf-8")
    return 0


def _said(broken: list[str]) -> list[str]:
    for promise in broken:
        _say(f"  BROKEN {promise}")
    return broken


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - a tool


sys.exit(main(sys.argv[1:]))
