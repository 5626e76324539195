"""Watch, build, swap: a saved file decides the next request, and a broken one decides nothing."""

from __future__ import annotations

import asyncio
import contextlib
import enum
import signal
import threading
from typing import TYPE_CHECKING, Final

import structlog

from authorizer.errors import Problem, SourceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator, Sequence

    from authorizer.snapshot import Current, Snapshot

# A set of rules can be wrong in a thousand places; the first few are what one mends.
_MAX_PROBLEMS: Final = 20
# Seconds until a watch that failed is tried again.
_WATCH_AGAIN: Final = 1.0

_log = structlog.get_logger()


class ReloadResult(enum.StrEnum):
    """What an attempt to load came to."""

    LOADED = "loaded"
    UNCHANGED = "unchanged"
    FAILED = "failed"


class Reloader:
    """Keeps a `Current` up to date with its sources, all or nothing.

    `build` reads all sources and returns a whole snapshot, or raises; it runs in a thread, never
    twice at the same time. `changes` starts a watch, which yields after the sources changed.
    `on_result` are called on the event loop after every attempt, once `current` says its outcome.
    """

    def __init__(
        self,
        build: Callable[[], Snapshot],
        current: Current,
        changes: Callable[[], AsyncGenerator[None, None]],
        on_result: Sequence[Callable[[ReloadResult], None]] = (),
    ) -> None:
        self._build = build
        self._current = current
        self._changes = changes
        self._on_result = tuple(on_result)
        # Set by every prompt, cleared before a build begins: however many prompts arrive while one
        # runs, exactly one more follows.
        self._wanted = asyncio.Event()
        # Whether a person did, who waits for a word on it whatever it comes to.
        self._asked = False

    def reload_now(self) -> None:
        """Ask for an attempt to load, as a change would. Call it on the event loop."""
        self._wanted.set()

    def _on_hangup(self) -> None:
        self._asked = True
        self.reload_now()

    async def run(self) -> None:
        """Load whenever the sources change, and on SIGHUP, until cancelled.

        Nothing that goes wrong while loading or watching ends it.
        """
        with self._hangup():
            watching = asyncio.create_task(self._watch(), name="reload-watch")
            try:
                while True:
                    await self._wanted.wait()
                    self._wanted.clear()
                    asked, self._asked = self._asked, False
                    await self._attempt(asked=asked)
            finally:
                watching.cancel()
                await asyncio.wait([watching])

    @contextlib.contextmanager
    def _hangup(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # only the main thread may handle signals
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)

    async def _watch(self) -> None:
        while True:
            try:
                async with contextlib.aclosing(self._changes()) as changes:
                    async for _ in changes:
                        self.reload_now()
            except Exception:  # noqa: BLE001 - a watch that fails is begun anew
                _log.error("rules.watch_failed", retry_seconds=_WATCH_AGAIN, exc_info=True)
            await asyncio.sleep(_WATCH_AGAIN)

    async def _attempt(self, *, asked: bool) -> None:
        try:
            snapshot = await asyncio.to_thread(self._build)
        except SourceError as refused:
            _log_problems(refused.problems)
            result = self._fail(refused)
        except Exception as unexpected:  # noqa: BLE001 - a failed build, whatever failed in it
            _log.error("rules.build_failed", exc_info=True)
            result = self._fail(_as_source_error(unexpected))
        else:
            result = self._take(snapshot, asked=asked)
        for tell in self._on_result:
            try:
                tell(result)
            except Exception:  # noqa: BLE001 - a listener's trouble is not the rules'
                _log.error("rules.listener_failed", exc_info=True)

    def _fail(self, error: SourceError) -> ReloadResult:
        # Kept for as long as the sources are broken; the frames of the build need not be.
        self._current.last_error = error.with_traceback(None)
        _log.error(
            "rules.reload_failed",
            problems=len(error.problems),
            in_force=self._current.snapshot.digest,
            detail="the last good rules go on deciding",
        )
        return ReloadResult.FAILED

    def _take(self, snapshot: Snapshot, *, asked: bool) -> ReloadResult:
        before = self._current.snapshot.digest
        recovered = self._current.last_error is not None
        self._current.last_error = None
        if snapshot.digest == before:
            if recovered or asked:
                _log.info("rules.restored" if recovered else "rules.unchanged", in_force=before)
            return ReloadResult.UNCHANGED
        self._current.snapshot = snapshot
        _log.info("rules.reloaded", in_force=snapshot.digest, before=before)
        return ReloadResult.LOADED


def _log_problems(problems: Sequence[Problem]) -> None:
    for problem in problems[:_MAX_PROBLEMS]:
        fields: dict[str, str | int] = {"source": problem.source, "message": problem.message}
        if problem.line:
            fields |= {"line": problem.line, "column": problem.column}
        if problem.hint:
            fields["hint"] = problem.hint
        _log.error("rules.problem", **fields)


def _as_source_error(error: Exception) -> SourceError:
    if isinstance(error, OSError) and error.filename is not None:
        return SourceError([Problem(str(error.filename), 0, 0, error.strerror or "unreadable")])
    what = f"loading failed unexpectedly ({type(error).__name__})"
    return SourceError([Problem("rules", 0, 0, what, "the log has the traceback")])
