"""A document held to a JSON Schema (draft 2020-12): every problem, in its place, in words.

The schema helps with the words: `x-expected` says what a value should have been ("host:port"),
and is said wherever a keyword beside it fails. No value of a document is ever quoted, as it may
be a secret; its place is told instead.
"""

from __future__ import annotations

import difflib
import functools
import importlib.resources
import json
import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from jsonschema import Draft202012Validator

from authorizer.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from jsonschema import ValidationError

    from authorizer.errors import Problem

    class Located(Protocol):
        """A value whose parts have places, as a `Document` is."""

        @property
        def value(self) -> object:
            """The value, as plain Python."""

        def problem(
            self, path: Sequence[str | int], message: str, hint: str = "", *, key: bool = False
        ) -> Problem:
            """Return a problem with the value (or with `key` the key) at `path`."""


# More known keys than these do not help a reader.
_MAX_LISTED: Final = 16


class Schema:
    """A compiled JSON Schema; `definition` is the schema itself."""

    def __init__(self, definition: dict[str, Any]) -> None:
        self.definition: Final = definition
        self._validator = Draft202012Validator(definition)

    def problems(self, document: Located) -> list[Problem]:
        """Return all that is wrong with `document`, in the order of its text."""
        found = [
            document.problem(finding.path, finding.message, finding.hint, key=finding.key)
            for error in self._validator.iter_errors(document.value)
            for finding in _explain(error)
        ]
        # What an alias repeats, or two keywords say of one value, is one problem.
        return sorted(dict.fromkeys(found), key=lambda problem: (problem.line, problem.column))

    def check(self, document: Located) -> None:
        """Raise SourceError with all that is wrong with `document`, if anything is."""
        if problems := self.problems(document):
            raise SourceError(problems)


@functools.cache
def load_schema(package: str, name: str) -> Schema:
    """Return the schema in the JSON file `name` of `package`; read and compiled once."""
    text = importlib.resources.files(package).joinpath(name).read_text("utf-8")
    return Schema(json.loads(text))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return which of `known` was probably meant by `word`, whatever its case, or None."""
    candidates = {candidate.casefold(): candidate for candidate in known}
    found = difflib.get_close_matches(word.casefold(), candidates, n=1, cutoff=0.6)
    return candidates[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint towards what `word` was meant to be: the nearest of `known`, or them all."""
    candidates = list(known)
    if (meant := nearest(word, candidates)) is not None:
        return f"did you mean `{meant}`?"
    if 0 < len(candidates) <= _MAX_LISTED:
        return "known here: " + ", ".join(f"`{candidate}`" for candidate in candidates)
    return ""


class _Finding(NamedTuple):
    path: Sequence[str | int]
    message: str
    hint: str = ""
    # The key at `path` is meant, rather than its value.
    key: bool = False


def _explain(error: ValidationError) -> Iterator[_Finding]:
    """Say what `error` means, as one or more findings."""
    path = tuple(error.absolute_path)
    if "propertyNames" in error.relative_schema_path:
        # Such an error stands at the mapping, and its instance is the key.
        yield _Finding((*path, str(_instance(error))), f"as a key: {_sentence(error)}", key=True)
        return
    match error.validator:
        case "anyOf" | "oneOf":
            yield from _explain_alternatives(error, path)
        case "additionalProperties":
            yield from _explain_unknown_keys(error, path)
        case "required":
            for name in _argument(error):
                if name not in _instance(error) and not _is_misspelt(name, error):
                    yield _Finding(path, f"`{name}` is missing", key=True)
        case "dependentRequired":
            yield from _explain_dependencies(error, path)
        case "enum":
            yield _Finding(path, _sentence(error), _nearest_of(error))
        case _:
            yield _Finding(path, _sentence(error), _example(error))


def _explain_unknown_keys(
    error: ValidationError, path: tuple[str | int, ...]
) -> Iterator[_Finding]:
    known = _definition(error).get("properties", {})
    for key in _unknown_keys(error):
        yield _Finding((*path, key), f"unknown key `{key}`", did_you_mean(key, known), key=True)


def _unknown_keys(error: ValidationError) -> Iterator[str]:
    schema = _definition(error)
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for key in _instance(error):
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            yield key


def _is_misspelt(name: str, error: ValidationError) -> bool:
    """Say whether a missing key is there under a name that is told as unknown: one slip."""
    schema = _definition(error)
    return schema.get("additionalProperties") is False and any(
        nearest(key, schema.get("properties", {})) == name for key in _unknown_keys(error)
    )


def _definition(error: ValidationError) -> dict[str, Any]:
    return error.schema if isinstance(error.schema, dict) else {}


def _explain_dependencies(
    error: ValidationError, path: tuple[str | int, ...]
) -> Iterator[_Finding]:
    for name, needed in _argument(error).items():
        for other in needed:
            if name in _instance(error) and other not in _instance(error):
                message = f"`{name}` needs `{other}` beside it"
                yield _Finding((*path, name), message, key=True)


def _explain_alternatives(
    error: ValidationError, path: tuple[str | int, ...]
) -> Iterator[_Finding]:
    branches: dict[int, list[ValidationError]] = {}
    for inner in error.context or ():
        branches.setdefault(int(inner.relative_schema_path[0]), []).append(inner)
    required = _required_by(_argument(error))
    if not branches:
        yield _Finding(path, _too_many(error, required), key=True)
    elif required and all(inner.validator == "required" for inner in error.context or ()):
        names = ", ".join(f"`{name}`" for name in required)
        yield _Finding(path, f"one of {names} is missing", key=True)
    else:
        meant = min(branches.values(), key=_misfit)
        if _misfit(meant)[0] or (_expected(error) and not any(inner.path for inner in meant)):
            yield _Finding(path, _no_alternative(error, branches.values()), _example(error))
        else:
            for inner in meant:
                yield from _explain(inner)


def _misfit(branch: Sequence[ValidationError]) -> tuple[bool, int, int]:
    """Return how far a branch of alternatives is from what the document says; less is nearer."""
    wrong_type = any(error.validator == "type" and not error.relative_path for error in branch)
    # A constant near the top says which alternative was meant.
    other_kind = sum(
        error.validator in {"const", "enum"} and len(error.relative_path) <= 1 for error in branch
    )
    return wrong_type, other_kind, len(branch)


def _required_by(alternatives: Iterable[object]) -> list[str]:
    """Return the keys of which alternatives like `{"required": ["x"]}` each want their own."""
    return [
        name
        for alternative in alternatives
        if isinstance(alternative, dict)
        for name in alternative.get("required", ())
    ]


def _too_many(error: ValidationError, required: Sequence[str]) -> str:
    given = _instance(error) if isinstance(error.instance, dict) else ()
    present = [f"`{name}`" for name in required if name in given]
    if len(present) > 1:
        return f"only one of {_listed(present, 'and')} may be there"
    return f"expected {_expected(error) or 'what fits only one alternative'}"


def _no_alternative(error: ValidationError, branches: Iterable[Sequence[ValidationError]]) -> str:
    expected = _expected(error) or _listed(
        dict.fromkeys(
            _expected(inner) or _types(inner)
            for branch in branches
            for inner in branch
            if inner.validator == "type" and not inner.relative_path
        ),
        "or",
    )
    return f"expected {expected}, found {_kind(_instance(error))}"


def _argument(error: ValidationError) -> Any:  # noqa: ANN401 - what follows the keyword
    return error.validator_value


def _instance(error: ValidationError) -> Any:  # noqa: ANN401 - what failed
    return error.instance


def _sentence(error: ValidationError) -> str:
    expected = _expected(error)
    if error.validator == "type":
        return f"expected {expected or _types(error)}, found {_kind(_instance(error))}"
    if expected:
        return f"expected {expected}"
    words = _WORDS.get(str(error.validator))
    return words(_argument(error)) if words else "is not allowed here"


def _expected(error: ValidationError) -> str:
    return str(error.schema.get("x-expected", "")) if isinstance(error.schema, dict) else ""


def _example(error: ValidationError) -> str:
    """Return what a list or a mapping looks like that should stand where neither does."""
    if isinstance(error.instance, (dict, list)):
        return ""
    examples = _definition(error).get("examples", ())
    example = next((one for one in examples if isinstance(one, (dict, list))), None)
    if example is not None:
        return f"write it like `{_flow(example)}`"
    wants_list = error.validator == "type" and _argument(error) == "array"
    return "put it in brackets, as a list" if wants_list and isinstance(error.instance, str) else ""


def _flow(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(_flow, value)) + "]"
        case str():
            return value
        case _:
            return json.dumps(value)


def _nearest_of(error: ValidationError) -> str:
    words = [word for word in _argument(error) if isinstance(word, str)]
    meant = nearest(error.instance, words) if isinstance(error.instance, str) else None
    return f"did you mean `{meant}`?" if meant is not None else ""


_KINDS: Final[dict[str, str]] = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "nothing",
}

_KIND_OF: Final[dict[type, str]] = {
    type(None): "nothing",
    int: "a whole number",
    float: "a number",
    str: "a string",
    list: "a list",
}


def _types(error: ValidationError) -> str:
    types = _argument(error)
    names = [types] if isinstance(types, str) else types
    return _listed([_KINDS[name] for name in names], "or")


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return _KIND_OF.get(type(value), "a mapping")


def _listed(words: Iterable[str], conjunction: str) -> str:
    *most, last = words
    return f"{', '.join(most)} {conjunction} {last}" if most else last


def _number_of(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _constant(value: object) -> str:
    return f"`{value}`" if isinstance(value, str) else json.dumps(value)


_WORDS: Final[dict[str, Callable[[Any], str]]] = {
    "const": lambda value: f"expected {_constant(value)}",
    "enum": lambda values: f"expected {_listed(map(_constant, values), 'or')}",
    "pattern": lambda pattern: f"expected what matches /{pattern}/",
    "minimum": lambda least: f"expected at least {least}",
    "maximum": lambda most: f"expected at most {most}",
    "exclusiveMinimum": lambda bound: f"expected more than {bound}",
    "exclusiveMaximum": lambda bound: f"expected less than {bound}",
    "multipleOf": lambda factor: f"expected a multiple of {factor}",
    "minLength": lambda least: (
        "must not be empty" if least == 1 else f"expected at least {least} characters"
    ),
    "maxLength": lambda most: f"expected at most {_number_of(most, 'character')}",
    "minItems": lambda least: f"expected at least {_number_of(least, 'item')}",
    "maxItems": lambda most: f"expected at most {_number_of(most, 'item')}",
    "uniqueItems": lambda _: "an item is there twice",
    "minProperties": lambda least: f"expected at least {_number_of(least, 'key')}",
    "maxProperties": lambda most: f"expected at most {_number_of(most, 'key')}",
}
