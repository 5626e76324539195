"""What holds for every test."""

from __future__ import annotations

import fcntl
from collections import Counter
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# A property is not slower for being tried on a busy machine.
settings.register_profile("busy", deadline=None)
# For mutmut: few examples, and the same for every mutant.
settings.register_profile(
    "mutants", deadline=None, derandomize=True, max_examples=50, database=None
)
settings.load_profile("busy")

_SHARED: Final = pytest.StashKey[Path]()


def pytest_configure(config: pytest.Config) -> None:
    """Give each process of pytest-xdist a folder beside the others', and they share what is above.

    Its name is short, as the path of a Unix socket has little room.
    """
    if hasattr(config, "workerinput"):
        shared = Path(config.option.basetemp).parent
        config.option.basetemp = str(shared / config.workerinput["workerid"])
        config.stash[_SHARED] = shared


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what takes long first, so that the processes end together; what runs alone, last."""
    counts = Counter(item.nodeid for item in items)
    if twice := [name for name, count in counts.items() if count > 1]:
        msg = f"pytest-xdist would run one of several tests of one name: {twice}"
        raise pytest.UsageError(msg)
    long = {item.path for item in items if item.get_closest_marker("integration")}
    alone = {item.path for item in items if item.get_closest_marker("alone")}
    items.sort(key=lambda item: (item.path in alone, item.path not in long))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test marked `alone` when no other runs, in whichever process."""
    with _machine(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape what no process could hand on: a half of a surrogate pair that a test has logged."""
    report = yield
    report.sections = [
        (name, text.encode(errors="backslashreplace").decode()) for name, text in report.sections
    ]
    return report


def _machine(item: pytest.Item) -> AbstractContextManager[None]:
    folder = item.config.stash.get(_SHARED, None)
    if folder is None:
        return nullcontext()
    return _held(folder, alone=item.get_closest_marker("alone") is not None)


@contextmanager
def _held(folder: Path, *, alone: bool) -> Iterator[None]:
    """Hold the machine, shared or alone.

    Who wants it alone keeps the turn while it waits: else the others, who share it, would pass it
    on among themselves for as long as they have tests.
    """
    with (folder / "machine.turn").open("w") as turn, (folder / "machine").open("w") as machine:
        fcntl.flock(turn, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield
