"""An operation whose types never fit is told with what to write instead."""

from __future__ import annotations

import pytest

from authorizer.lint.fitting import (
    ARRAY,
    BOOLEAN,
    NULL,
    NUMBER,
    STRING,
    Kind,
    misfit,
    of_value,
)


def attribute(types: frozenset[str]) -> Kind:
    return Kind(types, path=("a",))


@pytest.mark.parametrize(
    ("function", "kinds", "help_"),
    [
        ("_==_", (attribute(NUMBER), of_value("5")), "a number is written without quotes"),
        ("_>=_", (attribute(NUMBER), of_value("5")), "a number is written without quotes"),
        ("_==_", (attribute(STRING | NULL), of_value(2)), "a string is written in quotes"),
        ("_!=_", (attribute(BOOLEAN), of_value("true")), "true and false are written without"),
        ("_==_", (attribute(ARRAY), of_value("a")), "write `… in …`"),
        ("startsWith", (attribute(NUMBER), of_value("a")), "`string(P.attr.a)`"),
        ("startsWith", (attribute(ARRAY), of_value("a")), "`P.attr.a.exists(one, …)`"),
        ("hasIntersection", (attribute(STRING), of_value(["a"])), "`P.attr.a in […]`"),
        ("_&&_", (attribute(STRING), of_value(value=True)), "`P.attr.a == …`"),
        ("_-_", (attribute(STRING), of_value(1)), "`double(P.attr.a)`"),
    ],
)
def test_each_misfit_says_what_to_write(function: str, kinds: tuple[Kind, ...], help_: str) -> None:
    words = misfit(function, kinds)
    assert words is not None
    assert help_ in words[1]
