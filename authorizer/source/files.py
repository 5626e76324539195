"""Which files a path stands for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path


def files_under(
    path: Path, suffixes: Collection[str], *, without: Collection[str] = ()
) -> Iterator[Path]:
    """Yield the file at `path`, or those under it with one of `suffixes`, at any depth, sorted.

    Names that begin with a dot, and those in `without`, do not count. Raises OSError.
    """
    if not path.is_dir():
        path.stat()
        yield path
        return
    for child in sorted(path.iterdir()):
        if child.name.startswith(".") or child.name in without:
            continue
        if child.is_dir():
            yield from files_under(child, suffixes, without=without)
        elif child.suffix in suffixes:
            yield child
