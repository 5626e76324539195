"""The configuration from its file, the environment and the command line, checked and typed."""

from __future__ import annotations

import copy
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from authorizer.config.addresses import is_url
from authorizer.config.checks import check_files, check_together
from authorizer.config.keys import config_keys, config_schema
from authorizer.config.layers import from_environment, from_flags
from authorizer.config.origin import Origin
from authorizer.config.settings import Rules, Settings
from authorizer.errors import ConfigError, Problem, SourceError
from authorizer.source.schema import Schema
from authorizer.source.units import seconds, size
from authorizer.source.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from authorizer.source.document import Document

DEFAULT_FILE: Final = Path("authorizer.yaml")


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and where they came from.

    All paths in `settings` are absolute. `origin` gives the place of any of them, by the path of
    its keys. `file` is the configuration's, or None where there was none.
    """

    settings: Settings
    origin: Origin
    file: Path | None

    def require_pdp(self) -> None:
        """Raise ConfigError, with what to do, when the settings name no PDP."""
        pdp = self.settings.pdp
        if not pdp.endpoints and pdp.embedded is None:
            hint = (
                "give --pdp HOST:PORT (or `pdp.endpoints`) for a Cerbos PDP that runs already,"
                " or --embedded-pdp POLICIES_DIR (or `pdp.embedded`) to run one"
            )
            raise ConfigError([Problem(self.origin.name, 0, 0, "names no PDP", hint)])


def load(
    config: Path | None = None,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Loaded:
    """Return the settings: flags over environment over file over defaults.

    `config` is the file that was asked for; without it `authorizer.yaml` in `cwd`, if there is
    one. `flags` maps the names in `authorizer.config.keys.FLAGS` to strings, numbers or lists of
    strings; None is a flag that was not given. `environ` holds the whole environment. Relative
    paths in the file start from the file's folder, those of flags and variables from `cwd` (the
    process's own working directory by default).

    Raises ConfigError with every problem that can be found at once.
    """
    cwd = Path.cwd() if cwd is None else cwd.absolute()
    problems: list[Problem] = []
    name = _file_name(config, cwd)
    document = _read(cwd / name, str(name), problems) if name is not None else None
    layers = [from_environment(environ or {}, config_keys(), problems), from_flags(flags or {})]
    origin = Origin(document, layers)
    _refuse([*problems, *dict.fromkeys(_schema_problems(document, origin))])
    file = cwd / name if name is not None else None
    base = file.parent if file is not None else cwd
    settings = decode(origin.value, lambda path: base if origin.is_from_file(path) else cwd)
    _refuse([*check_together(settings, origin), *check_files(settings, origin)])
    return Loaded(settings, origin, file)


def decode(written: Mapping[str, Any], base: Callable[[tuple[str, ...]], Path]) -> Settings:
    """Return what was written, which the schema accepts, as settings.

    `base` gives the folder that a relative path starts from, by the path of the setting's keys.
    Raises ValueError (msgspec.ValidationError is one) for what the schema refuses.
    """
    value = copy.deepcopy(dict(written))
    # The one default that is a path starts from a folder like any other.
    rules = value.setdefault("rules", {})
    if isinstance(rules, dict):
        rules.setdefault("paths", list(Rules().paths))
    for key in config_keys():
        *groups, last = key.path
        group: Any = value
        for name in groups:
            group = group.get(name) if isinstance(group, dict) else None
        if isinstance(group, dict) and last in group:
            group[last] = _converted(group[last], key.kind or key.item_kind, base(key.path))
    return msgspec.convert(value, Settings)


def _converted(value: object, kind: str, base: Path) -> object:
    """Return the value as the settings hold it."""
    if isinstance(value, list):
        return [_converted(item, kind, base) for item in value]
    if isinstance(value, dict) and kind:
        return {name: _converted(item, kind, base) for name, item in value.items()}
    if kind in _CONVERTERS:
        if not isinstance(value, str):
            msg = "expected a string"
            raise ValueError(msg)
        return _CONVERTERS[kind](value, base)
    if isinstance(value, float) and value.is_integer():
        return int(value)  # JSON Schema takes 501.0 for the whole number that it is
    return value


def _absolute(text: str, base: Path) -> str:
    if not text or "\0" in text:
        msg = "a path is neither empty nor holds NUL"
        raise ValueError(msg)
    return str(base / text)


_CONVERTERS: Final[Mapping[str, Callable[[str, Path], object]]] = {
    "duration": lambda text, _: seconds(text),
    "positive_duration": lambda text, _: seconds(text),
    "size": lambda text, _: size(text),
    "path": _absolute,
    # A bare name is looked up in PATH, when it is run.
    "program": lambda text, base: _absolute(text, base) if "/" in text else text,
    "path_or_url": lambda text, base: text if is_url(text) else _absolute(text, base),
}


def _file_name(config: Path | None, cwd: Path) -> Path | None:
    if config is not None:
        return config
    # A link that leads nowhere is a file that is missing, not one that nobody wanted.
    return DEFAULT_FILE if os.path.lexists(cwd / DEFAULT_FILE) else None


def _read(path: Path, name: str, problems: list[Problem]) -> Document | None:
    try:
        return read_yaml(path, name)
    except SourceError as error:
        problems.extend(error.problems)
        return None


def _schema_problems(document: Document | None, origin: Origin) -> Iterator[Problem]:
    """Yield what the schema has against the file by itself, and against all layers together.

    By itself: what a flag overrides has to be right all the same. Only a key that is missing in
    the file may come from elsewhere.
    """
    if document is not None and document.value is not None:
        yield from _schema_of_a_part().problems(document)
    yield from config_schema().problems(origin)


@functools.cache
def _schema_of_a_part() -> Schema:
    return Schema(_without_needs(config_schema().definition))


def _without_needs(node: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(node, dict):
        needs = {"required", "dependentRequired"}
        return {name: _without_needs(inner) for name, inner in node.items() if name not in needs}
    return node


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise ConfigError(problems)
