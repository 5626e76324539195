"""A private folder goes with its owner, or with the next one; no other is ever touched."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from authorizer.pdp.privatefolder import PrivateFolder

OWNER = """
import sys
from authorizer.pdp.privatefolder import PrivateFolder
folder = PrivateFolder("ours-")
(folder.path / "socket").touch()
print(folder.path, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put temporary folders where nobody else has any."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def left_behind(place: Path) -> Path:
    """Return the folder of a process that was killed."""
    environment = {**os.environ, "TMPDIR": str(place)}
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with owner:
        assert owner.stdout is not None
        path = Path(owner.stdout.readline().strip())
        owner.send_signal(signal.SIGKILL)
    assert (path / "socket").exists()
    return path


def test_it_is_ours_alone_and_goes_when_it_is_removed() -> None:
    folder = PrivateFolder("ours-")
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    (folder.path / "file").touch()
    folder.remove()
    folder.remove()
    assert not folder.path.exists()


def test_the_next_one_removes_what_a_killed_owner_left(place: Path) -> None:
    left = left_behind(place)
    folder = PrivateFolder("ours-")
    assert not left.exists()
    assert folder.path.is_dir()
    folder.remove()


def test_the_folder_of_an_owner_who_lives_is_left_alone() -> None:
    first = PrivateFolder("ours-")
    second = PrivateFolder("ours-")
    assert first.path.is_dir()
    for folder in (first, second):
        folder.remove()


def test_what_is_not_surely_ours_is_left_alone(place: Path) -> None:
    """Another prefix, other rights, no lock yet (its owner is about to take it), a link."""
    left = left_behind(place)
    other_prefix = left.rename(place / "other-1")
    elsewhere = left_behind(place).rename(place / "elsewhere")
    (place / "ours-link").symlink_to(elsewhere)
    no_lock = place / "ours-young"
    no_lock.mkdir(mode=0o700)
    open_to_all = left_behind(place)
    open_to_all.chmod(0o755)

    PrivateFolder("ours-").remove()

    for folder in (other_prefix, elsewhere, no_lock, open_to_all):
        assert folder.is_dir(), folder
    assert (elsewhere / "socket").exists()


def test_where_there_is_no_place_nothing_is_left(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(38, os.strerror(38))

    monkeypatch.setattr("fcntl.flock", refused)
    with pytest.raises(OSError, match=os.strerror(38)):
        PrivateFolder("ours-")
    assert list(place.iterdir()) == []
