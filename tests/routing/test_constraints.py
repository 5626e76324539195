"""What the PDP would reject is known before it is asked."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.expressions.clarity import is_clear
from authorizer.routing.constraints import objection

# As the fields of Cerbos say them; Go's \w is ASCII, and its $ is the end of the text.
CERBOS = {
    "policy_version": re.compile(r"^[\w]*\Z", re.ASCII),
    "scope": re.compile(r"^(^\Z|\.|[0-9a-zA-Z][\w\-]*(\.\w[\w\-]*)*)\Z", re.ASCII),
}


@pytest.mark.parametrize("key", list(CERBOS))
@given(st.text(alphabet="aZ0_-. \n\u00e9\u0663\u00b2", max_size=8))
def test_the_patterns_are_those_of_cerbos(key: str, value: str) -> None:
    assert (objection(key, value) == "") is bool(CERBOS[key].match(value))


@pytest.mark.parametrize(
    "value", ["a.b-c_d", "", ".", "0", "a._b", "A.0", "a-", "a.b.c"]
)  # fmt: skip
def test_a_scope_that_cerbos_takes(value: str) -> None:
    assert objection("scope", value) == ""


@pytest.mark.parametrize(
    "value", ["a.", ".a", "-a", "_a", "a..b", "a.-b", "a b", "é", "a\n", "a/b", "..", "\ufffd"]
)
def test_a_scope_that_cerbos_does_not_take(value: str) -> None:
    assert "what Cerbos takes" in objection("scope", value)


UNCLEAR = ["\ufffd", "a\x00", "\n", "\x7f", "\x85", "\x9f", "\u2028", "\u2029", "\t", "\x1b[0m"]


@pytest.mark.parametrize("key", ["kind", "id", "action"])
@pytest.mark.parametrize("value", ["", None, 1, True, 1.5, [], {}, *UNCLEAR])
def test_what_no_resource_may_be_called(key: str, value: str | int | None) -> None:
    assert objection(key, value)


@pytest.mark.parametrize("value", ["a", "*", "é", " ", "\u00a0", "\U0001f600", "a/b", "\ufffc"])
def test_what_a_resource_may_be_called(value: str) -> None:
    assert objection("id", value) == ""


@pytest.mark.parametrize("hidden", UNCLEAR)
def test_what_is_unclear_is_found_however_deep(hidden: str) -> None:
    assert not is_clear({"a": [1, {"b": ["x", hidden]}]})
    assert not is_clear({"a": {hidden: 1}})
    assert is_clear({"a": [1, None, True, 1.5, {"b": "x"}]})


@given(st.text())
def test_an_objection_never_quotes_the_value(value: str) -> None:
    secret = f"sekrit{value}\x00"
    for key in ("id", "scope", "policy_version"):
        assert "sekrit" not in objection(key, secret)
