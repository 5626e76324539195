"""A URL is read in one way, or refused unless a route says how its application reads it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing import oracle

from authorizer.errors import MalformedRequest
from authorizer.routing.reading import Address, Ambiguous, Loosening, Reading, locate, read

KEEP, SPLIT = Loosening.KEEP_SLASH, Loosening.SPLIT_SLASH
EMPTY, MATRIX = Loosening.EMPTY_SEGMENTS, Loosening.MATRIX_PARAMETERS
FIXTURES = Path(__file__).parent.parent / "fixtures"


def readings(path: str) -> tuple[Reading, ...]:
    found = read(path)
    assert not isinstance(found, Ambiguous), found.detail
    return found


@pytest.mark.parametrize(
    ("path", "segments", "trailing_slash"),
    [
        ("/", (), False),
        ("/a", ("a",), False),
        ("/a/", ("a",), True),
        ("/a/b.c/...", ("a", "b.c", "..."), False),
        ("/.well-known/x..y/..z", (".well-known", "x..y", "..z"), False),
        ("/%61/%C3%A9%20", ("a", "é "), False),
        ("/100%25", ("100%",), False),
        ("/a%3Fb%23c", ("a?b#c",), False),
        ("/a%20b%C2%A0c", ("a b\xa0c",), False),
        ("/a%252Eb", ("a%2Eb",), False),
        ("/!$&'()*+,=:@[]-._~", ("!$&'()*+,=:@[]-._~",), False),
        ("/%F0%9F%98%80", ("\U0001f600",), False),
    ],
)
def test_what_has_one_reading_needs_nothing_of_a_route(
    path: str, segments: tuple[str, ...], *, trailing_slash: bool
) -> None:
    (found,) = readings(path)
    assert (found.segments, found.trailing_slash) == (segments, trailing_slash)
    assert not found.needs
    assert found.wire == tuple(piece for piece in path[1:].split("/") if piece)


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/.", "dot segment"),
        ("/a/../b", "dot segment"),
        ("/a/./", "dot segment"),
        ("/a/%2e%2E/b", "dot segment"),
        ("/a/.%2e", "dot segment"),
        ("/%2e/", "dot segment"),
        ("/a/..;x/b", "dot segment"),
        ("/a/..%3Bx/b", "dot segment"),
        ("/a%2F../b", "dot segment"),
        ("/a%2F..%2Fb", "dot segment"),
        ("/a/%252e%252e/b", "dot segment"),
        ("/a/%25252e%25252e/b", "dot segment"),
        ("/a/.%252e/b", "dot segment"),
        ("/a\\b", "backslash"),
        ("/a%5Cb", "backslash"),
        ("/a%255cb", "backslash"),
        ("/a%00b", "control"),
        ("/a%2500b", "control"),
        ("/a%0D%0Ab", "control"),
        ("/a%09", "control"),
        ("/a%1F", "control"),
        ("/a%7F", "control"),
        ("/a%C2%9F", "control"),
        ("/a%C2%85", "control"),
        ("/a%252Fb", "encoded more than once"),
        ("/a%25252fb", "encoded more than once"),
        ("/a%253Bb", "encoded more than once"),
        ("/a%", "begins no escape"),
        ("/a%2", "begins no escape"),
        ("/a%zz", "begins no escape"),
        ("/a%gg", "begins no escape"),
        ("/a%G0", "begins no escape"),
        ("/a%0g", "begins no escape"),
        ("/a%%41", "begins no escape"),
        ("/a%u0041", "begins no escape"),
        ("/%FF", "UTF-8"),
        ("/%C0%AE", "UTF-8"),
        ("/%ED%A0%80", "UTF-8"),
        ("/%25FF", "UTF-8"),
        ("/%25C0%25AE", "UTF-8"),
        ("/a b", "character"),
        ("/a\tb", "character"),
        ("/a\nb", "character"),
        ("/a\n", "character"),
        ("/a\x00b", "character"),
        ("/é", "character"),
        ('/a"b', "character"),
        ("/a|b", "character"),
        ("/a#b", "character"),
        ("/a?b", "character"),
    ],
)
def test_what_no_route_may_permit_is_refused_and_says_why(path: str, why: str) -> None:
    found = read(path)
    assert isinstance(found, Ambiguous)
    assert why in found.detail


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("/a/..", "the path has a dot segment (. or ..)"),
        ("/a/%2e", "the path has a dot segment (. or .., plain or encoded)"),
        ("/a\nb", "the path has a character that a URL path may not have unencoded"),
        ("/a b", "the path has a character that a URL path may not have unencoded"),
        ("/a\\b", "the path has a backslash"),
        ("/a%5Cb", "the path has an encoded backslash"),
        ("/a%", "the path has a % that begins no escape"),
        ("/%FF", "the path is not UTF-8 when it is decoded"),
        ("/%25FF", "the path is not UTF-8 when it is decoded more than once"),
        ("/a%00b", "the path has an encoded control character"),
        ("/a%252Fb", "the path has a slash or a semicolon that is encoded more than once"),
    ],
)
def test_a_refusal_says_what_about_the_path_and_quotes_none_of_it(path: str, detail: str) -> None:
    assert read(path) == Ambiguous(detail)


@pytest.mark.parametrize("path", ["/" + "a" * 8192, "/a" * 257, "/" * 257, "/%41" * 2048])
def test_a_path_that_is_longer_than_servers_take_is_refused_unread(path: str) -> None:
    """Reading it in every plausible way took seconds, in which nobody else was answered."""
    assert read(path) == Ambiguous("the path is longer than servers take")


@pytest.mark.parametrize("path", ["/" + "a" * 8191, "/a" * 256])
def test_the_longest_path_is_read(path: str) -> None:
    assert len(readings(path)) == 1
    assert not isinstance(read(path[:256]), Ambiguous)


def test_a_pile_of_encodings_is_refused_rather_than_looked_through() -> None:
    assert isinstance(read("/%" + "25" * 5000 + "41"), Ambiguous)
    assert isinstance(read("/%" + "25" * 8 + "41"), Ambiguous)
    assert len(readings("/%" + "25" * 7 + "41")) == 1


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("//", [(("",), True, {EMPTY})]),
        ("/a//b", [(("a", "", "b"), False, {EMPTY})]),
        ("/a//", [(("a", ""), True, {EMPTY})]),
        ("//admin/people", [(("", "admin", "people"), False, {EMPTY})]),
        ("/a;x=1/b", [(("a;x=1", "b"), False, {MATRIX})]),
        ("/a%3bx", [(("a;x",), False, {MATRIX})]),
        ("/;/b", [((";", "b"), False, {MATRIX, EMPTY})]),
        ("/a%2Fb", [(("a/b",), False, {KEEP}), (("a", "b"), False, {SPLIT})]),
        ("/a%2fb/c/", [(("a/b", "c"), True, {KEEP}), (("a", "b", "c"), True, {SPLIT})]),
        ("/a%2F", [(("a/",), False, {KEEP, EMPTY}), (("a", ""), False, {SPLIT, EMPTY})]),
        ("/a%2F;x", [(("a/;x",), False, {KEEP, EMPTY, MATRIX}),
                     (("a", ";x"), False, {SPLIT, EMPTY, MATRIX})]),
    ],
)  # fmt: skip
def test_what_a_route_may_permit_says_what_it_needs(
    path: str, expected: list[tuple[tuple[str, ...], bool, set[Loosening]]]
) -> None:
    found = [(r.segments, r.trailing_slash, set(r.needs)) for r in readings(path)]
    assert found == expected


PIECES = (
    ".", "..", "%2e", "%2E", "%252e", "/", "%2f", "%5c", "\\", ";", "%3b", "%00", "a", "A", "%61",
    "%c0%ae", "%ff", "%", "%25",
)  # fmt: skip
DEEPER = ("..", "%2e", "/", "%2f", ";", "a", "%25", "2e")


def agree(path: str) -> None:
    found = read(path)
    ours = (
        set()
        if isinstance(found, Ambiguous)
        else {
            oracle.Way(r.segments, r.wire, r.trailing_slash, frozenset(n.value for n in r.needs))
            for r in found
        }
    )
    assert ours == set(oracle.ways(path)), path


@pytest.mark.parametrize(
    ("pieces", "length"),
    [(PIECES, 1), (PIECES, 2), (PIECES, 3), (PIECES, 4), (DEEPER, 5)],
)
def test_every_path_of_dangerous_pieces_reads_as_the_slow_oracle_says(
    pieces: tuple[str, ...], length: int
) -> None:
    for chosen in itertools.product(pieces, repeat=length):
        agree("/" + "".join(chosen))


@given(st.lists(st.sampled_from((*PIECES, "2e", "2f", "é", "%C3%A9", "%u", "b.c")), max_size=12))
def test_longer_paths_of_dangerous_pieces_read_as_the_slow_oracle_says(pieces: list[str]) -> None:
    agree("/" + "".join(pieces))


@given(st.text(max_size=30))
def test_any_text_reads_as_the_slow_oracle_says(text: str) -> None:
    agree("/" + text)


@given(st.lists(st.text(min_size=1, max_size=8), max_size=5), st.integers(0, 8))
def test_what_is_harmless_reads_as_itself_and_what_is_decoded_never_hides_a_dot_segment(
    segments: list[str], layers: int
) -> None:
    wire = segments
    for _ in range(layers):
        wire = [quote(segment, safe="") for segment in wire]
    found = read("/" + "/".join(wire))
    if isinstance(found, Ambiguous):
        return
    for reading in found:
        assert not {".", ".."} & set(reading.segments)
        assert not any("\\" in segment or "\x00" in segment for segment in reading.segments)


HOST = "http://api.acme.test"


@pytest.mark.parametrize(
    ("url", "host", "path", "query"),
    [
        (f"{HOST}/a", "api.acme.test", "/a", ""),
        ("https://API.Acme.test.:8443/a?x=1&y=?", "api.acme.test", "/a", "x=1&y=?"),
        (HOST, "api.acme.test", "/", ""),
        (f"{HOST}?x=1", "api.acme.test", "/", "x=1"),
        (f"{HOST}/?", "api.acme.test", "/", ""),
        (f"{HOST}//admin/people", "api.acme.test", "//admin/people", ""),
        (f"{HOST}/http://evil/", "api.acme.test", "/http://evil/", ""),
        (f"{HOST}/@evil", "api.acme.test", "/@evil", ""),
        ("http://[2001:DB8::1]:80/a", "[2001:db8::1]", "/a", ""),
        ("http://[::ffff:1.2.3.4]/", "[::ffff:1.2.3.4]", "/", ""),
        ("http://[bcde::BCDE]/", "[bcde::bcde]", "/", ""),
        ("http://10.0.0.1/", "10.0.0.1", "/", ""),
        ("http://api-v2.acme-corp.test/", "api-v2.acme-corp.test", "/", ""),
        ("http://a_b.internal:65535/", "a_b.internal", "/", ""),
        ("http://a_b.internal:1/", "a_b.internal", "/", ""),
    ],
)
def test_an_absolute_url_is_taken_apart_as_it_stands(
    url: str, host: str, path: str, query: str
) -> None:
    found = locate(url)
    assert isinstance(found, Address)
    assert (found.host, found.path, found.query) == (host, path, query)
    assert found.scheme == url.partition(":")[0]


@pytest.mark.parametrize(
    "url",
    ["", "/a", "//admin/people", "a", "http:", "http:/a", "http:///a", "http://", "http://?x",
     "http://#x", "ftp://h/", "HTTP://h/", "javascript:x", " http://h/", "\nhttp://h/",
     "http//h", "https:h", "ws://h/", "file:///etc"],
)  # fmt: skip
def test_what_is_no_absolute_url_is_the_askers_error(url: str) -> None:
    with pytest.raises(MalformedRequest) as refused:
        locate(url)
    assert refused.value.pointer == "/url"
    assert refused.value.reason == "expected an absolute URL: http(s)://host[:port]/path"


@pytest.mark.parametrize(
    "authority",
    ["user@h", "user:pw@h", "@h", "h@", "h:", "h:0", "h:65536", "h:99999", "h:123456", "h:000080",
     "h:" + "1" * 5000, "h:80a",
     "h:-1", "h:80:80", ".", "a..b", ".a", "a..", "münchen.test", "xn--é", "\u212aelvin.test", "h ",
     "h\t", "h\n", "a b", "h%41", "%68", "h\\evil", "[::1", "::1", "[::1]x", "[fe80::1%25eth0]",
     "[v1.x]", "[::1..2]", "[::1%25]", "[::g]", "[::G]", "h,i", "*", "*.h", "a*b", "h\u3002test"],
)  # fmt: skip
def test_a_host_that_is_not_plain_is_ambiguous(authority: str) -> None:
    found = locate(f"http://{authority}/a")
    assert found == Ambiguous("the host is not a plain ASCII host name with an optional port")


@pytest.mark.parametrize(
    "url", [f"{HOST}/a#", f"{HOST}/a#b", f"{HOST}#", f"{HOST}/a?b#c/../d", f"{HOST}/a#\nb"]
)
def test_a_fragment_is_ambiguous(url: str) -> None:
    assert locate(url) == Ambiguous("the URL has a fragment (#)")


@pytest.mark.parametrize(
    ("path", "raw_path", "expected"),
    [
        # proxy
        ("/a%2Fb/c", "/a%2Fb/c", "/a%2Fb/c"),
        ("/a%2Fb//c", "/a%2Fb//c", "/a%2Fb//c"),
        ("/a/b/c", "/a%2Fb//c", None),  # v26 has cleaned it
        ("/a%2Fb/../c", "/a%2Fb/../c", "/a%2Fb/../c"),
        ("/a/c", "/a%2Fb/../c", None),  # v26 has cleaned it
        ("/a/%2e%2e/x", "/a/%2e%2e/x", "/a/%2e%2e/x"),
        ("/x", "/a/%2e%2e/x", None),  # v26 has cleaned it
        ("/a/b", "", "/a/b"),
        # /decisions
        ("/a/b/c", "/decisions/a%2Fb/c", "/a%2Fb/c"),
        ("/a/../x", "/decisions/a/%2e%2e/x", "/a/%2e%2e/x"),
        ("/x", "/decisions/a/%2e%2e/x", None),  # v26 has cleaned it
        ("/%C3%A9%21", "/decisions/%C3%A9!", "/%C3%A9!"),
        # the API has a /decisions of its own
        ("/decisions/a%2Fb", "/decisions/a%2Fb", "/decisions/a%2Fb"),
        ("/decisions/a/b", "/decisions/decisions/a%2Fb", "/decisions/a%2Fb"),
        ("/decisions/a/b", "/decisions/a%2Fb", "/decisions/a%2Fb"),
        # what no Oathkeeper says
        ("/a", "/b", None),
        ("/a", "/decisionsa", None),
        ("/a", "decisions/a", None),
        ("/a", "%2Fa", None),
        ("/", "/decisions", None),
        ("/a", "/%64ecisions/a", None),
        ("/a", "/decisions/A", None),
        ("/a", "/decisions/a/", None),
        ("/a/b", "/decisions//a/b", None),
    ],
)
def test_raw_path_is_the_path_where_it_decodes_to_the_url(
    path: str, raw_path: str, expected: str | None
) -> None:
    found = locate(HOST + path, raw_path)
    assert (None if isinstance(found, Ambiguous) else found.path) == expected


@pytest.mark.parametrize(
    ("path", "raw_path"), [("/%zz", "/%25zz"), ("/é", "/%C3%A9"), ("/a\\b", "/a%5Cb")]
)
def test_a_raw_path_does_not_mend_a_broken_url(path: str, raw_path: str) -> None:
    found = locate(HOST + path, raw_path)
    assert isinstance(found, Ambiguous) or isinstance(read(found.path), Ambiguous)


def test_two_paths_that_disagree_are_told_apart_from_other_faults() -> None:
    assert locate(f"{HOST}/a", "/b") == Ambiguous(
        "url and raw_path say different paths: the gateway has changed this one"
    )


MORE_THAN_ONCE = "X-Forwarded-Uri was sent more than once"
FRAGMENT = "X-Forwarded-Uri has a fragment (#)"
NO_PATH = "X-Forwarded-Uri is not a path"
ANOTHER = "url is not what Oathkeeper makes of X-Forwarded-Uri"


@pytest.mark.parametrize(
    ("path", "forwarded", "expected"),
    [
        ("/a%2520b", ("/a%20b?q=1",), ("/a%20b", "q=1")),
        ("/a/b", ("/a/b",), ("/a/b", "")),
        ("/", ("/?q=/x?y",), ("/", "q=/x?y")),
        ("/a%252Fb", ("/a%2Fb",), ("/a%2Fb", "")),
        ("/a%21%2A", ("/a!*",), ("/a!*", "")),
        ("/-._~$&+,:;=@", ("/-._~$&+,:;=@",), ("/-._~$&+,:;=@", "")),  # Go escapes none of them
        ("/a%2520b", ("/a b",), ANOTHER),
        ("/%C3%A9", ("/é",), NO_PATH),
        ("/b", ("/a",), ANOTHER),
        ("/a%2Fb", ("/a/b",), ANOTHER),  # it decodes to it, but Oathkeeper never makes this of it
        ("/%61dmin", ("/admin",), ANOTHER),
        ("/a", ("/a", "/a"), MORE_THAN_ONCE),
        ("/a", ("/a#x",), FRAGMENT),
        ("/a", ("/a?x#y",), FRAGMENT),
        ("/a", ("a",), NO_PATH),
        ("/a", ("http://h/a",), NO_PATH),
        ("/", ("",), NO_PATH),
        ("/a", ("?x",), NO_PATH),
        # v26.2.0 has cleaned it
        ("/a", ("/a/",), ("/a/", "")),
        ("/a:b;c", ("/a:b;c/",), ("/a:b;c/", "")),
        ("/a", ("/a//",), ANOTHER),
        ("/a", ("//a",), ANOTHER),
    ],
)
def test_a_forwarded_uri_is_the_request_where_the_url_is_what_oathkeeper_makes_of_it(
    path: str, forwarded: tuple[str, ...], expected: tuple[str, str] | str
) -> None:
    found = locate(f"{HOST}{path}?lost=1", "/decisions/whatever%2F", forwarded)
    if isinstance(expected, str):
        assert found == Ambiguous(expected)
    else:
        assert found == Address("http", "api.acme.test", *expected)


@pytest.mark.parametrize("absent", [None, ()])
def test_without_a_forwarded_uri_the_url_counts(absent: tuple[str, ...] | None) -> None:
    found = locate(f"{HOST}/a?x=1", "", absent)
    assert found == Address("http", "api.acme.test", "/a", "x=1")


@given(
    url=st.one_of(
        st.text(), st.text().map(lambda rest: HOST + rest), st.text().map(lambda a: f"http://{a}/")
    ),
    raw_path=st.text() | st.just(""),
    forwarded=st.none() | st.lists(st.text(), max_size=2).map(tuple),
)
@settings(max_examples=200)
def test_nothing_but_a_malformed_request_is_raised(
    url: str, raw_path: str, forwarded: tuple[str, ...] | None
) -> None:
    try:
        found = locate(url, raw_path, forwarded)
    except MalformedRequest:
        return
    if isinstance(found, Address):
        assert found.path.startswith("/")
        assert found.host.isascii()
        assert found.host == found.host.lower()
        read(found.path)


@given(st.text(alphabet="/a.%25fF;\\ é!*:", max_size=12))
def test_what_oathkeeper_makes_of_a_forwarded_uri_is_always_accepted(rest: str) -> None:
    uri = "/" + quote(rest, safe="/.%;!*:")
    url = HOST + quote(uri, safe="-._~$&+,/:;=@")
    found = locate(url, "", (uri,))
    assert isinstance(found, Address)
    assert found.path == uri


@pytest.mark.parametrize("version", ["v0.40.9", "v26.2.0"])
@pytest.mark.parametrize(
    ("name", "is_refused"),
    [
        ("dot-segments.proxy", {"v0.40.9": True, "v26.2.0": False}),
        ("encoded-dot-segments.proxy", {"v0.40.9": True, "v26.2.0": True}),
        ("encoded-dot-segments.decisions", {"v0.40.9": True, "v26.2.0": True}),
        ("backslash.proxy", {"v0.40.9": True, "v26.2.0": True}),
        ("bad-utf8-and-nul.proxy", {"v0.40.9": True, "v26.2.0": True}),
        ("doubly-encoded-slash.proxy", {"v0.40.9": True, "v26.2.0": True}),
        ("encoded-slash-and-empty-segment.proxy", {"v0.40.9": False, "v26.2.0": True}),
        ("encoded-slash.proxy", {"v0.40.9": False, "v26.2.0": False}),
        ("encoded-slash.decisions", {"v0.40.9": False, "v26.2.0": False}),
        ("utf8.proxy", {"v0.40.9": False, "v26.2.0": False}),
        ("trailing-slash.proxy", {"v0.40.9": False, "v26.2.0": False}),
        ("host-case-dot-port.proxy", {"v0.40.9": False, "v26.2.0": False}),
    ],
)
def test_what_real_oathkeepers_sent_is_read_as_the_contract_says(
    version: str, name: str, is_refused: dict[str, bool]
) -> None:
    body = json.loads((FIXTURES / f"oathkeeper-{version}" / f"{name}.json").read_text())
    found = locate(body["url"], body["raw_path"])
    refused = isinstance(found, Ambiguous) or isinstance(read(found.path), Ambiguous)
    assert refused is is_refused[version]


@pytest.mark.parametrize("version", ["v0.40.9", "v26.2.0"])
def test_an_encoded_slash_is_found_again_under_decisions(version: str) -> None:
    body = json.loads(
        (FIXTURES / f"oathkeeper-{version}" / "encoded-slash.decisions.json").read_text()
    )
    found = locate(body["url"], body["raw_path"])
    assert isinstance(found, Address)
    assert {need for reading in readings(found.path) for need in reading.needs} == {KEEP, SPLIT}
