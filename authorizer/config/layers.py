"""What the command line and the environment set, each value with the name that set it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from authorizer.config.keys import ENVIRONMENT_PREFIX, FLAGS, Key
from authorizer.errors import Problem, SourceError
from authorizer.source.document import Place
from authorizer.source.scalars import Surprise, read_plain
from authorizer.source.schema import nearest
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Assignment:
    """One setting that something other than the file sets, as the file would write it."""

    path: tuple[str, ...]
    value: Any
    place: Place


def from_flags(flags: Mapping[str, object]) -> list[Assignment]:
    """Return what the flags set; `flags` maps a name in `FLAGS` to its value, or None."""
    return [
        Assignment(FLAGS[flag], _plain(value), Place(flag))
        for flag, value in flags.items()
        if value is not None
    ]


def from_environment(
    environ: Mapping[str, str], keys: Iterable[Key], problems: list[Problem]
) -> list[Assignment]:
    """Return what the variables `AUTHORIZER__…` set; adds to `problems` what they got wrong.

    The case of a name does not matter. Every value is read as its setting's type: text as it is,
    lists separated by commas or as YAML (`[a, b]`), mappings as YAML.
    """
    known = {key.variable: key for key in keys}
    found: dict[str, Assignment] = {}
    for name in sorted(environ):
        variable = name.upper()
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        if variable not in known:
            message = "no setting has this variable"
            problems.append(Problem(name, 0, 0, message, _hint(variable, known)))
        elif variable in found:
            message = f"sets the same as {found[variable].place}"
            problems.append(Problem(name, 0, 0, message, "leave one of them out"))
        else:
            key = known[variable]
            try:
                value = _read(environ[name], str(key.node.get("type")), name)
            except SourceError as error:
                # A variable has no lines that one could turn to.
                problems += [Place(name).problem(p.message, p.hint) for p in error.problems]
            else:
                found[variable] = Assignment(key.path, value, Place(name))
    return list(found.values())


def _plain(value: object) -> object:
    if isinstance(value, (list, tuple)):
        return [str(item) for item in value]
    return value if isinstance(value, int) else str(value)


def _hint(variable: str, known: Mapping[str, Key]) -> str:
    inside = [name for name in known if name.startswith(f"{variable}__")]
    if inside:
        return f"it is a group; set its keys, such as {inside[0]}"
    # Without the prefix, which would make all of them look alike.
    names = {name.removeprefix(ENVIRONMENT_PREFIX): name for name in known}
    meant = nearest(variable.removeprefix(ENVIRONMENT_PREFIX), names)
    return f"did you mean {names[meant]}?" if meant else "docs/configuration.md lists them all"


def _read(text: str, kind: str, name: str) -> object:
    """Return the text as a value of `kind`, or as it is where it is none: the schema says so."""
    match kind:
        case "array" if text.lstrip().startswith("["):
            return load_yaml(text, name).value
        case "array":
            return _items(text)
        case "object":
            return load_yaml(text, name).value
        case "boolean" | "integer":
            value = read_plain(text)
            return text if isinstance(value, Surprise) else value
        case _:
            return text


def _items(text: str) -> Sequence[str]:
    return [item.strip() for item in text.split(",")] if text.strip() else []
