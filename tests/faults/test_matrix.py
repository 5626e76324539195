"""Whatever fails, nobody is let in who should not be, and everybody is answered in time."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from faults.matrix import FAULTS
from faults.page import faults_of
from faults.rig import Rig
from faults.trial import judge, undergo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.matrix import Fault


@pytest.fixture(scope="module")
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig


@pytest.mark.integration
@pytest.mark.alone
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_no_wrong_answer_none_late_and_all_is_well_again(fault: Fault, rig: Rig) -> None:
    if fault.needs and shutil.which(fault.needs) is None:
        pytest.skip(f"{fault.needs} is not installed")
    assert judge(undergo(fault, rig)) == []


def test_the_page_has_a_row_for_each_fault() -> None:
    """Otherwise: PYTHONPATH=tests:tools python -m faults docs/reliability.md."""
    page = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text("utf-8")
    assert faults_of(page) == [fault.name for fault in FAULTS]
