"""A folder that nobody else may enter, and that is removed even when its owner was killed.

Whoever has one holds a lock on a file in it, which the kernel takes back when the process ends,
however it ends. So the next one sees who is gone, without asking for a process id, which another
process may have by then, and which means another one in another container.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOCK: Final = "lock"
_UNREADY: Final = "lock.new"


class PrivateFolder:
    """A temporary folder of ours, 0700, until `remove`."""

    def __init__(self, prefix: str) -> None:
        """Make one whose name begins with `prefix`, and remove those whose owners are gone.

        Raises OSError where there is no place for it.
        """
        self.path: Final = Path(tempfile.mkdtemp(prefix=prefix))
        self._lock: int | None = None
        try:
            # Locked before it has its name: a lock that can be had is an owner's who is gone.
            self._lock = _locked(self.path / _UNREADY, os.O_CREAT | os.O_EXCL)
            (self.path / _UNREADY).rename(self.path / _LOCK)
        except BaseException:
            self.remove()
            raise
        for left in _left_behind(self.path, prefix):
            shutil.rmtree(left, ignore_errors=True)

    def remove(self) -> None:
        """Remove it with all that is in it. Idempotent."""
        shutil.rmtree(self.path, ignore_errors=True)
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)


def _left_behind(mine: Path, prefix: str) -> Iterator[Path]:
    """Yield the folders beside `mine` whose owners are gone, each while its lock is held."""
    for folder in mine.parent.glob(f"{prefix}*"):
        if folder == mine or not _is_ours(folder):
            continue
        # Held by its owner, or removed by another one of us meanwhile.
        with contextlib.suppress(OSError):
            lock = _locked(folder / _LOCK)
            try:
                yield folder
            finally:
                os.close(lock)


def _is_ours(folder: Path) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(found.st_mode)
        and stat.S_IMODE(found.st_mode) == stat.S_IRWXU
        and found.st_uid == os.geteuid()
    )


def _locked(file: Path, flags: int = 0) -> int:
    """Return the descriptor of a file, locked by us alone; raises OSError where it is another's.

    A child does not inherit it (PEP 446).
    """
    descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | flags, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
