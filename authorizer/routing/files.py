"""Which files hold route rules, and what they say."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from authorizer.errors import Problem, RulesError, SourceError
from authorizer.source.files import files_under
from authorizer.source.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Sequence
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
    problems: list[Problem] = []
    documents: dict[Path, Document] = {}
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
            else:
                documents.setdefault(file.resolve(), document)
    if problems:
        raise RulesError(problems)
    return list(documents.values())


def digest(documents: Sequence[Document]) -> str:
    """Return a name for what the documents say: equal on every replica that has the same rules."""
    contents = sorted(
        hashlib.sha256(repr(document.value).encode()).digest() for document in documents
    )
    return hashlib.sha256(b"".join(contents)).hexdigest()[:16]
