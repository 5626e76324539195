"""Where the cerbos program is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from authorizer.errors import ConfigError
from authorizer.pdp.binary import find_cerbos

if TYPE_CHECKING:
    from pathlib import Path


def program(path: Path, *, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_the_nearest_one_is_taken(tmp_path: Path) -> None:
    """Beside the installation, then beside the checkout, then PATH."""
    prefix, checkout, path = tmp_path / "venv", tmp_path / "checkout", tmp_path / "path"

    def find() -> Path:
        return find_cerbos(prefix=prefix, checkout=checkout, path=str(path))

    on_path = program(path / "cerbos")
    assert find() == on_path
    in_checkout = program(checkout / ".tools" / "bin" / "cerbos")
    assert find() == in_checkout
    installed = program(prefix / "bin" / "cerbos")
    assert find() == installed


def test_an_explicit_one_is_the_only_one(tmp_path: Path) -> None:
    mine = program(tmp_path / "mine")
    program(tmp_path / "bin" / "cerbos")
    assert find_cerbos(str(mine), prefix=tmp_path) == mine
    assert find_cerbos("mine", prefix=tmp_path, path=str(tmp_path)) == mine
    with pytest.raises(ConfigError, match="nothing-there is not an executable"):
        find_cerbos(str(tmp_path / "nothing-there"), prefix=tmp_path)


def test_what_cannot_be_run_is_not_found(tmp_path: Path) -> None:
    program(tmp_path / "bin" / "cerbos", mode=0o644)
    (tmp_path / ".tools" / "bin" / "cerbos").mkdir(parents=True)
    with pytest.raises(ConfigError, match="found no program named cerbos"):
        find_cerbos(prefix=tmp_path, checkout=tmp_path, path="")


def test_none_at_all_says_where_it_looked_and_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        find_cerbos(prefix=tmp_path / "a", checkout=tmp_path / "b", path="")
    said = str(caught.value)
    assert str(tmp_path / "a" / "bin" / "cerbos") in said
    assert str(tmp_path / "b" / ".tools" / "bin" / "cerbos") in said
    assert "--cerbos" in said
