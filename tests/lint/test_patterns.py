"""Samples of patterns are what the patterns match."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from authorizer.lint.expansion import expand, samples
from authorizer.lint.glob import glob_regex
from authorizer.lint.urlpattern import parse_url_pattern

REGEXES = st.recursive(
    st.sampled_from(["a", "b", "/", r"\.", ".", "[a-c]", r"\d", "[^/]", r"\w"]),
    lambda inner: (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map(lambda pair: f"(?:{pair[0]}|{pair[1]})")
        | inner.map(lambda one: f"({one})*")
        | inner.map(lambda one: f"(?:{one})+")
        | inner.map(lambda one: f"(?:{one})?")
        | inner.map(lambda one: f"(?:{one}){{2}}")
        | inner.map(lambda one: f"(?:{one}){{1,3}}")
    ),
    max_leaves=6,
)


@given(REGEXES)
def test_every_sample_of_a_regex_without_look_arounds_matches_it(regex: str) -> None:
    found = [text for expansion in expand(regex) for text in samples(expansion)]
    assert found
    assert all(re.fullmatch(regex, text, re.DOTALL) for text in found)


@given(st.text(alphabet=r"ab()[]{}?*+|\^$.,:=!<>12dwpP-", max_size=12))
def test_any_text_is_read_or_passed_over(text: str) -> None:
    expand(text)


@given(st.text(alphabet="ab.:/", max_size=6))
def test_a_glob_without_wildcards_is_itself(text: str) -> None:
    assert re.fullmatch(glob_regex(text, ":"), text)


@given(st.text(alphabet="ab*?[]{},!\\^-", max_size=8))
def test_any_glob_is_a_regex_or_refused(text: str) -> None:
    try:
        regex = glob_regex(text, ":")
    except ValueError:
        reject()
    re.compile(regex)


@pytest.mark.parametrize(
    ("pattern", "url", "matches"),
    [
        ("https://a.test/b", "https://a.test/b", True),
        ("https://a.test/b", "https://axtest/b", False),
        ("https://a.test/<[0-9]+>", "https://a.test/12", True),
        ("https://a.test/<[0-9]+>", "https://a.test/12/x", False),
        ("https://a.test/<(?<id>[0-9]+)>", "https://a.test/12", True),
        ("https://a.test/<a|b>/c", "https://a.test/b/c", True),
    ],
)
def test_a_pattern_matches_as_oathkeeper_does(pattern: str, url: str, *, matches: bool) -> None:
    assert parse_url_pattern(pattern, is_glob=False).matches(url) is matches


ANYWHERE = [
    *("<.*>", "<.+>", "<.*?>", "<(.*)>", "<(?s:.*)>", "<(?s).*>", "<^.*$>", r"<[\s\S]*>"),
    *(r"<\S+>", "<.{8,}>", "<[^?]*>", "<(?<all>.*)>", "<.*><.*>", "<(?!.*private).*>"),
    *("http<.*>", "http:<.*>", "http://<.*>", "<http.*>", "<https?.*>", "<https?:.*>"),
    *("<https?://.*>", "<https?://[^/]+/.*>", "<(http|https).*>", "<(?i)https?://.*>"),
    *(r"<\w+:\/\/.*>", "<[a-z]+>:<.*>", "<[a-z]+>://<.+>", "<.*>://<.*>/<.*>", "<.*>/<.*>"),
    *("<.*>/orgs/<.*>", "<.*orgs.*>", "<.*>:4455/<.*>", "http://<.*>:4455/<.*>"),
    *("<.*>api.test/<.*>", "<.*>.api.test/<.*>", r"http<.*>api\.test/<.*>"),
    r"<https://api\.test/.*|.*>",
]
GLOBS = [
    *("<**>", "http<**>", "<http**>", "http://<**>", "<{http,https}://**>", "<*>://<*>/<**>"),
    *("<*>:<**>", "<**>/orgs/<**>", "<**>://<**>"),
]


@pytest.mark.parametrize(
    ("text", "is_glob"), [*((text, False) for text in ANYWHERE), *((text, True) for text in GLOBS)]
)
def test_a_pattern_that_leaves_the_host_open_has_a_host_by_example(
    text: str, *, is_glob: bool
) -> None:
    pattern = parse_url_pattern(text, is_glob=is_glob)
    assert pattern.origins
    assert all(pattern.matches(url) for url in pattern.urls)


@pytest.mark.parametrize("text", ["https://a.test/<b", "https://a.test/b>", "https://a.test/<[>"])
def test_a_pattern_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_url_pattern(text, is_glob=False)
