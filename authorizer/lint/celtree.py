"""The syntax tree of a CEL expression as Cerbos has it, by the parser that the rules use too.

Parsed and not type-checked: Cerbos's own functions and names need no declaration then.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from typing import TypeAlias

    Tree: TypeAlias = "Name | Select | Call | Constant | Items | Entries | Loop"

_UNUSED: Final = "#unused"
_MISPLACED: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?(.*)")
_KINDS: Final = {
    "bool_value": "boolean",
    "int64_value": "integer",
    "uint64_value": "integer",
    "double_value": "number",
    "string_value": "string",
    "bytes_value": "bytes",
    "null_value": "null",
}


class NotCel(ValueError):
    """A text that is no CEL expression: `offset` characters in, for the reason in `args`."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        super().__init__(reason)


class TooDeep(ValueError):
    """A text that may be CEL, and nests more deeply than can be read here."""


# `at` is where it starts, in characters from the start of the expression.


@dataclass(frozen=True, slots=True)
class Name:
    """A name by itself."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Select:
    """`operand.field`; with `is_test`, `has(operand.field)`."""

    operand: Tree
    field: str
    is_test: bool
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A function, a method (its target is the first of `args`) or an operator (`_==_`, `_[_]`)."""

    function: str
    args: tuple[Tree, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A literal; `kind` is one of boolean, integer, number, string, bytes, null."""

    kind: str
    value: Any
    at: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list that is written out."""

    items: tuple[Tree, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Entries:
    """A map that is written out: its keys and its values, one after the other."""

    parts: tuple[Tree, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Loop:
    """What a macro (`all`, `exists`, `map`, `filter`, …) stands for; `cel.bind` loops over nothing.

    `step` is evaluated for each of `over`, by the name `variable`, into `result`'s name.
    """

    variable: str
    over: Tree
    accumulator: str
    start: Tree
    step: Tree
    result: Tree
    at: int

    @property
    def binds(self) -> bool:
        """Whether it only names a value: `cel.bind(accumulator, start, result)`."""
        return self.variable == _UNUSED


def children(tree: Tree) -> tuple[Tree, ...]:
    """Return the parts of a tree that are trees."""
    match tree:
        case Select():
            return (tree.operand,)
        case Call():
            return tree.args
        case Items():
            return tree.items
        case Entries():
            return tree.parts
        case Loop():
            return (tree.over, tree.start, tree.step, tree.result)
        case _:
            return ()


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> Tree:
    """Return the tree of an expression; raises NotCel or TooDeep."""
    from google.api.expr.v1alpha1 import syntax_pb2  # noqa: PLC0415 - only who lints policies waits
    from google.protobuf import any_pb2  # noqa: PLC0415 - the same
    from google.protobuf.message import DecodeError  # noqa: PLC0415 - the same

    try:
        serialized = _env().compile(text, disable_check=True).serialize()
    except RuntimeError as error:
        raise _refusal(str(error), text) from None
    try:
        parsed = syntax_pb2.ParsedExpr.FromString(any_pb2.Any.FromString(serialized).value)
    except DecodeError:
        raise TooDeep from None
    return _Reader(parsed.source_info.positions).read(parsed.expr)


@functools.cache
def _env() -> Any:  # noqa: ANN401 - the library's types are opaque
    from cel_expr_python import cel  # noqa: PLC0415 - 30 ms that others need not wait for
    from cel_expr_python.ext import ext_bindings, ext_optional  # noqa: PLC0415 - the same

    # Those that bring syntax with them.
    extensions = [ext_bindings.ExtBindings(), ext_optional.ExtOptional()]
    return cel.NewEnv(variables={}, extensions=extensions)


def _refusal(text: str, expression: str) -> NotCel | TooDeep:
    found = _MISPLACED.search(text)
    if "recursion" in text or not found:
        return TooDeep()
    lines = expression.split("\n")[: int(found[1]) - 1]
    offset = sum(len(line) + 1 for line in lines) + int(found[2]) - 1
    # What else could stand there is a list of everything.
    reason = found[3].partition(" expecting ")[0]
    return NotCel(min(max(offset, 0), len(expression)), reason)


class _Reader:
    def __init__(self, positions: Any) -> None:  # noqa: ANN401 - protobuf
        self._positions = positions

    def read(self, node: Any) -> Tree:  # noqa: ANN401 - protobuf
        at = self._positions.get(node.id, 0)
        match node.WhichOneof("expr_kind"):
            case "const_expr":
                kind = node.const_expr.WhichOneof("constant_kind")
                value = None if kind == "null_value" else getattr(node.const_expr, kind)
                return Constant(_KINDS.get(kind, kind), value, at)
            case "ident_expr":
                # `.name` is the name itself, also where a macro's variable hides it.
                return Name(node.ident_expr.name.removeprefix("."), at)
            case "select_expr":
                select = node.select_expr
                operand = self.read(select.operand)
                return Select(operand, select.field, select.test_only, operand.at)
            case "call_expr":
                return self._call(node.call_expr, at)
            case "list_expr":
                return Items(tuple(map(self.read, node.list_expr.elements)), at)
            case "comprehension_expr":
                return self._loop(node.comprehension_expr, at)
            case _:
                return Entries(tuple(self._entries(node.struct_expr)), at)

    def _call(self, call: Any, at: int) -> Tree:  # noqa: ANN401 - protobuf
        targets = [call.target] if call.HasField("target") else []
        args = tuple(map(self.read, [*targets, *call.args]))
        # The position of an infix operator is its own.
        starts_there = bool(targets) or call.function.startswith(("_", "@"))
        return Call(call.function, args, args[0].at if starts_there else at)

    def _entries(self, struct: Any) -> list[Tree]:  # noqa: ANN401 - protobuf
        return [
            self.read(part)
            for entry in struct.entries
            for part in (
                *([entry.map_key] if entry.WhichOneof("key_kind") == "map_key" else []),
                entry.value,
            )
        ]

    def _loop(self, loop: Any, at: int) -> Tree:  # noqa: ANN401 - protobuf
        over = self.read(loop.iter_range)
        return Loop(
            variable=loop.iter_var,
            over=over,
            accumulator=loop.accu_var,
            start=self.read(loop.accu_init),
            step=self.read(loop.loop_step),
            result=self.read(loop.result),
            at=over.at if loop.iter_var != _UNUSED else at,
        )
