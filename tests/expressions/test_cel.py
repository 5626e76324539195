"""An expression gives the value that the data has, or an error that says why and quotes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from authorizer.errors import ExpressionError, MissingKey
from authorizer.expressions.cel import (
    MAX_LENGTH,
    MAX_LOOPED,
    Bindings,
    CelSyntaxError,
    Reference,
    Type,
    Vocabulary,
    _has_nul,
    _plain_walk,
)

if TYPE_CHECKING:
    from authorizer.model import JsonValue

WORDS = Vocabulary(
    {
        "path": Type.STRINGS,
        "query_all": Type.LISTS,
        "headers": Type.STRINGS,
        "subject": Type.STRING,
        "extra": Type.ANY,
    }
)
DATA: dict[str, Any] = {
    "path": {"org": "acme", "a-b": "dash"},
    "query_all": {"to": ["x", "y"]},
    "headers": {"x-tenant": "t1"},
    "subject": "alice",
    "extra": {
        "s": "sekrit", "n": 7, "f": 1.5, "whole": 2.0, "t": True, "z": None, "l": [1, "two", None],
        "m": {"deep": {"er": "here"}, "": "empty", "é": "accent"}, "edge": 2**63 - 1,
    },
}  # fmt: skip


def evaluated(text: str, **data: object) -> JsonValue:
    return WORDS.compile(text).evaluate(Bindings({**DATA, **data}))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("path.org", "acme"),
        ("path['a-b']", "dash"),
        ('headers["x-tenant"]', "t1"),
        (" subject ", "alice"),
        ("query_all.to[1]", "y"),
        ("query_all.to", ["x", "y"]),
        ("extra.n", 7),
        ("extra.n + 1", 8),
        ("extra.f", 1.5),
        ("extra.t", True),
        ("extra.z", None),
        ("extra.l", [1, "two", None]),
        ("extra.m", {"deep": {"er": "here"}, "": "empty", "é": "accent"}),
        ("extra['m']['é']", "accent"),
        ("extra.m['']", "empty"),
        ("has(extra.nope)", False),
        ("has(extra.nope) ? extra.nope : 'none'", "none"),
        ("'x-tenant' in headers", True),
        ("subject.upperAscii() + '!'", "ALICE!"),
        ("[subject, path.org]", ["alice", "acme"]),
        ("{'a': {'b': [1.5, null]}}", {"a": {"b": [1.5, None]}}),
        ("'NOT_FOUND: a text is a text'", "NOT_FOUND: a text is a text"),
        ("18446744073709551615u", 2**64 - 1),
        ("extra.l.filter(x, type(x) == string)", ["two"]),
    ],
)
def test_a_value_keeps_the_type_that_it_has(text: str, value: JsonValue) -> None:
    found = evaluated(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "text",
    [
        "extra.l.map(x, x)",
        "extra.l.filter(x, true)",
        "extra.m.n.split(',').map(x, x)",
        "[extra[subject]].map(x, x)",
        "true ? {'a': [extra.l.map(x, x)]} : {}",
        "extra.l.exists(x, extra.l.map(y, y) == [])",
        "[1].map(x, extra.l.size())",
        "extra.k.map(x, x)",
    ],
)
def test_no_list_is_built_of_what_is_too_long_to_build_it_in_time(text: str) -> None:
    """Each step copies the list: 8,000 elements took six seconds, in which nobody was answered."""
    long = {
        "l": ["x"] * (MAX_LOOPED + 1),
        "m": {"n": "," * (MAX_LOOPED + 1)},
        "k": [{"y" * (MAX_LOOPED + 1): 1}],
    }
    with pytest.raises(ExpressionError, match="builds a list"):
        evaluated(text, extra={**long, "alice": long["l"]})
    short = {"l": [], "m": {"n": ""}, "k": [], "alice": ["x"] * MAX_LOOPED}
    evaluated(text, extra=short)


@pytest.mark.parametrize("text", ["extra.l.size()", "extra.l.all(x, true)", "extra.s + '!'"])
def test_what_builds_no_list_may_read_more(text: str) -> None:
    evaluated(text, extra={"l": ["x"] * (MAX_LOOPED + 1), "s": "x" * (MAX_LOOPED + 1)})
    evaluated("['a'].map(x, x)", extra={"l": ["x"] * (MAX_LOOPED + 1)})


def test_an_integer_beyond_64_bits_stays_itself_where_nothing_is_computed() -> None:
    extra = {"big": 2**70, "n": 1}
    assert evaluated("extra.big", extra=extra) == 2**70
    assert evaluated("extra.big == extra.n", extra=extra) is False
    assert evaluated("subject + '!'", extra=extra) == "alice!"
    with pytest.raises(ExpressionError):
        evaluated("extra.big + 1", extra=extra)


def test_whole_floats_stay_floats_where_nothing_is_computed() -> None:
    assert type(evaluated("extra.whole")) is float
    assert type(evaluated("extra.n")) is int


@pytest.mark.parametrize(
    "text",
    ["path.nope", "path['nope']", "extra.nope", "extra.nope.deeper", "extra.m.nope",
     "extra[subject]", "extra.m[path.org]", "path['n' + 'ope']", "extra.nope == 1",
     "extra.s.size() > 3 && extra.nope", "query_all.nope[0]"],
)  # fmt: skip
def test_what_is_not_there_is_a_missing_key_and_never_a_text(text: str) -> None:
    with pytest.raises(MissingKey) as failed:
        evaluated(text)
    assert failed.value.expression == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("extra.s + 1", "no operation fits"),
        ("int(extra.s)", "does not fit"),
        ("extra.m + extra.m", "no operation fits"),
        ("1 / (extra.n - 7)", "does not fit"),
        ("extra.edge + 1", "out of range"),
        ("extra.l[7]", "out of range"),
        ("(extra.l)['a']", "no operation fits"),
        ("extra.s.matches('(')", "does not fit"),
        ("extra.s.substring(99)", "does not fit"),
        ("timestamp(extra.s)", "does not fit"),
        ("has(extra.s.x)", "does not fit"),
        ("string(b'\\xff')", "does not fit"),
        ("1.0 / 0.0", "infinite"),
        ("0.0 / 0.0", "infinite"),
        ("[1.0 / 0.0]", "infinite"),
        ("b'x'", "JSON does not know"),
        ("type(subject)", "JSON does not know"),
        ("timestamp('2026-01-01T00:00:00Z')", "JSON does not know"),
        ("{'a': duration('1s')}", "JSON does not know"),
        ("{1: 2}", "JSON does not know"),
        ("[b'x']", "JSON does not know"),
    ],
)
def test_a_failure_says_why(text: str, why: str) -> None:
    with pytest.raises(ExpressionError) as failed:
        evaluated(text)
    assert why in failed.value.reason
    assert not isinstance(failed.value, MissingKey)


FAILING = ["extra[extra.s]", "int(extra.s)", "extra.m[extra.s]", "extra.s + 1", "path[extra.s]",
           "extra.l[extra.s]", "timestamp(extra.s)", "duration(extra.s)", "bool(extra.s)",
           "double(extra.s)", "extra.s.matches(extra.s + '(')", "extra.s.q", "has(extra.s.q)",
           "extra.s.charAt(99)", "'%d'.format([extra.s])",
           "extra.exists(k, k + extra.n)"]  # fmt: skip


@pytest.mark.parametrize("text", FAILING)
@pytest.mark.parametrize("value", ["sekrit", "sek'rit\"(", "NOT_FOUND: sekrit", "sekrit\nERROR"])
def test_no_error_quotes_a_value(text: str, value: str) -> None:
    extra = {**DATA["extra"], "s": value}
    with pytest.raises(ExpressionError) as failed:
        evaluated(text, extra=extra)
    assert "rit" not in str(failed.value)
    assert failed.value.__cause__ is None
    assert failed.value.__suppress_context__ or failed.value.__context__ is None


@pytest.mark.parametrize("extra", [None, "text", 5, [], ["a"], [["a"]], True])
def test_data_of_another_shape_is_an_error_and_never_a_value(extra: JsonValue) -> None:
    for text in ("extra.a", "extra.a.b", "extra['a']", "[extra.a]"):
        with pytest.raises(ExpressionError):
            evaluated(text, extra=extra)


@pytest.mark.parametrize(
    ("text", "offset", "why"),
    [
        ("", 0, "Syntax error"),
        ("1 +", 3, "Syntax error"),
        ("nope", 0, "undeclared reference to 'nope'; the names are extra, headers, path"),
        ("'é' + nope", 6, "undeclared"),
        ("subject +\n  nope", 12, "undeclared"),
        ("subject + 1", 8, "no matching overload"),
        ("subject.x", 7, "select"),
        ("path[0]", 4, "no matching overload"),
        ("extra.?a", 0, ""),
        ("subject; path", 7, "Syntax error"),
    ],
)
def test_what_does_not_compile_is_told_where(text: str, offset: int, why: str) -> None:
    with pytest.raises(CelSyntaxError) as refused:
        WORDS.compile(text)
    assert why in refused.value.reason
    assert offset in {0, refused.value.offset}
    assert "container" not in refused.value.reason


LEVELS = 40


@pytest.mark.parametrize(
    "text",
    [
        "+".join(["'a'"] * 200),
        "[" * LEVELS + "]" * LEVELS,
        "(" * LEVELS + "1" + ")" * LEVELS,
        "extra" + ".a" * LEVELS,
        "extra" + "['a']" * LEVELS,
        "extra" + "".join(f".map(v{n}, v{n}" for n in range(LEVELS)) + ")" * LEVELS,
        "extra" + "".join(f".exists(v{n}, v{n}" for n in range(25)) + ")" * 25,
        "".join(f"extra.map(v{n}, " for n in range(17)) + "1" + ")" * 17,
    ],
)
def test_what_nests_too_deeply_is_refused_cleanly(text: str) -> None:
    assert len(text) <= MAX_LENGTH
    with pytest.raises(CelSyntaxError, match="nests too deeply"):
        WORDS.compile(text)


def test_an_expression_as_long_as_a_program_is_refused() -> None:
    with pytest.raises(CelSyntaxError, match="at most 2000 characters"):
        WORDS.compile("1+" * 10_000 + "1")


@pytest.mark.parametrize("macro", ["map", "all", "exists_one"])
def test_a_bomb_of_nested_loops_runs_out_of_steps(macro: str) -> None:
    ten, text = "[0,1,2,3,4,5,6,7,8,9]", "true"
    for depth in range(8):
        text = f"{ten}.{macro}(v{depth}, {text})"
    with pytest.raises(ExpressionError, match="too many steps"):
        evaluated(text)


def test_data_as_deep_as_a_request_may_be_is_walked() -> None:
    deep: JsonValue = "bottom"
    for _ in range(32):
        deep = {"a": deep}
    assert evaluated("extra" + ".a" * 30, extra=deep) == {"a": {"a": "bottom"}}
    assert evaluated("[extra][0]", extra=deep) == deep


# ---------------------------------------------------------------- what an expression reads


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("path.org", {("path", "org")}),
        ("path['org']", {("path", "org")}),
        ("(path).org", {("path", "org")}),
        (".path.org", {("path", "org")}),
        ("path . org", {("path", "org")}),
        ("path\n  ['org']", {("path", "org")}),
        ("has(path.org)", {("path", "org")}),
        ("!has(path.org) || path.org == 'x'", {("path", "org")}),
        ("extra.a.b['c'].d", {("extra", "a", "b", "c", "d")}),
        ("extra.l[0].x", {("extra", "l")}),
        ("extra[subject].x", {("extra",), ("subject",)}),
        ("path['o' + 'rg']", {("path",)}),
        ("path.exists(k, k == headers.b)", {("path",), ("headers", "b")}),
        ("extra.map(x, x.y)", {("extra",)}),
        ("extra.map(path, path.y)", {("extra",)}),
        ("extra.map(path, .path.y)", {("extra",), ("path", "y")}),
        ("extra.map(path, path.map(x, .path['z']))", {("extra",), ("path", "z")}),
        ("extra.map(x, path.y == x)", {("extra",), ("path", "y")}),
        ("path.map(path, path)", {("path",)}),
        ("extra.map(path, path.a)[0] == path.b", {("extra",), ("path", "b")}),
        ("[path][0].x", {("path",)}),
        ("{'k': path}.k.x", {("path",)}),
        ("(true ? path : headers).x", {("path",), ("headers",)}),
        ("{headers.k: path.v}", {("headers", "k"), ("path", "v")}),
        ("'%s'.format([headers.x])", {("headers", "x")}),
        ("subject.startsWith(path.p)", {("subject",), ("path", "p")}),
        ("google.protobuf.Struct{fields: {'a': path.x}}", {("path", "x")}),
        ("type(subject) == string", {("subject",)}),
        ("1 + 2", set()),
        ("'path.org'", set()),
    ],
)
def test_every_spelling_of_a_name_is_seen(text: str, expected: set[tuple[str, ...]]) -> None:
    found = WORDS.compile(text).references
    assert {(reference.name, *reference.keys) for reference in found} == expected


def test_a_key_that_is_not_written_out_is_said_to_be_dynamic() -> None:
    (first, *_) = WORDS.compile("extra.a[subject].b").references
    assert first == Reference("extra", ("a",), dynamic=True)
    (only,) = WORDS.compile("extra.a['b']").references
    assert only == Reference("extra", ("a", "b"))


# ---------------------------------------------------------------- the walk


KEYS = st.sampled_from(["a", "b", "a-b", "é", "", "_x", "0", "true", "in"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=12,
)  # fmt: skip
STEPS = st.lists(KEYS, max_size=4)


def outcome(text: str, extra: JsonValue) -> tuple[str, object]:
    try:
        return "value", evaluated(text, extra=extra)
    except ExpressionError:
        return "error", None


@given(JSON, STEPS)
def test_walking_down_names_is_what_cel_does(extra: JsonValue, steps: list[str]) -> None:
    # CEL reads a text up to its first NUL, so nothing is computed with one; a walk hands it on.
    assume("\\x00" not in repr(extra))
    walk = "extra" + "".join(f"['{step}']" for step in steps)
    # Parentheses mean nothing to CEL, and make an expression that is not walked natively.
    native, full = outcome(walk, extra), outcome(f"({walk})", extra)
    assume("é" not in walk or native[0] == full[0])
    assert native == full
    assert type(native[1]) is type(full[1])


WORDS_AND_OTHERS = st.sampled_from([*WORDS.names, "nope", "true", "in", "string", "extra2", "x"])
FIELDS = st.lists(
    st.sampled_from(["a", "Z9", "_x", "__", "as", "for", "in", "true", "null", "size", "int", "é"]),
    max_size=10,
)


@given(WORDS_AND_OTHERS, FIELDS)
def test_what_is_known_of_names_with_dots_without_cel_is_what_cel_says(
    name: str, fields: list[str]
) -> None:
    walk = ".".join([name, *fields])
    known = _plain_walk(walk, WORDS.names)
    if known is None:
        return
    # Parentheses mean nothing to CEL, and nobody but CEL judges them.
    full = WORDS.compile(f"({walk})")
    assert full._program is not None
    assert (known.type_name, known.references) == (full.type_name, full.references)
    assert not full.builds_lists


@pytest.mark.parametrize("text", ["path.org", "subject", "extra", "extra.identity.traits.email"])
def test_the_commonest_expressions_need_no_cel(text: str) -> None:
    assert _plain_walk(text, WORDS.names) is not None


@given(JSON)
def test_any_json_comes_back_as_it_is(extra: JsonValue) -> None:
    assume(not _has_nul(extra))  # CEL's texts end there
    assert evaluated("extra", extra=extra) == extra
    assert evaluated("[extra][0]", extra=extra) == extra


def test_a_walk_is_checked_by_cel_like_any_other_expression() -> None:
    for text in ("nope.a", "subject.a", "path.a.b"):
        with pytest.raises(CelSyntaxError):
            WORDS.compile(text)


def test_values_are_converted_once_for_all_expressions_of_a_request() -> None:
    bindings = Bindings(DATA)
    first = bindings.activation(WORDS._env)
    assert WORDS.compile("extra.n + 1").evaluate(bindings) == 8
    assert bindings.activation(WORDS._env) is first


def test_equal_texts_are_compiled_once() -> None:
    assert WORDS.compile("path.org") is WORDS.compile("path.org")


@given(st.text(alphabet="path.org[]'\"(){}?:+ é\n\\%$", max_size=20))
def test_any_text_compiles_or_is_refused_inside_of_it(text: str) -> None:
    try:
        WORDS.compile(text)
    except CelSyntaxError as error:
        refused = error
    else:
        return
    assert 0 <= refused.offset <= len(text)
    assert refused.reason


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**70, 10**300])
def test_an_integer_beyond_64_bits_fails_no_expression_but_is_a_double(number: int) -> None:
    """Oathkeeper has rounded it already, and Cerbos has only doubles."""
    vocabulary = Vocabulary({"extra": Type.ANY})
    bindings = Bindings({"extra": {"tags": ["a", "b"], "large": number}})

    assert vocabulary.compile("size(extra.tags)").evaluate(bindings) == 2
    assert vocabulary.compile("[extra.large]").evaluate(bindings) == [float(number)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("extra.a == 'ann'", {"extra": {"a": "ann\0x"}}),
        ("extra.a == 'ann' || false", {"extra": {"a\0": "ann"}}),
        ("'ann' in extra.l", {"extra": {"l": ["ann\0x"]}}),
        ("extra.o.exists(k, k == 'a')", {"extra": {"o": {"b": 1, "a\0": {"c": []}}}}),
        ("subject + 'z'", {"extra": {}, "subject": "ann\0x"}),
    ],
)
def test_a_text_with_a_nul_is_refused_as_cel_would_cut_it(
    text: str, names: dict[str, JsonValue]
) -> None:
    vocabulary = Vocabulary({"extra": Type.ANY, "subject": Type.STRING})
    expression = vocabulary.compile(text)
    with pytest.raises(ExpressionError, match="has a NUL"):
        expression.evaluate(Bindings({"subject": "", **names}))


def test_a_nul_in_a_name_that_is_not_read_fails_nothing() -> None:
    vocabulary = Vocabulary({"extra": Type.ANY, "subject": Type.STRING})
    bindings = Bindings({"extra": {"a": "\0"}, "subject": "ann"})
    assert vocabulary.compile("subject + '!'").evaluate(bindings) == "ann!"
