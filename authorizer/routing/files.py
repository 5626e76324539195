"""Which files hold route rules, and what they say."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from authorizer.errors import Problem, RulesError, SourceError
from authorizer.source.files import files_under
from authorizer.source.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from authorizer.source.document import Document

_SUFFIXES: Final = (".yaml", ".yml")
# Suites of rule tests live beside the rules that they test.
_TESTS: Final = "tests"


def read_rules(paths: Sequence[Path]) -> list[Document]:
    """Return the documents of all rule files at and under `paths`, each file once.

    Under a directory these are `*.yaml` and `*.yml` at any depth, but for names that begin with a
    dot and for folders named `tests`. Raises RulesError with every problem; a path that is not
    there, or that has no rule file, is one.
    """
    return list(each_rule_file(paths))


def each_rule_file(paths: Sequence[Path]) -> Iterator[Document]:
    """Yield the documents that `read_rules` returns one by one, so that none need be kept.

    What is wrong with any of them is raised at the end.
    """
    problems: list[Problem] = []
    seen: set[Path] = set()
    for path in paths:
        try:
            files = list(files_under(path, _SUFFIXES, without=(_TESTS,)))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            problems.append(Problem(str(path), 0, 0, f"cannot be read: {reason}"))
            continue
        if not files:
            hint = "without a single route every request would be denied"
            problems.append(Problem(str(path), 0, 0, "no rule file (*.yaml, *.yml) here", hint))
        for file in files:
            try:
                document = read_yaml(file)
            except SourceError as error:
                problems += error.problems
                continue
            if (resolved := file.resolve()) not in seen:
                seen.add(resolved)
                yield document
            del document  # before the next is read
    if problems:
        raise RulesError(problems)


class Digest:
    """A name for what documents say: equal on every replica that has the same rules."""

    def __init__(self) -> None:
        self._contents: list[bytes] = []

    def passing(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents, and take in what each says."""
        for document in documents:
            self._contents.append(hashlib.sha256(repr(document.value).encode()).digest())
            yield document
            del document  # so that it is nobody's when the next is read

    def __str__(self) -> str:
        """Return the name of all that passed so far, in whatever order."""
        return hashlib.sha256(b"".join(sorted(self._contents))).hexdigest()[:16]


def digest(documents: Iterable[Document]) -> str:
    """Return the name of what the documents say (see `Digest`)."""
    taken = Digest()
    for _ in taken.passing(documents):
        pass
    return str(taken)
