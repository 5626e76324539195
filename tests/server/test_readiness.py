"""What several workers say of themselves, as what is so of the instance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from authorizer.errors import Problem
from authorizer.pdp.interface import PdpHealth, PdpState
from authorizer.server.readiness import DRAINING, Report, Workers, together

UP = PdpHealth("a", PdpState.SERVING)
DOWN = PdpHealth("a", PdpState.UNREACHABLE, "connection refused")
WELL = Report({}, (UP,), "new", 20.0, (), (), False, ())  # noqa: FBT003 - the configuration is the same
PROBLEM = Problem("rules/a.yaml", 3, 1, "unknown key")


@pytest.mark.parametrize(
    ("reports", "complete", "draining", "errors", "ready"),
    [
        ([WELL, WELL], True, False, set(), 2),
        ([WELL], True, False, set(), 1),  # the other one is being replaced
        ([WELL], False, False, {"workers"}, 1),  # it has only begun
        ([], True, False, {"workers"}, 0),
        ([replace(WELL, errors={"pdp": "none"})], True, False, {"workers", "pdp"}, 0),
        ([replace(WELL, errors={"pdp": "none"}), WELL], True, False, set(), 1),
        ([WELL, WELL], True, True, {"server"}, 2),
    ],
)
def test_it_is_ready_while_one_is_once_all_have_been(
    reports: list[Report],
    complete: bool,  # noqa: FBT001 - a table
    draining: bool,  # noqa: FBT001 - a table
    errors: set[str],
    ready: int,
) -> None:
    found = together(reports, wanted=2, complete=complete, draining=draining)
    assert set(found.errors) == errors
    assert found.workers == Workers(ready, 2)
    if "workers" in errors:
        assert found.errors["workers"] == f"{ready} of 2 workers are ready"
    if draining:
        assert found.errors["server"] == DRAINING


def test_it_is_as_bad_as_the_worst_and_tells_each_problem_once() -> None:
    worse = replace(
        WELL,
        pdp=(DOWN,),
        digest="old",
        loaded_at=10.0,
        rules_problems=(PROBLEM,),
        policy_problems=(PROBLEM,),
        credential_problems=(PROBLEM,),
        config_changed=True,
    )
    for reports in ([WELL, worse, worse], [worse, WELL]):
        found = together(reports, wanted=3, complete=True, draining=False)
        assert found == replace(worse, workers=Workers(len(reports), 3))


def test_of_nobody_nothing_is_known() -> None:
    found = together([], wanted=2, complete=False, draining=False)
    assert (found.pdp, found.digest, found.loaded_at) == ((), "", 0.0)
