"""Tells when files changed: by notification at once, by looking again where there is none.

A notification is only a prompt. What decides is a fingerprint of the files, so that a directory
that vanishes and returns, a file replaced by a rename, the symlink swap of a Kubernetes ConfigMap,
and a change made before the watch began are all one case: the files are not what they were.
"""

# ruff: noqa: PTH100, PTH114, PTH116, PTH120 - names are strings here: os.scandir gives them, and this runs every second

from __future__ import annotations

import asyncio
import os
import stat
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Self

from watchfiles._rust_notify import RustNotify

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Sequence
    from pathlib import Path
    from typing import TypeAlias

    # device, inode, size in bytes, time of modification and of change in nanoseconds
    _State: TypeAlias = tuple[int, int, int, int, int]

SUFFIXES: Final = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What the files under some paths look like from outside, by absolute name.

    `directories` are those whose entries can change it; they take no part in a comparison.
    """

    files: dict[str, _State] = field(default_factory=dict)
    directories: dict[str, tuple[int, int]] = field(default_factory=dict, compare=False)


def fingerprint(paths: Sequence[Path], *, suffixes: Sequence[str] = SUFFIXES) -> Fingerprint:
    """Return what the files at and under `paths` look like now.

    A path may be a file, a directory, or nothing yet. Under a directory, at any depth, files with
    one of `suffixes` count; names that begin with a dot do not. Symbolic links are followed.
    Take it before reading the files: what changes while they are read is then not missed.
    """
    found = Fingerprint()
    for path in paths:
        name = os.path.abspath(path)
        _add_approach(found, name)
        status = _status(name)
        if status is None:
            continue
        if stat.S_ISDIR(status.st_mode):
            _add_directory(found, name, status, tuple(suffixes))
        else:
            _add_file(found, name, status)
    return found


@dataclass(frozen=True, slots=True)
class Pace:
    """How eagerly to watch, in seconds.

    Changes that follow each other within `quiet` are one, for at most `patience`. Without a
    notification the files are looked at every `interval`, as some file systems send none.
    """

    quiet: float = 0.05
    patience: float = 0.5
    interval: float = 1.0


async def changes(
    paths: Sequence[Path],
    *,
    since: Fingerprint | None = None,
    suffixes: Sequence[str] = SUFFIXES,
    pace: Pace = Pace(),
) -> AsyncGenerator[None, None]:
    """Yield after the files at and under `paths` changed; which files count says `fingerprint`.

    `since` is the fingerprint taken before the caller read the files; when they are not what they
    were then, the first yield comes at once. Without it the watch starts from what is there now.

    It may yield once more than there were changes, never once less, and never ends by itself;
    close it with `contextlib.aclosing`.
    """
    seen = since if since is not None else await _look(paths, suffixes)
    touched: set[str] = set()
    while True:
        # Looked at after the watch is armed, so that nothing falls between the two.
        armed = await _look(paths, suffixes)
        with _Notifier(armed.directories, pace) as notifier:
            while True:
                now = await _look(paths, suffixes)
                # The clock of a file system ticks in milliseconds: two writes within one tick can
                # look the same, and only the notification knows of the second.
                if now != seen or not touched.isdisjoint(now.files):
                    seen = now
                    yield
                if now.directories != armed.directories:
                    touched = set()
                    break
                touched = await notifier.wait(pace.interval)


async def _look(paths: Sequence[Path], suffixes: Sequence[str]) -> Fingerprint:
    # In a thread: a network's file system may take its time.
    return await asyncio.to_thread(fingerprint, paths, suffixes=suffixes)


class _Notifier:
    """The system's notifications about the entries of some directories."""

    def __init__(self, directories: dict[str, tuple[int, int]], pace: Pace) -> None:
        self._quiet = int(pace.quiet * 1000)
        self._patience = int(pace.patience * 1000)
        self._notify = _notify(list(directories))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._notify is not None:
            self._notify.close()

    async def wait(self, timeout: float) -> set[str]:  # noqa: ASYNC109 - how long to wait at most
        """Return the names that were touched, or nothing after `timeout` seconds."""
        if self._notify is None:
            await asyncio.sleep(timeout)
            return set()
        stop = threading.Event()
        watching = asyncio.ensure_future(
            asyncio.to_thread(
                self._notify.watch, self._patience, self._quiet, int(timeout * 1000), stop
            )
        )
        try:
            touched = await asyncio.shield(watching)
        finally:
            # Not left behind: the thread sees this within `quiet`, and only then may it be closed.
            stop.set()
            await watching
        return {name for _, name in touched} if isinstance(touched, set) else set()


def _notify(directories: list[str]) -> RustNotify | None:
    """Return the notifier, or None where there can be none now: looking again has to do."""
    try:
        return RustNotify(
            directories,
            debug=False,
            force_polling=False,
            poll_delay_ms=300,
            recursive=False,
            ignore_permission_denied=True,
        )
    except OSError:
        # A directory vanished just now, or the system has no more watches to give.
        return None


def _status(name: str) -> os.stat_result | None:
    try:
        return os.stat(name)
    except OSError:
        return None


def _add_file(found: Fingerprint, name: str, status: os.stat_result) -> None:
    found.files[name] = (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _add_approach(found: Fingerprint, name: str) -> None:
    """Add the directories on the way to `name` in which it, or what it goes through, can change."""
    nearest = True
    for parent in _parents(name):
        if nearest and (status := _status(parent)) is not None:
            found.directories[parent] = (status.st_dev, status.st_ino)
            nearest = False
    for link in (name, *_parents(name)):
        if os.path.islink(link):
            _add_entries_of(found, os.path.dirname(link))
            _add_entries_of(found, os.path.dirname(os.path.realpath(link)))


def _parents(name: str) -> Iterator[str]:
    while (parent := os.path.dirname(name)) != name:
        yield parent
        name = parent


def _add_entries_of(found: Fingerprint, directory: str) -> None:
    if (status := _status(directory)) is not None:
        found.directories[directory] = (status.st_dev, status.st_ino)


def _add_directory(
    found: Fingerprint, name: str, status: os.stat_result, suffixes: tuple[str, ...]
) -> None:
    pending = [(name, status)]
    visited = set()
    while pending:
        directory, status = pending.pop()
        identity = (status.st_dev, status.st_ino)
        found.directories[directory] = identity
        if identity in visited:
            continue  # a symbolic link that leads back
        visited.add(identity)
        for entry in _entries(directory):
            if entry.name.startswith(".") or (inner := _status(entry.path)) is None:
                continue
            if stat.S_ISDIR(inner.st_mode):
                pending.append((entry.path, inner))
            elif entry.name.endswith(suffixes):
                _add_file(found, entry.path, inner)
                if entry.is_symlink():
                    _add_entries_of(found, os.path.dirname(os.path.realpath(entry.path)))


def _entries(directory: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except OSError:
        return []
