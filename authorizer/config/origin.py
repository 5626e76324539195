"""Three layers made one, with the place that each value is from."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Final

from authorizer.config.keys import config_keys
from authorizer.source.document import Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from authorizer.config.keys import Key
    from authorizer.config.layers import Assignment
    from authorizer.errors import Problem
    from authorizer.source.document import Document

# To name one PDP on the command line means not to use the other, which the file has.
_DISPLACES: Final[Mapping[tuple[str, ...], tuple[str, ...]]] = {
    ("pdp", "endpoints"): ("pdp", "embedded"),
    ("pdp", "embedded", "policies"): ("pdp", "endpoints"),
}


class Origin:
    """The settings as they were written, `value`, and where each was written.

    `layers` are laid over the document one after the other; a list is replaced, never extended.
    """

    def __init__(
        self, document: Document | None, layers: Iterable[Iterable[Assignment]] = ()
    ) -> None:
        self._document = document
        self._assigned: dict[tuple[str | int, ...], Place] = {}
        content = document.value if document is not None else None
        self.value: Any = {} if content is None else copy.deepcopy(content)
        for layer in layers:
            assignments = list(layer)
            for assignment in assignments:
                if assignment.path in _DISPLACES:
                    self._remove(_DISPLACES[assignment.path])
            for assignment in assignments:
                self._set(assignment)

    def place(self, path: Sequence[str | int], *, key: bool = False) -> Place:
        """Return where the setting at `path` was written; its place in `Document.place` style.

        What a flag or a variable set is there, without a line. A setting that nothing set is "the
        default of" it.
        """
        path = tuple(path)
        for length in range(len(path), 0, -1):
            if path[:length] in self._assigned:
                return self._assigned[path[:length]]
        if (unset := self._unset(path)) is not None:
            return Place(f"the default of `{unset.dotted}`")
        if self._document is not None and self._document.value is not None:
            return self._document.place(path, key=key)
        inside = (place for name, place in self._assigned.items() if name[: len(path)] == path)
        return next(inside, Place(self.name))

    def problem(
        self, path: Sequence[str | int], message: str, hint: str = "", *, key: bool = False
    ) -> Problem:
        """Return a problem with the setting (or with `key` its key) at `path`."""
        return self.place(path, key=key).problem(message, hint)

    def is_from_file(self, path: Sequence[str | int]) -> bool:
        """Whether the file, or nothing, set what is at `path`."""
        return not any(tuple(path[:length]) in self._assigned for length in range(len(path) + 1))

    @property
    def name(self) -> str:
        """The name of the file, or "the configuration" without one."""
        return self._document.name if self._document is not None else "the configuration"

    def _unset(self, path: tuple[str | int, ...]) -> Key | None:
        """Return the setting that `path` is in, where it has its default."""
        for key in config_keys():
            if path[: len(key.path)] == key.path:
                *groups, last = key.path
                inner = self.value
                for group in groups:
                    inner = inner.get(group, {}) if isinstance(inner, dict) else {}
                return None if isinstance(inner, dict) and last in inner else key
        return None

    def _set(self, assignment: Assignment) -> None:
        *groups, last = assignment.path
        inner = self.value
        for group in groups:
            if not isinstance(inner, dict):
                return  # the file is wrong there, which is told anyway
            inner = inner.setdefault(group, {})
        if isinstance(inner, dict):
            inner[last] = assignment.value
            self._assigned[assignment.path] = assignment.place

    def _remove(self, path: tuple[str, ...]) -> None:
        *groups, last = path
        inner = self.value
        for group in groups:
            inner = inner.get(group, {}) if isinstance(inner, dict) else {}
        if isinstance(inner, dict):
            inner.pop(last, None)
        for assigned in list(self._assigned):
            if assigned[: len(path)] == path:
                del self._assigned[assigned]


class Part:
    """What was written under one setting, for a package that knows what it means."""

    def __init__(self, origin: Origin, path: tuple[str | int, ...], value: object) -> None:
        """Stand for `value`, the setting at `path`."""
        self.value: Final = value
        self._origin = origin
        self._path = path

    def problem(
        self, path: Sequence[str | int], message: str, hint: str = "", *, key: bool = False
    ) -> Problem:
        """Return a problem with what is at `path` under the setting."""
        return self._origin.problem((*self._path, *path), message, hint, key=key)
