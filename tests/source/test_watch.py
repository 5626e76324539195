"""The watch tells of every change, whatever way the files change, and of a burst only once."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import pytest
from polling import PATIENCE

from authorizer.source import watch
from authorizer.source.watch import Fingerprint, Pace, changes, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

# Long enough that only notifications can be what told of a change.
NOTIFIED_ONLY = Pace(interval=60.0)
BOUND = PATIENCE


class Watched:
    """A running watch; `count` is how often it yielded."""

    def __init__(self, paths: list[Path], since: Fingerprint | None, pace: Pace) -> None:
        self.count = 0
        self._changes = changes(paths, since=since, pace=pace)
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async with contextlib.aclosing(self._changes) as found:
            async for _ in found:
                self.count += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(BOUND):
            while not condition():
                if self._task.done():
                    await self._task
                await asyncio.sleep(0.01)

    async def told(self, since: int = 0) -> None:
        await self.until(lambda: self.count > since)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


@pytest.fixture
def armed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return how many times a watch has begun to wait for notifications."""
    waits = 0
    original = watch._Notifier.wait

    async def wait(self: watch._Notifier, timeout: float) -> set[str]:  # noqa: ASYNC109 - as is
        nonlocal waits
        waits += 1
        return await original(self, timeout)

    monkeypatch.setattr(watch._Notifier, "wait", wait)
    return lambda: waits


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "a.yaml").write_text("a: 1\n")
    return folder


def save_by_rename(folder: Path) -> None:
    (folder / ".a.yaml.new").write_text("a: 2\n")
    (folder / ".a.yaml.new").replace(folder / "a.yaml")


def make_nested(folder: Path) -> None:
    (folder / "x" / "y").mkdir(parents=True, exist_ok=True)
    (folder / "x" / "y" / "b.yml").write_text("b: 1\n")


def contents(folder: Path) -> list[str]:
    return [file.read_text() for file in sorted(folder.rglob("*.yaml"))]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda folder: (folder / "a.yaml").write_text("a: 2\n"), id="write"),
        pytest.param(lambda folder: (folder / "a.yaml").unlink(), id="delete"),
        pytest.param(lambda folder: (folder / "b.json").write_text("{}"), id="add"),
        pytest.param(lambda folder: (folder / "a.yaml").rename(folder / "c.yaml"), id="rename"),
        pytest.param(save_by_rename, id="save by rename"),
        pytest.param(make_nested, id="a nested directory"),
    ],
)
async def test_each_way_to_save_is_told_by_notification(
    rules: Path, armed: Callable[[], int], change: Callable[[Path], object]
) -> None:
    async with Watched([rules], None, NOTIFIED_ONLY) as watched:
        await watched.until(lambda: armed() > 0)
        change(rules)
        await watched.told()


async def test_a_single_file_is_watched_by_its_name(rules: Path, armed: Callable[[], int]) -> None:
    async with Watched([rules / "a.yaml"], None, NOTIFIED_ONLY) as watched:
        await watched.until(lambda: armed() > 0)
        save_by_rename(rules)
        await watched.told()


async def test_a_directory_that_vanishes_and_returns_is_watched_again(
    rules: Path, armed: Callable[[], int]
) -> None:
    async with Watched([rules], None, NOTIFIED_ONLY) as watched:
        await watched.until(lambda: armed() > 0)
        shutil.rmtree(rules)
        await watched.told()
        await watched.until(lambda: armed() > 1)
        before, waits = watched.count, armed()
        make_nested(rules)
        await watched.told(before)
        await watched.until(lambda: armed() > waits)
        before = watched.count
        make_nested(rules)
        await watched.told(before)


async def test_a_path_that_is_not_there_yet_is_told_when_it_appears(
    tmp_path: Path, armed: Callable[[], int]
) -> None:
    later = tmp_path / "one" / "two" / "rules"
    async with Watched([later], None, NOTIFIED_ONLY) as watched:
        await watched.until(lambda: armed() > 0)
        later.mkdir(parents=True)
        (later / "a.yaml").write_text("a: 1\n")
        await watched.told()


@pytest.mark.parametrize("of_file", [False, True], ids=["directory", "file"])
async def test_the_symlink_swap_of_a_kubernetes_configmap_is_told(
    tmp_path: Path, armed: Callable[[], int], *, of_file: bool
) -> None:
    mount = tmp_path / "mount"
    for generation in ("..1", "..2"):
        (mount / generation).mkdir(parents=True)
        (mount / generation / "a.yaml").write_text(f"a: {generation}\n")
    (mount / "..data").symlink_to("..1")
    (mount / "a.yaml").symlink_to("..data/a.yaml")
    path = mount / "a.yaml" if of_file else mount
    async with Watched([path], None, NOTIFIED_ONLY) as watched:
        await watched.until(lambda: armed() > 0)
        (mount / "..data_tmp").symlink_to("..2")
        (mount / "..data_tmp").replace(mount / "..data")
        shutil.rmtree(mount / "..1")
        await watched.told()


async def test_a_symlink_on_the_way_that_is_swapped_is_told(
    tmp_path: Path, armed: Callable[[], int]
) -> None:
    for release in ("r1", "r2"):
        (tmp_path / release / "rules").mkdir(parents=True)
        (tmp_path / release / "rules" / "a.yaml").write_text("a: 1\n")
    (tmp_path / "current").symlink_to("r1")
    async with Watched([tmp_path / "current" / "rules"], None, NOTIFIED_ONLY) as watched:
        await watched.until(lambda: armed() > 0)
        (tmp_path / "next").symlink_to("r2")
        (tmp_path / "next").replace(tmp_path / "current")
        await watched.told()


async def test_a_burst_of_a_hundred_saves_is_told_a_few_times_at_most(
    rules: Path, armed: Callable[[], int]
) -> None:
    pace = Pace(quiet=0.1, patience=30.0, interval=60.0)
    async with Watched([rules], None, pace) as watched:
        await watched.until(lambda: armed() > 0)
        for number in range(100):
            (rules / "a.yaml").write_text(f"a: {number}\n")
            (rules / f"b{number}.yaml").write_text("b: 1\n")
        waits = armed()
        await watched.told()
        await watched.until(lambda: armed() > waits)
        assert watched.count <= 5


async def test_whoever_reads_after_each_yield_ends_with_what_was_written_last(rules: Path) -> None:
    """Whatever falls between two looks, arming included, is told in the end."""
    read: list[str] = []

    async def follow() -> None:
        async with contextlib.aclosing(changes([rules], pace=NOTIFIED_ONLY)) as found:
            async for _ in found:
                await asyncio.sleep(0)
                read[:] = contents(rules)

    following = asyncio.create_task(follow())
    try:
        for number in range(60):
            folder = rules / f"d{number % 7}"
            folder.mkdir(exist_ok=True)
            (folder / "a.yaml").write_text(f"{number}")
            if number % 5 == 0:
                shutil.rmtree(folder)
            await asyncio.sleep(0.001 * (number % 9))
        last = contents(rules)
        async with asyncio.timeout(BOUND):
            while read != last:
                assert not following.done()
                await asyncio.sleep(0.01)
    finally:
        following.cancel()
        await asyncio.wait([following])


async def test_a_change_before_the_watch_began_is_told_at_once(rules: Path) -> None:
    since = fingerprint([rules])
    (rules / "a.yaml").write_text("a: 22\n")
    async with Watched([rules], since, NOTIFIED_ONLY) as watched:
        await watched.told()


async def test_nothing_is_told_while_nothing_changes(rules: Path, armed: Callable[[], int]) -> None:
    pace = Pace(interval=0.02)
    async with Watched([rules], fingerprint([rules]), pace) as watched:
        await watched.until(lambda: armed() > 5)
        (rules / "README.md").write_text("not a rule")
        (rules / ".a.yaml.swp").write_text("an editor's own")
        (rules / ".b.yaml").write_text("b: 1")
        waits = armed()
        await watched.until(lambda: armed() > waits + 5)
        assert watched.count == 0


async def test_two_writes_within_one_tick_of_the_file_system_are_both_told(
    rules: Path, armed: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    still = fingerprint([rules])
    monkeypatch.setattr(watch, "fingerprint", lambda *_, **__: still)
    async with Watched([rules], None, NOTIFIED_ONLY) as watched:
        await watched.until(lambda: armed() > 0)
        (rules / "a.yaml").write_text("a: 2\n")
        await watched.told()


async def test_without_notifications_changes_are_seen_by_looking_again(
    rules: Path, monkeypatch: pytest.MonkeyPatch, armed: Callable[[], int]
) -> None:
    def none_left(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device (os error 28)")

    monkeypatch.setattr(watch, "RustNotify", none_left)
    async with Watched([rules], None, Pace(interval=0.02)) as watched:
        await watched.until(lambda: armed() > 0)
        (rules / "a.yaml").write_text("a: 22\n")
        await watched.told()


async def test_closing_the_watch_leaves_no_thread_behind(
    rules: Path, armed: Callable[[], int]
) -> None:
    async with Watched([rules], None, NOTIFIED_ONLY) as watched:
        await watched.until(lambda: armed() > 0)
    async with asyncio.timeout(BOUND):
        await asyncio.get_running_loop().shutdown_default_executor()


def test_a_fingerprint_follows_symlinks_and_survives_those_that_lead_back(rules: Path) -> None:
    (rules / "sub").mkdir()
    (rules / "sub" / "up").symlink_to(rules)
    (rules / "gone.yaml").symlink_to("nowhere")
    assert set(fingerprint([rules]).files) == {str(rules / "a.yaml")}


@pytest.mark.parametrize("field", ["st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns"])
def test_a_fingerprint_changes_with_each_of_what_tells_files_apart(
    rules: Path, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """A file replaced by one of the same size and time is another file, and so on."""
    before = fingerprint([rules])
    original = watch._status

    def other(name: str) -> Any:  # noqa: ANN401 - as a stat_result, but for one field
        status = original(name)
        names = ("st_mode", "st_dev", "st_ino", "st_size", "st_mtime_ns", "st_ctime_ns")
        found = SimpleNamespace(**{each: getattr(status, each) for each in names})
        setattr(found, field, getattr(found, field) + 1)
        return found

    monkeypatch.setattr(watch, "_status", other)
    assert fingerprint([rules]) != before


def test_a_fingerprint_takes_a_relative_path_from_the_working_directory(
    rules: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert fingerprint([rules.relative_to(tmp_path)]) == fingerprint([rules])
