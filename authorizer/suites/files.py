"""Where suites and identities are: in folders named `tests` under the rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.errors import Problem, SourceError
from authorizer.source.files import files_under

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

_FOLDER: Final = "tests"
_IDENTITIES: Final = "identities.yaml"
_SUFFIXES: Final = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class SuiteFiles:
    """Files by what they hold, each once, in the order in which they were found."""

    suites: tuple[Path, ...]
    identities: tuple[Path, ...]


def find_suites(rules: Sequence[Path], asked: Sequence[Path] = ()) -> SuiteFiles:
    """Return the suites at and under `asked`, or else in every `tests` folder under `rules`.

    Identities are those of all these folders, and of the folders of the suites. Names that begin
    with a dot do not count. Raises SourceError for a path that is not there.
    """
    folders = [folder for path in rules for folder in _folders(path)]
    problems = [
        Problem(str(path), 0, 0, "there is no such file or folder")
        for path in asked
        if not path.exists()
    ]
    if problems:
        raise SourceError(problems)
    chosen = list(_files(asked or folders))
    suites = [file for file in chosen if file.name != _IDENTITIES]
    beside = [file.parent / _IDENTITIES for file in suites]
    known = [file for file in _files(folders) if file.name == _IDENTITIES]
    named = [file for file in chosen if file.name == _IDENTITIES]
    identities = [*known, *named, *(file for file in beside if file.is_file())]
    return SuiteFiles(_once(suites), _once(identities))


def _once(files: Iterable[Path]) -> tuple[Path, ...]:
    found: dict[Path, Path] = {}
    for file in files:
        found.setdefault(file.resolve(), file)
    return tuple(found.values())


def _folders(path: Path) -> Iterator[Path]:
    """Yield the folders of tests at any depth; rules are not looked for in them."""
    if not path.is_dir():
        return
    for child in sorted(path.iterdir()):
        if child.is_dir() and not child.name.startswith("."):
            if child.name == _FOLDER:
                yield child
            else:
                yield from _folders(child)


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        yield from files_under(path, _SUFFIXES)
