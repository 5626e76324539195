"""A saved file takes effect; a broken one changes nothing and is loudly reported."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest
from polling import PATIENCE, eventually
from structlog.testing import capture_logs

from authorizer.errors import Problem, RulesError
from authorizer.reload import Reloader, ReloadResult
from authorizer.snapshot import Current, Snapshot
from authorizer.source import watch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable
    from pathlib import Path

    from authorizer.errors import SourceError

LOADED, UNCHANGED, FAILED = ReloadResult.LOADED, ReloadResult.UNCHANGED, ReloadResult.FAILED


def snapshot(digest: str) -> Snapshot:
    nothing = cast("Any", None)
    return Snapshot(nothing, nothing, nothing, digest=digest, loaded_at=0.0)


class Numbers:
    """A set of sources: files, each of which must hold a number. The digest is their sum."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def build(self) -> Snapshot:
        problems, total = [], 0
        for path in sorted(self.folder.glob("*.yaml")):
            text = path.read_text()
            if text.strip().isdigit():
                total += int(text)
            else:
                problems.append(Problem(str(path), 1, 1, "not a number", "write digits"))
        if problems:
            raise RulesError(problems)
        return snapshot(str(total))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text("1")
    (tmp_path / "b.yaml").write_text("2")
    return tmp_path


class Running:
    """A reloader at work, what it has loaded, and what came of its attempts."""

    def __init__(
        self,
        build: Callable[[], Snapshot],
        changes: Callable[[], AsyncGenerator[None, None]],
        first: str = "3",
    ) -> None:
        self.current = Current(snapshot(first))
        self.results: list[ReloadResult] = []
        self.reloader = Reloader(build, self.current, changes, [self.results.append])

    @property
    def digest(self) -> str:
        return self.current.snapshot.digest

    def decides_by(self, digest: str) -> bool:
        return self.digest == digest

    def error(self) -> SourceError | None:
        return self.current.last_error


@asynccontextmanager
async def running(
    build: Callable[[], Snapshot], changes: Callable[[], AsyncGenerator[None, None]]
) -> AsyncIterator[Running]:
    it = Running(build, changes)
    task = asyncio.create_task(it.reloader.run())
    await asyncio.sleep(0)
    try:
        yield it
        assert not task.done(), "nothing may end the reloader"
    finally:
        task.cancel()
        await asyncio.wait([task])


@asynccontextmanager
async def watching(folder: Path) -> AsyncIterator[Running]:
    since = watch.fingerprint([folder])
    async with running(Numbers(folder).build, lambda: watch.changes([folder], since=since)) as it:
        yield it


async def never() -> AsyncGenerator[None, None]:
    await asyncio.Event().wait()
    yield


async def test_a_saved_file_takes_effect_within_a_second(folder: Path) -> None:
    async with watching(folder) as it:
        for number in (10, 20, 30):
            saved = time.monotonic()
            (folder / "b.yaml").write_text(str(number))
            await eventually(partial(it.decides_by, str(1 + number)))
            assert time.monotonic() - saved < 1


async def test_a_broken_file_leaves_the_last_good_set_deciding_and_says_where(
    folder: Path,
) -> None:
    with capture_logs() as events:
        async with watching(folder) as it:
            good = it.current.snapshot
            (folder / "a.yaml").write_text("40")
            (folder / "b.yaml").write_text("oops")
            await eventually(lambda: FAILED in it.results)
            assert it.digest in {"3", "42"}, "all or nothing"
            error = it.error()
            assert error is not None
            assert error.problems[0].source.endswith("b.yaml")
            problem = next(event for event in events if event["event"] == "rules.problem")
            assert problem["log_level"] == "error"
            assert problem["source"].endswith("b.yaml")
            assert (problem["line"], problem["message"]) == (1, "not a number")
            assert problem["hint"] == "write digits"
            assert any(event["event"] == "rules.reload_failed" for event in events)

            (folder / "b.yaml").write_text("2")
            await eventually(lambda: it.digest == "42")
            assert it.error() is None
            assert it.current.snapshot is not good


async def test_putting_the_file_back_clears_the_error_and_keeps_the_snapshot(
    folder: Path,
) -> None:
    with capture_logs() as events:
        async with watching(folder) as it:
            good = it.current.snapshot
            (folder / "b.yaml").write_text("oops")
            await eventually(lambda: it.current.last_error)
            (folder / "b.yaml").write_text("2")
            await eventually(lambda: it.current.last_error is None)
            assert it.current.snapshot is good
            assert it.results[-1] is UNCHANGED
            assert events[-1]["event"] == "rules.restored"


async def test_the_same_content_is_no_swap_and_no_noise() -> None:
    with capture_logs() as events:
        async with running(lambda: snapshot("3"), never) as it:
            good = it.current.snapshot
            it.reloader.reload_now()
            await eventually(lambda: it.results)
            assert it.results == [UNCHANGED]
            assert it.current.snapshot is good
    assert events == []


async def test_a_hangup_reloads() -> None:
    before = signal.getsignal(signal.SIGHUP)
    async with running(lambda: snapshot("4"), never) as it:
        os.kill(os.getpid(), signal.SIGHUP)
        await eventually(lambda: it.digest == "4")
        assert it.results == [LOADED]
    assert signal.getsignal(signal.SIGHUP) == before


async def test_a_hangup_says_so_when_nothing_has_changed() -> None:
    with capture_logs() as events:
        async with running(lambda: snapshot("3"), never) as it:
            os.kill(os.getpid(), signal.SIGHUP)
            await eventually(lambda: it.results)
            it.reloader.reload_now()
            await eventually(lambda: len(it.results) > 1)
    assert [(event["event"], event["in_force"]) for event in events] == [("rules.unchanged", "3")]


async def test_a_burst_during_a_build_is_followed_by_exactly_one_more() -> None:
    begun, gate, builds = threading.Event(), threading.Event(), 0

    def build() -> Snapshot:
        nonlocal builds
        builds += 1
        begun.set()
        assert gate.wait(PATIENCE)
        return snapshot(f"build {builds}")

    async with running(build, never) as it:
        for _ in range(10):
            it.reloader.reload_now()
        await eventually(begun.is_set)
        for _ in range(10):
            it.reloader.reload_now()
            await asyncio.sleep(0)
        assert builds == 1, "never two at the same time"
        gate.set()
        await eventually(lambda: len(it.results) == 2)
        it.reloader.reload_now()
        await eventually(lambda: len(it.results) == 3)
        assert builds == 3


async def test_a_build_runs_off_the_event_loop() -> None:
    threads: list[threading.Thread] = []

    def build() -> Snapshot:
        threads.append(threading.current_thread())
        return snapshot("4")

    async with running(build, never) as it:
        it.reloader.reload_now()
        await eventually(lambda: it.results)
    assert threads[0] is not threading.current_thread()


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ZeroDivisionError("value"), "ZeroDivisionError"),
        (RecursionError("value"), "RecursionError"),
        (PermissionError(13, "Permission denied", "rules/a.yaml"), "rules/a.yaml"),
    ],
)
async def test_whatever_a_build_raises_is_a_failed_load(error: Exception, told: str) -> None:
    broken = True

    def build() -> Snapshot:
        if broken:
            raise error
        return snapshot("4")

    with capture_logs() as events:
        async with running(build, never) as it:
            it.reloader.reload_now()
            await eventually(lambda: it.results == [FAILED])
            assert it.digest == "3"
            assert told in str(it.current.last_error)
            assert "value" not in str(it.current.last_error)
            assert events[0]["event"] == "rules.build_failed"
            assert events[0]["exc_info"]

            broken = False
            it.reloader.reload_now()
            await eventually(lambda: it.digest == "4")


async def test_a_listener_that_fails_ends_nothing_and_hides_nothing_from_the_next() -> None:
    heard: list[ReloadResult] = []

    def fails(_: ReloadResult) -> None:
        raise RuntimeError

    current = Current(snapshot("3"))
    reloader = Reloader(lambda: snapshot("4"), current, never, [fails, heard.append])
    with capture_logs() as events:
        task = asyncio.create_task(reloader.run())
        reloader.reload_now()
        await eventually(lambda: heard == [LOADED])
        task.cancel()
        await asyncio.wait([task])
    assert "rules.listener_failed" in [event["event"] for event in events]


async def test_a_watch_that_fails_is_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authorizer.reload._WATCH_AGAIN", 0.01)
    begun = 0

    async def changes() -> AsyncGenerator[None, None]:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise OSError
        yield
        await asyncio.Event().wait()

    with capture_logs() as events:
        async with running(lambda: snapshot("4"), changes) as it:
            await eventually(lambda: it.digest == "4")
    assert begun == 2
    assert events[0]["event"] == "rules.watch_failed"


async def test_a_thousand_problems_do_not_flood_the_log() -> None:
    def build() -> Snapshot:
        raise RulesError([Problem("a.yaml", line, 1, "wrong") for line in range(1, 1001)])

    with capture_logs() as events:
        async with running(build, never) as it:
            it.reloader.reload_now()
            await eventually(lambda: it.results)
    assert len(events) < 30
    assert events[-1]["problems"] == 1000


async def test_cancelling_ends_it_with_its_watch() -> None:
    closed = False

    async def changes() -> AsyncGenerator[None, None]:
        nonlocal closed
        try:
            await asyncio.Event().wait()
            yield
        finally:
            closed = True

    async with running(lambda: snapshot("4"), changes):
        await asyncio.sleep(0)
    assert closed
