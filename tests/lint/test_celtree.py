"""A CEL expression of Cerbos is read as its own parser reads it, or refused in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.lint.celtree import (
    Call,
    Constant,
    Loop,
    Name,
    NotCel,
    Select,
    TooDeep,
    children,
    parse,
)

if TYPE_CHECKING:
    from authorizer.lint.celtree import Tree


def test_a_selection_says_where_it_starts() -> None:
    tree = parse('true && P.attr["a"].b')
    assert isinstance(tree, Call)
    operand = Call(
        "_[_]", (Select(Name("P", 8), "attr", is_test=False, at=8), Constant("string", "a", 15)), 8
    )
    assert tree.args[1] == Select(operand, "b", is_test=False, at=8)


def test_an_operator_starts_where_its_first_operand_does() -> None:
    tree = parse("  1 == 2")
    assert isinstance(tree, Call)
    assert (tree.function, tree.at) == ("_==_", 2)


def test_has_is_a_test() -> None:
    tree = parse("has(P.attr)")
    assert tree == Select(Name("P", 4), "attr", is_test=True, at=4)


def test_functions_of_cerbos_need_no_declaration() -> None:
    tree = parse('P.attr.ip.inIPAddrRange("10.0.0.0/8") && hasIntersection(P.roles, ["a"])')
    assert isinstance(tree, Call)
    assert [part.function for part in children(tree) if isinstance(part, Call)] == [
        "inIPAddrRange",
        "hasIntersection",
    ]


@pytest.mark.parametrize("macro", ["all", "exists", "exists_one", "filter"])
def test_a_macro_is_a_loop(macro: str) -> None:
    tree = parse(f"P.list.{macro}(x, x == 1)")
    assert isinstance(tree, Loop)
    assert (tree.variable, tree.binds, tree.at) == ("x", False, 0)


def test_a_binding_is_a_loop_over_nothing() -> None:
    tree = parse("cel.bind(x, P.id, x)")
    assert isinstance(tree, Loop)
    assert (tree.accumulator, tree.binds) == ("x", True)


@pytest.mark.parametrize(
    ("text", "offset"),
    [("P.attr.x = 1", 9), ("a &&", 4), ("", 0), ("a\n  b", 4), ("(a", 2)],
)
def test_what_is_no_cel_is_refused_in_its_place(text: str, offset: int) -> None:
    with pytest.raises(NotCel) as refused:
        parse(text)
    assert refused.value.offset == offset


def test_what_nests_too_deeply_is_not_called_wrong() -> None:
    with pytest.raises(TooDeep):
        parse("(" * 100 + "1" + ")" * 100)


def all_of(tree: Tree) -> list[Tree]:
    return [tree, *(inner for child in children(tree) for inner in all_of(child))]


@given(st.text(alphabet="Pa.[]()'\"=!&|? 1,x{}:\n\u00e9", max_size=30))
def test_any_text_is_read_or_refused_within_its_bounds(text: str) -> None:
    try:
        tree = parse(text)
    except NotCel as error:
        places = [error.offset]
    except TooDeep:
        places = []
    else:
        places = [part.at for part in all_of(tree)]
    assert all(0 <= at <= len(text) for at in places)
