"""A pattern says which segments it fits; what could be read in two ways is refused at load."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from routing import oracle

from authorizer.routing.pattern import (
    ANY_HOST,
    MAX_SEGMENTS,
    PatternError,
    Rank,
    Segment,
    Split,
    _parse_segment,
    may_be_lax,
    overlap,
    parse_host,
    parse_path,
)

UUID = "0189F7E2-9c3b-7d44-8000-0123456789ab"


@pytest.fixture(autouse=True)
def _parsed_afresh() -> None:
    """Let each test see the parser at work, and not what another test has parsed."""
    _parse_segment.cache_clear()


def segment(text: str) -> Segment:
    (only,) = parse_path(f"/{text}").segments
    return only


@pytest.mark.parametrize(
    ("text", "ranks", "names"),
    [
        ("/", [], ()),
        ("/a", [Rank.LITERAL], ()),
        ("/orgs/{org}/documents/{id}", [0, 6, 0, 6], ("org", "id")),
        ("/{id}:archive", [Rank.MIXED], ("id",)),
        ("/v{major}", [Rank.MIXED], ("major",)),
        ("/{a}.{b}", [Rank.MIXED], ("a", "b")),
        ("/{id}:/x", [Rank.MIXED, Rank.LITERAL], ("id",)),
        ("/{id}:/{n:/a/}", [Rank.MIXED, Rank.REGEX], ("id", "n")),
        ("/{n:int}/{u:uuid}/{s:slug}", [2, 3, 4], ("n", "u", "s")),
        ("/{code:/[A-Z]{3}/}/x", [Rank.REGEX, Rank.LITERAL], ("code",)),
        ("/{code:/a}b/}", [Rank.REGEX], ("code",)),
        ("/{a:/x/}/{b:/y/}/{c}", [Rank.REGEX, Rank.REGEX, Rank.ANY], ("a", "b", "c")),
        ("/{a:/[\n}]/}", [Rank.REGEX], ("a",)),
        ("/files/{name...}", [Rank.LITERAL, Rank.TAIL], ("name",)),
        ("/{user-id}/{user.name}/{_x1}", [6, 6, 6], ("user-id", "user.name", "_x1")),
        ("/{rest.of.it...}", [Rank.TAIL], ("rest.of.it",)),
        ("/a b/é/@x:y", [0, 0, 0], ()),
        ("/...", [Rank.LITERAL], ()),
    ],
)
def test_a_path_is_parsed_into_segments(
    text: str, ranks: list[int], names: tuple[str, ...]
) -> None:
    pattern = parse_path(text)
    assert [s.rank for s in pattern.segments] == ranks
    assert pattern.names == names
    assert not pattern.trailing_slash


@pytest.mark.parametrize(
    ("one", "other", "key"),
    [
        ("a", "a", "a"),
        ("{x}", "{y}", "{}"),
        ("{x...}", "{y...}", "{...}"),
        ("{x:int}", "{y:int}", "{:int}"),
        ("{x:/a}b/}", "{y:/a}b/}", "{:/a}b/}"),
        ("v{x}.{y}", "v{y}.{x}", "v{}.{}"),
    ],
)
def test_what_captures_are_called_makes_no_other_segment(one: str, other: str, key: str) -> None:
    assert segment(one).key == segment(other).key == key


def test_a_trailing_slash_is_no_segment() -> None:
    pattern = parse_path("/a/")
    assert [s.key for s in pattern.segments] == ["a"]
    assert pattern.trailing_slash


@pytest.mark.parametrize(
    ("text", "offset", "why"),
    [
        ("", 0, "a path begins with `/`"),
        ("a/b", 0, "a path begins with `/`"),
        ("//", 1, "an empty segment: no request"),
        ("/a//b", 3, "an empty segment: no request"),
        ("/a/./b", 3, "a dot segment: no request"),
        ("/a/..", 3, "a dot segment: no request"),
        ("/a?b=c", 2, "`?` cannot stand in a path; what the query must have stands in `match.que"),
        ("/a%2Fb", 2, "`%` cannot stand in a path; write the decoded text"),
        ("/a;b", 2, "`;` cannot stand in a path"),
        ("/a?b", 2, "`?` cannot stand in a path"),
        ("/a#b", 2, "`#` cannot stand in a path"),
        ("/a\\b", 2, "`\\` cannot stand in a path"),
        ("/a\tb", 2, "a control character cannot stand in a path"),
        ("/x/{", 3, "a `{` without its `}`"),
        ("/x/{a", 3, "a `{` without its `}`"),
        ("/x/{a}{b", 6, "a `{` without its `}`"),
        ("/x/a}", 3, "a `}` without its `{`"),
        ("/x/{a}b}", 3, "a `}` without its `{`"),
        ("/{}", 1, "`` is not a name: letters, digits"),
        ("/{1a}", 1, "`1a` is not a name: letters, digits"),
        ("/{a b}", 1, "`a b` is not a name: letters, digits"),
        ("/{a-}", 1, "`a-` is not a name: letters, digits"),
        ("/{é}", 1, "`é` is not a name: letters, digits"),
        ("/{...}", 1, "`` is not a name: letters, digits"),
        ("/{1a:int}", 1, "`1a` is not a name"),
        ("/{1a...}", 1, "`1a` is not a name"),
        ("/x{1a}", 2, "`1a` is not a name"),
        ("/{a}/{a}", 5, "`{a}` stands twice in this path"),
        ("/{a}.{a}", 1, "`{a}` stands twice in this path"),
        ("/{a}{b}", 1, "two captures side by side"),
        ("/{a...}/b", 1, "`{a...}` takes the rest, so nothing may follow it"),
        ("/{a...}/", 1, "`{a...}` takes the rest, so nothing may follow it"),
        ("/x{a...}", 2, "`{a...}` must be a whole segment"),
        ("/x{a:int}", 2, "`{a:int}` must be a whole segment"),
        ("/{a:int}x", 1, "`{a:int}` must be a whole segment"),
        ("/{a:float}", 3, "`float` is not a kind of value; there are int, uuid, slug and /regex/"),
        ("/{a:}", 3, "`` is not a kind"),
        ("/{a://}", 3, "`//` is not a kind"),
        ("/{a:/}", 3, "a regex ends with `/}`"),
        ("/{a:/x", 3, "a regex ends with `/}`"),
        ("/{a:/x/y/}", 1, "a regex is matched with one segment, so it has no `/`"),
        ("/{a://x/}", 1, "a regex is matched with one segment"),
        ("/{a:/x//}", 1, "a regex is matched with one segment"),
        ("/{a:/(/}", 4, "not a regex that RE2 takes: missing ): ("),
        ("/{ab:/(?=x)/}", 5, "not a regex that RE2 takes: invalid perl operator: (?="),
        ("/{a:/(a)\\1/}", 4, "not a regex that RE2 takes: invalid escape sequence: \\1"),
        ("/" + "a/" * 100 + "b", 201, "a path has at most 100 segments"),
    ],
)
def test_a_path_that_cannot_be_read_is_refused_where_it_is_wrong(
    text: str, offset: int, why: str
) -> None:
    with pytest.raises(PatternError) as refused:
        parse_path(text)
    assert refused.value.reason.startswith(why)
    assert str(refused.value) == refused.value.reason
    assert refused.value.offset == offset


def test_a_regex_that_re2_does_not_take_is_told_in_the_error_alone(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(PatternError):
        parse_path("/{a:/(/}")
    assert capfd.readouterr().err == ""


def test_the_longest_path_is_as_long_as_promised() -> None:
    assert len(parse_path("/a" * MAX_SEGMENTS).segments) == MAX_SEGMENTS


@given(st.text(alphabet="/{}:.ab1*[]()é%;- \n", max_size=20) | st.text(max_size=20))
def test_any_text_is_a_path_or_is_refused_inside_of_it(text: str) -> None:
    try:
        pattern = parse_path(text)
    except PatternError as error:
        refused = error
    else:
        assert pattern.text == text
        return
    assert 0 <= refused.offset <= len(text)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("a", ["a"], ["A", "", "aa", "a "]),
        ("{x}", ["a", "é/b", "%2F"], [""]),
        ("{n:int}", ["0", "7", "10", "9223372036854775807"],
         ["", "007", "00", "-1", "+1", "1.0", "1e3", "٣", "1 ", "1\n", "12345678901234567890"]),
        ("{u:uuid}", [UUID, UUID.lower(), UUID.upper()],
         ["", UUID[:-1], UUID + "a", "{" + UUID + "}", UUID.replace("-", ""), UUID + "\n"]),
        ("{s:slug}", ["a", "a-b", "0-1-x"], ["", "A", "-a", "a-", "a--b", "a_b", "é", "a\n"]),
        ("{c:/[A-Z]{3}/}", ["ABC"], ["", "abc", "ABCD", "AB", "ABC\n", "xABC"]),
        ("{c:/a|bc/}", ["a", "bc"], ["ac", "abc", ""]),
        ("{c:/(?i)a/}", ["a", "A"], ["b"]),
        ("{x}:go", ["a:go", ":go:go", "é:go"], [":go", "a:gox", "a:GO", "a"]),
        ("v{x}", ["v1", "vv"], ["v", "V1", "1"]),
        ("{a}.{b}", ["a.b", "1.2.3", "...", "a..b"], [".", "a.", ".b", "ab", ".."]),
    ],
)  # fmt: skip
def test_a_segment_fits_what_it_says(pattern: str, yes: list[str], no: list[str]) -> None:
    fits = segment(pattern).fits
    assert [value for value in yes if not fits(value)] == []
    assert [value for value in no if fits(value)] == []


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("aB", ["Ab", "ab"], ["b"]),
        ("stra\u00dfe", ["STRASSE"], ["strase"]),
        ("{x}:Go", ["a:gO", "A:GO"], [":go", "a:g"]),
        ("{s:slug}", ["A-B"], ["A_B"]),
        ("{c:/[A-Z]{3}/}", ["abc"], ["ab"]),
        ("{c:/[[:upper:]]+/}", ["abc"], ["1"]),
        ("{n:int}", ["7"], ["007", "x"]),
        ("{x}", ["A"], [""]),
    ],
)
def test_a_segment_fits_either_case_where_case_is_folded(
    pattern: str, yes: list[str], no: list[str]
) -> None:
    fits = segment(pattern).fits_folded
    assert [value for value in yes if not fits(value)] == []
    assert [value for value in no if fits(value)] == []


SEGMENTS = st.sampled_from(
    ["a", "A", "{x}", "{n:int}", "{s:slug}", "{u:uuid}", "{x}:go", "v{x}", "{a}.{b}", "{a}.{b}.{c}",
     "{a}aa{b}", "{c:/[a-c]+/}"]
)  # fmt: skip
VALUES = st.text(alphabet="aAbv.:go17-", max_size=8)


@given(SEGMENTS, VALUES)
def test_a_segment_fits_what_the_slow_oracle_says(pattern: str, value: str) -> None:
    found = segment(pattern)
    assert found.fits(value) is oracle.segment_fits(pattern, value, value, fold=False)
    assert found.fits_folded(value) is oracle.segment_fits(pattern, value, value, fold=True)
    assert not found.fits(value) or found.fits_folded(value)


LAX = r"[ ]?[+-]?\d{1,22}[ ]?|[{(]?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}[)}]?"


@given(st.from_regex(LAX, fullmatch=True), st.sampled_from(["", ".json", ";v=1", ".1", "/7"]))
@example("7 ", "")
@example("12345678123412341234123456789012", "")
@example("12345678-123412341234-123456789012", ".x")
@example("٣", "")
def test_a_value_that_is_not_canonical_is_suspected_whatever_follows_it(
    value: str, ending: str
) -> None:
    kinds = [segment("{x:int}"), segment("{x:uuid}")]
    is_canonical = any(kind.fits(value) for kind in kinds)
    if not is_canonical and any(kind.fits_laxly(value) for kind in kinds):
        assert may_be_lax(f"/a/{value}{ending}")


def test_plain_segments_and_canonical_numbers_are_not_suspected() -> None:
    assert not may_be_lax("/orgs/acme/documents/42/0/7.json/decade/x7")


MIXED_TEXTS = st.lists(st.text(alphabet="ab.", max_size=2), min_size=2, max_size=4).filter(
    lambda texts: "" not in texts[1:-1] and texts != ["", ""]
)


def mixed(texts: list[str]) -> Segment:
    names = [f"{{n{number}}}" for number in range(len(texts) - 1)] + [""]
    return segment("".join(text + name for text, name in zip(texts, names, strict=True)))


@given(MIXED_TEXTS, st.text(alphabet="ab.", max_size=9))
@example(["", ".", ""], "a.b.")  # Express has no such capture
@example(["", ".", ""], ".a.b")
@example(["", "ab", ""], "aabab")
@example(["", ".", "a", ""], "b.baba")
def test_a_mixed_segment_is_cut_in_the_one_way_there_is(texts: list[str], value: str) -> None:
    ways = oracle.cuts(texts, value)
    found = mixed(texts).split(value)
    if not ways:
        assert found is None
    elif oracle.is_unclear(texts, value):
        assert found is Split.AMBIGUOUS
    else:
        assert ways == {found}
        pieces = [*found, ""] if isinstance(found, tuple) else []
        assert "".join(t + p for t, p in zip(texts, pieces, strict=True)) == value


@given(MIXED_TEXTS, MIXED_TEXTS, st.text(alphabet="ab.", max_size=8))
def test_two_mixed_segments_overlap_where_a_value_fits_both(
    one: list[str], other: list[str], value: str
) -> None:
    found = overlap(mixed(one), mixed(other))
    assert found is overlap(mixed(other), mixed(one))
    if mixed(one).fits(value) and mixed(other).fits(value):
        assert found
    if found:
        first, last = max(one[0], other[0], key=len), max(one[-1], other[-1], key=len)
        both = first + "~".join(["", *one[1:-1], *other[1:-1], *one[1:-1], ""]) + "~" + last
        assert mixed(one).fits(both)
        assert mixed(other).fits(both)


@pytest.mark.parametrize(
    ("text", "key", "exact"),
    [
        ("api.acme.test", "api.acme.test", True),
        ("API.Acme.test.", "api.acme.test", True),
        ("*.acme.test", ".acme.test", False),
        ("localhost", "localhost", True),
        ("a_b", "a_b", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("[::1]", "[::1]", True),
    ],
)
def test_a_host_is_parsed(text: str, key: str, *, exact: bool) -> None:
    host = parse_host(text)
    assert (host.text, host.exact) == (key, exact)


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.", "**.a", "*a.b", "a.*.b", "a:80", "http://a", "a/b", "a..b", ".a", "-a", "a-",
     "münchen.test", "\u212aelvin.test", "*.[::1]", "*.*.a", "a b", "a\n", "u@a"],
)  # fmt: skip
def test_a_host_that_no_request_can_have_is_refused(text: str) -> None:
    with pytest.raises(PatternError) as refused:
        parse_host(text)
    reason = "expected a host name without port, like api.example.com or *.example.com"
    assert (refused.value.offset, refused.value.reason) == (0, reason)


@pytest.mark.parametrize("text", ["api.acme.test", "*.acme.test", "[::1]"])
def test_a_host_is_shown_as_a_rule_writes_it(text: str) -> None:
    assert str(parse_host(text)) == text
    assert str(ANY_HOST) == "*"


def test_more_specific_hosts_come_first() -> None:
    hosts = [parse_host(t) for t in ("*.test", "a.b.test", "*.b.test")]
    assert [h.text for h in sorted(hosts, key=lambda h: h.specificity)] == [
        "a.b.test", ".b.test", ".test",
    ]  # fmt: skip
