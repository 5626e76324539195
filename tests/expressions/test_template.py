"""Text with `${CEL}` in it: one expression keeps its type, a mixture is a text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.errors import ExpressionError, MissingKey
from authorizer.expressions.cel import Bindings, Type, Vocabulary
from authorizer.expressions.template import (
    Template,
    TemplateSyntaxError,
    compile_template,
    compile_value,
    references,
)

if TYPE_CHECKING:
    from authorizer.model import JsonValue

WORDS = Vocabulary({"path": Type.STRINGS, "subject": Type.STRING, "extra": Type.ANY})
BINDINGS = Bindings(
    {
        "path": {"id": "7", "org": "acme"},
        "subject": "alice",
        "extra": {"n": 5, "big": 2**70, "t": True, "f": 1.5, "z": None, "l": [1], "m": {"a": 1}},
    }
)


def evaluated(text: str) -> JsonValue:
    return compile_template(text, WORDS).evaluate(BINDINGS)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ""),
        ("plain", "plain"),
        ("${path.id}", "7"),
        ("a${path.id}b${subject}c", "a7balicec"),
        ("${path.id}${path.org}", "7acme"),
        ("${extra.n}", 5),
        ("${extra.t}", True),
        ("${extra.f}", 1.5),
        ("${extra.z}", None),
        ("${extra.l}", [1]),
        ("${extra.m}", {"a": 1}),
        ("${extra.big}", 2**70),
        ("n=${extra.n}", "n=5"),
        ("t=${extra.t}${1 > 2}", "t=truefalse"),
        ("${extra.big}!", f"{2**70}!"),
        ("u=${5u}", "u=5"),
        # literal dollars and braces
        ("$", "$"),
        ("$$", "$$"),
        ("a$b {c} }{", "a$b {c} }{"),
        ("$${", "${"),
        ("$${path.id}", "${path.id}"),
        ("$${a}${path.id}$${b}", "${a}7${b}"),
        ("${path.id}$${path.id}", "7${path.id}"),
        ("$$${", "$${"),
        ("5$", "5$"),
        ("${path.id}$", "7$"),
        # braces, quotes and strings inside
        ("${{'a': {'b': path.id}}.a.b}", "7"),
        ("${'}'}", "}"),
        ("x${'}' + \"{\" + '${'}y", "x}{${y"),
        ("${'it\\'s }'}", "it's }"),
        ("${r'\\d}'}", "\\d}"),
        ("${R'}\\s' + 'x'}", "}\\sx"),
        ("${'''a'}'b'''}", "a'}'b"),
        ('${"""}"""}', "}"),
        ('${r"""\\d}"""}', "\\d}"),
        ("${''}", ""),
        ("${'' + \"\"}x", "x"),
        ("${ path.id }", "7"),
        ("${path.id\n}", "7"),
        ("${[1, 2].map(x, {'k': x})}", [{"k": 1}, {"k": 2}]),
    ],
)
def test_a_template_gives_what_it_says(text: str, value: JsonValue) -> None:
    found = evaluated(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "offset", "why"),
    [
        ("${", 0, "is not closed"),
        ("ab${path.id", 2, "is not closed"),
        ("ab${'}", 2, "is not closed"),
        ("ab${{}", 2, "is not closed"),
        ("ab${'''}'}", 2, "is not closed"),
        ("${}", 2, "Syntax error"),
        ("é${nope}", 3, "undeclared reference"),
        ("${path.id}-${subject + 1}", 21, "no matching overload"),
        ("${path.id ${subject}}", 10, "Syntax error"),
        ("${r'\\'}", 2, "Invalid string literal"),
        ("${b'x'}", 2, "gives a bytes; expected null, a boolean"),
        ("b'x' ${b'x'}", 7, "gives a bytes; expected a string"),
        ("x${1.5}", 3, "gives a double; expected a string, a whole number or a boolean"),
        ("x${[1]}", 3, "gives a list"),
        ("x${path}", 3, "gives a map"),
        ("x${null}", 3, "gives a null"),
        ("${path.id}${null}", 12, "gives a null"),
        ("${timestamp('2026-01-01T00:00:00Z')}", 2, "gives a timestamp"),
    ],
)
def test_a_mistake_is_told_where_it_stands(text: str, offset: int, why: str) -> None:
    with pytest.raises(TemplateSyntaxError) as refused:
        compile_template(text, WORDS)
    assert why in refused.value.reason
    assert refused.value.offset == offset


@pytest.mark.parametrize("text", ["x${extra.f}", "x${extra.z}", "x${extra.l}", "x${extra.m}"])
def test_what_cannot_stand_in_a_text_is_refused_when_it_comes(text: str) -> None:
    with pytest.raises(ExpressionError, match="inside a text") as failed:
        evaluated(text)
    assert failed.value.expression == text[3:-1]


def test_what_is_missing_is_missing_in_a_text_too() -> None:
    with pytest.raises(MissingKey):
        evaluated("x${extra.nope}")


@pytest.mark.parametrize(
    ("text", "constant"),
    [("", ""), ("a", "a"), ("$${a}", "${a}"), ("${path.id}", None), ("a${1}", None)],
)
def test_a_constant_is_known_as_one(text: str, constant: str | None) -> None:
    assert compile_template(text, WORDS).constant == constant


PLAIN = st.text(alphabet="a{}'\" \\é\n:/.", max_size=6)


@given(st.lists(PLAIN, min_size=1, max_size=4))
def test_text_around_expressions_comes_out_as_it_is(texts: list[str]) -> None:
    assert evaluated("${subject}".join(texts)) == "alice".join(texts)


@given(st.text(alphabet="a{}'", max_size=8), st.sampled_from(["'", '"', "'''", '"""', "r'"]))
def test_no_string_in_an_expression_ends_it(inner: str, quote: str) -> None:
    closing = quote.removeprefix("r")
    body = inner if quote.startswith('"') else inner.replace("'", "")
    assert evaluated(f"x${{{quote}{body}{closing}}}y") == f"x{body}y"


@given(st.text(alphabet="$${}a'\"\\.", max_size=14))
def test_any_text_is_a_template_or_is_refused_inside_of_it(text: str) -> None:
    try:
        template = compile_template(text, WORDS)
    except TemplateSyntaxError as error:
        refused = error
    else:
        assert template.text == text
        return
    assert 0 <= refused.offset <= len(text)


def test_an_escape_makes_any_text_a_constant() -> None:
    text = "a ${path.id} and ${"
    assert compile_template(text.replace("${", "$${"), WORDS).constant == text


# ---------------------------------------------------------------- values


def compiled_value(value: Any) -> Any:  # noqa: ANN401 - any YAML
    paths: list[tuple[str | int, ...]] = []

    def compile_text(path: tuple[str | int, ...], text: str) -> Template:
        paths.append(path)
        return compile_template(text, WORDS)

    return compile_value(value, ("attr",), compile_text), paths


def test_a_value_keeps_its_shape_and_its_types() -> None:
    value: dict[str, Any] = {
        "n": 1, "f": 1.5, "t": True, "z": None, "s": "plain", "${path.id}": "keys are as written",
        "l": ["${path.id}", {"deep": "${extra.n}"}, []], "m": {}, "esc": "$${x}",
    }  # fmt: skip
    template, paths = compiled_value(value)
    assert template.evaluate(BINDINGS) == {
        **value, "l": ["7", {"deep": 5}, []], "esc": "${x}",
    }  # fmt: skip
    assert ("attr", "l", 1, "deep") in paths
    assert [found.text for found in template.templates()] == ["${path.id}", "${extra.n}"]
    names = [reference.name for _, _, reference in references(template.templates())]
    assert names == ["path", "extra"]


SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(
    alphabet="ab {}", max_size=4)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)


@given(VALUES)
def test_a_value_without_expressions_is_itself(value: JsonValue) -> None:
    template, _ = compiled_value(value)
    assert template.evaluate(BINDINGS) == value
    assert list(template.templates()) == []
