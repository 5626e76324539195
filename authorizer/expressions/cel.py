"""One CEL expression: type-checked when rules are loaded, evaluated at a request.

CEL is the language of Cerbos's own conditions, and the evaluator is Google's (cel-expr-python).
Three things of it are not what one expects, and are handled here and nowhere else:

* A failed evaluation does not raise: its value is of type ERROR and `plain_value()` gives the
  error's *text* as a string, which could pass for a resource id. The type is looked at first.
* The error's text may quote the data. Only its status code reaches our messages.
* A text ends at its first NUL, and a key does: `ann`, NUL, `x` equals `ann` (measured on 0.1.3).
  What an expression computes with may have none.

An expression that only walks down names (`path.org`, `headers['x-tenant']`) is by far the most
common. It is evaluated as the dictionary walk that it is: 0.2 us where CEL takes 8, and numbers
stay what JSON made of them. What CEL says of the plainest of these is known without it, so that it
is loaded (14 MiB, 40 ms) only where somebody computes.
"""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from authorizer.errors import ExpressionError, MissingKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from authorizer.model import JsonValue

# Longer expressions belong into policies; the parser's own limit is far above.
MAX_LENGTH: Final = 2_000
# `map` and `filter` copy their list at every step: 1,000 elements take 20 ms, 8,000 take seconds,
# and nobody else is answered meanwhile. A text counts too, as it can be split.
MAX_LOOPED: Final = 1_000
_NOT_JSON: Final = "gives a value that JSON does not know (only null, bool, numbers, strings, lists and maps with string keys)"  # noqa: E501 - a message


class Type:
    """CEL types, by the names that `Vocabulary` takes."""

    STRING = "string"
    STRINGS = "map(string, string)"
    LISTS = "map(string, list(string))"
    ANY = "dyn"


class CelSyntaxError(ValueError):
    """An expression that does not compile: `offset` characters in, for the given reason."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(reason)


class Bindings:
    """The values of one request's names, converted for CEL at most once.

    `data` is read when first needed; it must not change afterwards (an activation would see it).
    """

    __slots__ = ("_activation", "_cut", "_doubles", "data")

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self._activation: Any = None
        self._doubles: Bindings | None = None
        self._cut: dict[str, bool] = {}

    def is_cut(self, name: str) -> bool:
        """Say whether CEL would see less of this name than there is: it has a NUL somewhere."""
        found = self._cut.get(name)
        if found is None:
            found = self._cut[name] = _has_nul(self.data.get(name))
        return found

    def activation(self, env: Any) -> Any:  # noqa: ANN401 - the library's types are opaque
        """Return the CEL activation over these values."""
        if self._activation is None:
            self._activation = env.Activation(self.data)
        return self._activation

    @property
    def doubles(self) -> Bindings:
        """The same, with integers beyond 64 bits as doubles: what Cerbos makes of them too."""
        if self._doubles is None:
            self._doubles = Bindings({name: _doubled(item) for name, item in self.data.items()})
        return self._doubles


@dataclass(frozen=True, slots=True)
class Reference:
    """One name that an expression reads: `headers['x-tenant']` is ("headers", ("x-tenant",)).

    `keys` stops at the first key that is not a constant; `dynamic` says that there is one.
    """

    name: str
    keys: tuple[str, ...]
    dynamic: bool = False

    def read(self, data: Mapping[str, Any]) -> JsonValue:
        """Return what it names, or None where that is not there."""
        value: Any = data.get(self.name)
        for key in self.keys:
            value = value.get(key) if isinstance(value, dict) else None
        return value  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `references` holds everything that it reads.

    `builds_lists` says that it has a `map` or a `filter`.
    """

    text: str
    type_name: str
    references: tuple[Reference, ...]
    builds_lists: bool
    _walk: tuple[str, ...] | None
    _env: Any
    _program: Any

    def evaluate(self, bindings: Bindings) -> JsonValue:
        """Return the value; raises ExpressionError, which never quotes a value."""
        if self._walk is not None:
            value: Any = bindings.data
            for key in self._walk:
                try:
                    value = value[key]
                except (KeyError, TypeError, IndexError):
                    raise MissingKey(self.text, f"there is no `{key}`") from None
            return value  # type: ignore[no-any-return]
        if self.builds_lists and any(_is_long(one.read(bindings.data)) for one in self.references):
            reason = f"it builds a list of what has more than {MAX_LOOPED} elements or characters"
            raise ExpressionError(self.text, reason)
        if any(bindings.is_cut(reference.name) for reference in self.references):
            raise ExpressionError(self.text, "a value that it reads has a NUL in it")
        kind, value = self._run(bindings)
        if kind == _ERROR and value.startswith(_TOO_LARGE):
            # One such integer anywhere in a name fails every expression on it.
            kind, value = self._run(bindings.doubles)
        if kind == _ERROR:
            raise _failure(self.text, value)
        return _plain(value, self.text)

    def _run(self, bindings: Bindings) -> tuple[str, Any]:
        """Return the type of the result and its value; for an error, CEL's own text."""
        try:
            result = self._program.eval(bindings.activation(self._env))
        except RuntimeError as error:
            return _ERROR, str(error)
        kind = result.type().name()
        value = result.plain_value()
        return (_ERROR, str(value)) if kind in _NO_VALUE else (kind, value)


class Vocabulary:
    """The names that expressions may use, with their types (see `Type`)."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        self.compile = functools.lru_cache(maxsize=16_384)(self._compile)

    @functools.cached_property
    def _env(self) -> Any:  # noqa: ANN401 - the library's types are opaque
        from cel_expr_python import cel  # noqa: PLC0415 - 30 ms that `--help` need not wait for
        from cel_expr_python.ext import ext_strings  # noqa: PLC0415 - the same

        kinds = {
            Type.STRING: cel.Type.STRING,
            Type.STRINGS: cel.Type.Map(cel.Type.STRING, cel.Type.STRING),
            Type.LISTS: cel.Type.Map(cel.Type.STRING, cel.Type.List(cel.Type.STRING)),
            Type.ANY: cel.Type.DYN,
        }
        return cel.NewEnv(
            variables={name: kinds[kind] for name, kind in self.names.items()},
            extensions=[ext_strings.ExtStrings()],
        )

    def _compile(self, text: str) -> Expression:
        """Return `text` compiled; raises CelSyntaxError. Kept: rules repeat themselves."""
        if len(text) > MAX_LENGTH:
            reason = f"an expression has at most {MAX_LENGTH} characters; this one has {len(text)}"
            raise CelSyntaxError(0, reason)
        if (plain := _plain_walk(text, self.names)) is not None:
            return plain
        try:
            program = self._env.compile(text)
        except RuntimeError as error:
            raise _syntax_error(str(error), text, self.names) from None
        tree = _tree(program)
        references = tuple(
            reference for reference in _walk_tree(tree, frozenset()) if reference.name in self.names
        )
        return Expression(
            text=text,
            type_name=program.return_type().name(),
            references=references,
            builds_lists=_builds_lists(tree),
            _walk=_as_walk(text, references),
            _env=self._env,
            _program=program,
        )


_ERROR: Final = "ERROR"
_NO_VALUE: Final = (_ERROR, "*error*", "UNKNOWN")
_TOO_LARGE: Final = "INVALID_ARGUMENT: Integer value "
_SMALLEST: Final = -(2**63)
_LARGEST: Final = 2**63 - 1
_STATUS: Final = {
    "NOT_FOUND": "a key that it reads is missing",
    "INVALID_ARGUMENT": "a value that it reads does not fit the operation",
    "OUT_OF_RANGE": "a number or an index is out of range",
    "RESOURCE_EXHAUSTED": "it takes too many steps",
    "INTERNAL": "it takes too many steps, or the evaluator failed",
    "UNKNOWN": "no operation fits the values that it reads, or an index is out of range",
}


def _failure(expression: str, text: str) -> ExpressionError:
    """Return the error for what CEL said; only its status is safe to repeat."""
    found = re.match(r"[A-Z_]+", text)
    status = found.group() if found else ""
    kind = MissingKey if status == "NOT_FOUND" else ExpressionError
    return kind(expression, _STATUS.get(status, "it failed"))


_TOO_DEEP: Final = "it nests too deeply, or is a chain of too many operators (more than 32)"
_MISPLACED: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*?)(?: \(in container '.*?'\))?$")


def _syntax_error(text: str, expression: str, names: Mapping[str, str]) -> CelSyntaxError:
    if "recursion" in text:
        return CelSyntaxError(0, _TOO_DEEP)
    found = _MISPLACED.search(text.partition("\n")[0])
    if not found:
        return CelSyntaxError(0, "it is not a CEL expression")
    line, column, reason = int(found[1]), int(found[2]), found[3]
    offset = sum(len(row) + 1 for row in expression.split("\n")[: line - 1]) + column - 1
    if reason.startswith("undeclared reference"):
        reason += "; the names are " + ", ".join(sorted(names))
    return CelSyntaxError(max(offset, 0), reason)


def _has_nul(value: Any) -> bool:  # noqa: ANN401 - any of a request's values
    match value:
        case str():
            return "\0" in value
        case dict():
            return any("\0" in key or _has_nul(item) for key, item in value.items())
        case list() | tuple():
            return any(map(_has_nul, value))
        case _:
            return False


def _doubled(value: Any) -> Any:  # noqa: ANN401 - any of a request's values
    match value:
        case bool():
            return value
        case int():
            return value if _SMALLEST <= value <= _LARGEST else float(value)
        case dict():
            return {key: _doubled(item) for key, item in value.items()}
        case list():
            return [_doubled(item) for item in value]
        case _:
            return value


def _plain(value: Any, text: str) -> JsonValue:  # noqa: ANN401 - this is what makes it typed
    """Return a CEL value as JSON has it. Depth is bounded by the data and the expression."""
    match value:
        case float() if not math.isfinite(value):
            raise ExpressionError(text, "gives an infinite number, or none (NaN)")
        case None | bool() | int() | float() | str():
            return value
        case list():
            return [_plain(item, text) for item in value]
        case dict() if all(isinstance(key, str) for key in value):
            return {key: _plain(item, text) for key, item in value.items()}
        case _:
            raise ExpressionError(text, _NOT_JSON)


_WALK: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\['[^'\\]*'\]|\[\"[^\"\\]*\"\])*")


def _as_walk(text: str, references: tuple[Reference, ...]) -> tuple[str, ...] | None:
    if not _WALK.fullmatch(text.strip()) or len(references) != 1 or references[0].dynamic:
        return None
    return (references[0].name, *references[0].keys)


_NAMES: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*){0,8}")
# What CEL reads as something else than a name.
_WORDS: Final = frozenset(("true", "false", "null", "in"))
# The type of what stands so many names down, by the type of the first.
_PLAIN_TYPES: Final = {(Type.STRING, 0): "STRING", (Type.STRINGS, 1): "STRING"}


def _plain_walk(text: str, names: Mapping[str, str]) -> Expression | None:
    """Return an expression that is names with dots between them; None where CEL has to judge.

    Where no expression computes anything, which is the rule, CEL is never loaded: it takes 14 MiB
    and 40 ms of the start. A property of the tests holds what is returned to CEL's own verdict.
    """
    if not _NAMES.fullmatch(text):
        return None
    name, *keys = text.split(".")
    kind = names.get(name, "")
    type_name = "DYN" if kind == Type.ANY else _PLAIN_TYPES.get((kind, len(keys)))
    if type_name is None or not _WORDS.isdisjoint(keys):
        return None
    return Expression(
        text=text,
        type_name=type_name,
        references=(Reference(name, tuple(keys)),),
        builds_lists=False,
        _walk=(name, *keys),
        _env=None,
        _program=None,
    )


def _tree(program: Any) -> Any:  # noqa: ANN401 - the library's types
    """Return the checked syntax tree: names are read from it, so that no spelling is missed."""
    from google.api.expr.v1alpha1 import checked_pb2  # noqa: PLC0415 - only needed at load
    from google.protobuf import any_pb2  # noqa: PLC0415 - the same
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - the same

    wrapped = any_pb2.Any.FromString(program.serialize())
    try:
        checked = checked_pb2.CheckedExpr.FromString(wrapped.value)
    except DecodeError:
        # protobuf reads a hundred levels, and a macro makes six of one.
        raise CelSyntaxError(0, _TOO_DEEP) from None
    return checked.expr


def _walk_tree(node: Any, bound: frozenset[str]) -> Iterator[Reference]:  # noqa: ANN401 - protobuf
    if node.WhichOneof("expr_kind") == "comprehension_expr":
        loop = node.comprehension_expr
        yield from _walk_tree(loop.iter_range, bound)
        yield from _walk_tree(loop.accu_init, bound)
        inner = bound | {loop.iter_var, loop.accu_var}
        for child in (loop.loop_condition, loop.loop_step, loop.result):
            yield from _walk_tree(child, inner)
        return
    chain, rest = _chain(node)
    if chain is None:
        rest = list(_children(node))
    elif chain.name not in bound:
        # `.name` is the name itself, also where a macro's variable hides it.
        yield replace(chain, name=chain.name.removeprefix("."))
    for child in rest:
        yield from _walk_tree(child, bound)


def _builds_lists(node: Any) -> bool:  # noqa: ANN401 - protobuf
    """Say whether a loop collects a list: those of `all` and `exists` collect a boolean."""
    children = list(_children(node))
    if node.WhichOneof("expr_kind") == "comprehension_expr":
        loop = node.comprehension_expr
        if loop.accu_init.WhichOneof("expr_kind") == "list_expr":
            return True
        children = [loop.iter_range, loop.loop_condition, loop.loop_step, loop.result]
    return any(map(_builds_lists, children))


def _is_long(value: Any) -> bool:  # noqa: ANN401 - any of a request's values
    """Say whether a value, or one in it, has more elements or characters than may be looped."""
    match value:
        case str():
            return len(value) > MAX_LOOPED
        case dict():
            return len(value) > MAX_LOOPED or any(
                _is_long(key) or _is_long(item) for key, item in value.items()
            )
        case list():
            return len(value) > MAX_LOOPED or any(map(_is_long, value))
        case _:
            return False


def _children(node: Any) -> Iterator[Any]:  # noqa: ANN401 - protobuf
    match node.WhichOneof("expr_kind"):
        case "select_expr":
            yield node.select_expr.operand
        case "call_expr":
            if node.call_expr.HasField("target"):
                yield node.call_expr.target
            yield from node.call_expr.args
        case "list_expr":
            yield from node.list_expr.elements
        case "struct_expr":
            for entry in node.struct_expr.entries:
                if entry.WhichOneof("key_kind") == "map_key":
                    yield entry.map_key
                yield entry.value


def _chain(node: Any) -> tuple[Reference | None, list[Any]]:  # noqa: ANN401 - protobuf
    """Return the name and the constant keys that `node` walks down, and what else to look at."""
    keys: list[str] = []
    rest: list[Any] = []
    dynamic = False
    while True:
        kind = node.WhichOneof("expr_kind")
        if kind == "ident_expr":
            return Reference(node.ident_expr.name, tuple(reversed(keys)), dynamic), rest
        if kind == "select_expr":
            keys.append(node.select_expr.field)
            node = node.select_expr.operand
        elif kind == "call_expr" and node.call_expr.function == "_[_]":
            operand, index = node.call_expr.args
            if index.const_expr.WhichOneof("constant_kind") == "string_value":
                keys.append(index.const_expr.string_value)
            else:
                # Everything below an unknown key is unknown.
                keys.clear()
                dynamic = True
                rest.append(index)
            node = operand
        else:
            return None, []
