"""Templates: text with `${CEL}` in it.

A string that is one `${…}` keeps the expression's type; in any other, each `${…}` must give a
string, a whole number or a boolean, and the whole is a string. `$${` is a literal `${`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from authorizer.errors import ExpressionError
from authorizer.expressions.cel import CelSyntaxError, Expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from authorizer.expressions.cel import Bindings, Reference, Vocabulary
    from authorizer.model import JsonValue

_OPEN: Final = "${"
_JOINABLE: Final = {"string", "int", "uint", "bool", "dyn"}
_JSON: Final = _JOINABLE | {"double", "null", "list", "map"}


class TemplateSyntaxError(ValueError):
    """A template that cannot be read: `offset` characters in, for the given reason."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Template:
    """A string value of a rule, compiled. `parts` alternate as they were written.

    `constant` is the value, where it is the same for every request.
    """

    text: str
    parts: tuple[str | Expression, ...]
    constant: str | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "constant", _constant(self.parts))

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The expressions in it, in order."""
        return tuple(part for part in self.parts if isinstance(part, Expression))

    def evaluate(self, bindings: Bindings) -> JsonValue:
        """Return the value; raises ExpressionError."""
        parts = self.parts
        if len(parts) == 1:
            only = parts[0]
            return only if isinstance(only, str) else only.evaluate(bindings)
        return "".join(part if isinstance(part, str) else _joined(part, bindings) for part in parts)


def _constant(parts: tuple[str | Expression, ...]) -> str | None:
    match parts:
        case ():
            return ""
        case (str(only),):
            return only
        case _:
            return None


def _joined(expression: Expression, bindings: Bindings) -> str:
    match expression.evaluate(bindings):
        case bool(truth):
            return "true" if truth else "false"
        case str(value):
            return value
        case int(number):
            return str(number)
        case _:
            raise ExpressionError(
                expression.text,
                "inside a text, it must give a string, a whole number or a boolean",
            )


@lru_cache(maxsize=16_384)
def compile_template(text: str, vocabulary: Vocabulary) -> Template:
    """Return `text` compiled; raises TemplateSyntaxError. Kept: rules repeat themselves."""
    parts: list[str | Expression] = []
    offsets: list[int] = []
    literal = ""
    position = 0
    while (start := text.find(_OPEN, position)) >= 0:
        literal += text[position:start]
        if text.startswith("$", start - 1) and start > position:
            literal += "{"  # `$${`: the first dollar is there already
            position = start + len(_OPEN)
            continue
        end = _end_of_expression(text, start + len(_OPEN))
        inner = text[start + len(_OPEN) : end]
        try:
            expression = vocabulary.compile(inner)
        except CelSyntaxError as error:
            reason = f"`{inner}`: {error.reason}"
            raise TemplateSyntaxError(start + len(_OPEN) + error.offset, reason) from None
        if literal:
            parts.append(literal)
            literal = ""
        parts.append(expression)
        offsets.append(start + len(_OPEN))
        position = end + 1
    literal += text[position:]
    if literal:
        parts.append(literal)
    template = Template(text, tuple(parts))
    for expression, offset in zip(template.expressions, offsets, strict=True):
        _check_type(expression, offset, alone=len(parts) == 1)
    return template


def _check_type(expression: Expression, offset: int, *, alone: bool) -> None:
    name = expression.type_name.partition("<")[0].lower()
    if name in (_JSON if alone else _JOINABLE):
        return
    expected = (
        "null, a boolean, a number, a string, a list or a map"
        if alone
        else "a string, a whole number or a boolean, inside a text"
    )
    reason = f"`{expression.text}` gives a {name}; expected {expected}"
    raise TemplateSyntaxError(offset, reason)


def _end_of_expression(text: str, start: int) -> int:
    """Return where the `}` stands that closes the expression which begins at `start`."""
    depth = 0
    position = start
    while position < len(text):
        character = text[position]
        if character in "'\"":
            position = _end_of_string(text, position)
            continue
        if character == "{":
            depth += 1
        elif character == "}":
            if depth == 0:
                return position
            depth -= 1
        position += 1
    raise TemplateSyntaxError(start - len(_OPEN), "`${` is not closed; write `$${` for a literal")


def _end_of_string(text: str, start: int) -> int:
    """Return the position behind the CEL string that begins with a quote at `start`."""
    raw = text[start - 1 : start] in ("r", "R")
    quote = text[start]
    fence = quote * 3 if text.startswith(quote * 3, start) else quote
    position = start + len(fence)
    while position < len(text):
        if text[position] == "\\" and not raw:
            position += 2
        elif text.startswith(fence, position):
            return position + len(fence)
        else:
            position += 1
    return position


@dataclass(frozen=True, slots=True)
class ValueTemplate:
    """Any YAML value with templates in its strings: what `attr` is made of."""

    value: Template | Mapping[str, ValueTemplate] | Sequence[ValueTemplate] | JsonValue

    def evaluate(self, bindings: Bindings) -> JsonValue:
        """Return the value with every template evaluated; raises ExpressionError."""
        match self.value:
            case Template() as template:
                return template.evaluate(bindings)
            case dict() as mapping:
                return {key: item.evaluate(bindings) for key, item in mapping.items()}
            case list() as items:
                return [item.evaluate(bindings) for item in items]
            case plain:
                return plain  # type: ignore[return-value] # a scalar, by construction

    def templates(self) -> Iterator[Template]:
        """Yield every template in it."""
        match self.value:
            case Template() as template:
                yield template
            case dict() as mapping:
                for item in mapping.values():
                    yield from item.templates()
            case list() as items:
                for item in items:
                    yield from item.templates()


def compile_value(
    value: Any,  # noqa: ANN401 - any YAML
    path: tuple[str | int, ...],
    compile_text: Callable[[tuple[str | int, ...], str], Template],
) -> ValueTemplate:
    """Return any YAML value with the templates in it.

    `compile_text` takes the path of a string and the string, so that it can say where it is wrong.
    """
    match value:
        case str():
            template = compile_text(path, value)
            constant = template.constant
            return ValueTemplate(template if constant is None else constant)
        case dict():
            return ValueTemplate(
                {
                    key: compile_value(item, (*path, key), compile_text)
                    for key, item in value.items()
                }
            )
        case list():
            return ValueTemplate(
                [
                    compile_value(item, (*path, number), compile_text)
                    for number, item in enumerate(value)
                ]
            )
        case _:
            return ValueTemplate(value)


def references(templates: Iterator[Template]) -> Iterator[tuple[Template, Expression, Reference]]:
    """Yield each name that the templates read, with where it is read."""
    for template in templates:
        for expression in template.expressions:
            for reference in expression.references:
                yield template, expression, reference
