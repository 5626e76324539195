"""Reading a URL: from what Oathkeeper says to the segments that routes are matched with.

The danger is that we read a URL one way and the application behind the gateway reads it another:
the policy is then asked about one thing, and another is served. So a URL is read once, by the
strictest reading, and whatever has more than one reading is refused (`Ambiguous`) unless the route
that owns it declares how its application reads it (`Loosening`).

The strings, as Oathkeeper gives them:

* `url`: Go's `URL.String()`. In the proxy its path is what the caller sent; under `/decisions` it
  is the *decoded* path, encoded again; v26 has cleaned it (`..`, `//`) in both.
* `raw_path`: Go's `URL.RawPath`: empty when the standard encoding of the path is what the caller
  sent, else what the caller sent, `/decisions` in front of it where that endpoint was asked.
* `forwarded_uri`: what a proxy in front of `/decisions` says that its caller asked for.

A pure module: no table, no settings, no I/O. docs/reading-urls.md is its model in words.

What is made for each request is a Struct: it takes 0.1 us where a frozen dataclass takes 0.5.
"""

from __future__ import annotations

import enum
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote_to_bytes

import msgspec

from authorizer.errors import MalformedRequest

if TYPE_CHECKING:
    from collections.abc import Iterable

# Oathkeeper's decision endpoint: api/decision.go, `DecisionPath`.
DECISIONS: Final = "/decisions"


class Loosening(enum.Enum):
    """A reading that only a route which declares it may use."""

    KEEP_SLASH = "encoded_slash: keep"
    SPLIT_SLASH = "encoded_slash: split"
    EMPTY_SEGMENTS = "empty_segments: allow"
    MATRIX_PARAMETERS = "matrix_parameters: keep"


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One way to read a path.

    `segments` are decoded, `wire` is the same as it was sent; both have one entry a segment, and
    none for a trailing slash. `needs` says what a route must declare for this reading to count.
    """

    segments: tuple[str, ...]
    wire: tuple[str, ...]
    trailing_slash: bool = False
    needs: frozenset[Loosening] = frozenset()


class Address(msgspec.Struct, frozen=True, gc=False):
    """A URL taken apart, its path not yet read. `host` is lower-case, without port and last dot.

    `path` and `query` are as the caller sent them, still encoded; `query` has no question mark.
    """

    scheme: str
    host: str
    path: str
    query: str


class Ambiguous(msgspec.Struct, frozen=True, gc=False):
    """A URL that has more than one reading. `detail` says what about it, and what would help."""

    detail: str


_ABSOLUTE: Final = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?", re.DOTALL)
_AUTHORITY: Final = re.compile(r"([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?")
# What Go leaves as it is in a path (net/url: shouldEscape, validEncoded), percent escapes apart.
_PATH_CHARACTERS: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@\[\]/%\\]*")
# What Go does not escape when it encodes a path by itself (net/url: shouldEscape).
_UNESCAPED: Final = "-._~$&+,/:;=@"
# A path about which there is nothing to discuss but dot segments.
_PLAIN: Final = re.compile(r"(?:/[A-Za-z0-9\-._~!$&'()*+,=:@]+)*/?")
_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DOTS: Final = frozenset((".", ".."))
_MAX_PORT: Final = 65535
# What servers take at most (nginx and Apache: 8 KiB for the line). Reading a path takes several
# times as long where routes declare loosened readings, and nobody else is answered meanwhile.
_MAX_PATH: Final = 8 * 1024
_MAX_SEGMENTS: Final = 256
# Layers of percent-encoding that are looked through; nobody sends the third by accident.
_LAYERS: Final = 8


def locate(
    url: str, raw_path: str = "", forwarded_uri: tuple[str, ...] | None = None
) -> Address | Ambiguous:
    """Take a URL apart and find the path that the caller sent.

    Raises MalformedRequest where `url` is not `http(s)://authority…`.
    """
    # Not urlsplit: it reads `//admin/people` as a host, drops tabs and newlines, and strips.
    found = _ABSOLUTE.fullmatch(url)
    if not found or not found[2]:
        raise MalformedRequest("/url", "expected an absolute URL: http(s)://host[:port]/path")
    scheme, authority, path, query, fragment = found.groups(default="")
    if fragment:
        return Ambiguous("the URL has a fragment (#)")
    host = _host(authority)
    if host is None:
        return Ambiguous("the host is not a plain ASCII host name with an optional port")
    path = path or "/"
    if forwarded_uri:
        return _forwarded(scheme, host, path, forwarded_uri)
    wire = _wire_path(path, raw_path)
    if wire is None:
        return Ambiguous("url and raw_path say different paths: the gateway has changed this one")
    return Address(scheme, host, wire, query)


@lru_cache(maxsize=256)  # a gateway has few hosts
def _host(authority: str) -> str | None:
    """Return the host to compare, or None where the authority is not just host and port."""
    found = _AUTHORITY.fullmatch(authority)
    if not found:
        return None
    host, port = found.groups()
    if port and not 0 < int(port) <= _MAX_PORT:
        return None
    host = host.lower().removesuffix(".")
    return host if all(host.split(".")) else None


def _wire_path(path: str, raw_path: str) -> str | None:
    """Return the path as the caller sent it, or None where the two cannot both be right."""
    if raw_path in ("", path) or _refuse_characters(path):
        # The latter is refused when it is read: no decoding of it means anything.
        return path
    decoded = unquote_to_bytes(path)
    # Under /decisions Oathkeeper cuts the prefix off the decoded path, but not off the raw one.
    behind = raw_path.removeprefix(DECISIONS)
    for candidate in (behind, raw_path):
        if candidate.startswith("/") and unquote_to_bytes(candidate) == decoded:
            return candidate
    return None


def _forwarded(scheme: str, host: str, path: str, values: tuple[str, ...]) -> Address | Ambiguous:
    """Take the request's URI from X-Forwarded-Uri, and hold `path` to what Oathkeeper makes of it.

    Oathkeeper takes the header for a decoded path, so that it is encoded twice in `url`, and its
    query is lost (ory/oathkeeper issue 1264; the same in v0.40.9 and v26.2.0).
    """
    if len(values) > 1:
        return Ambiguous("X-Forwarded-Uri was sent more than once")
    uri, _, query = values[0].partition("?")
    if "#" in values[0]:
        return Ambiguous("X-Forwarded-Uri has a fragment (#)")
    if not uri.startswith("/") or not uri.isascii():
        return Ambiguous("X-Forwarded-Uri is not a path")
    # v26.2.0 cleans this path too: what it can take away without the reading noticing is one slash.
    if path not in (quote(uri, safe=_UNESCAPED), quote(uri.removesuffix("/"), safe=_UNESCAPED)):
        return Ambiguous("url is not what Oathkeeper makes of X-Forwarded-Uri")
    return Address(scheme, host, uri, query)


def read(path: str) -> tuple[Reading, ...] | Ambiguous:
    """Return the ways in which a path may be read: one by default, others need a `Loosening`.

    `path` begins with a slash and is percent-encoded, as the caller sent it.
    """
    if len(path) > _MAX_PATH or path.count("/") > _MAX_SEGMENTS:
        return Ambiguous("the path is longer than servers take")
    if _PLAIN.fullmatch(path):
        wire, trailing = _split(path)
        if _DOTS.isdisjoint(wire):
            return (Reading(wire, wire, trailing),)
        return Ambiguous("the path has a dot segment (. or ..)")
    if problem := _refuse_characters(path):
        return Ambiguous(problem)
    wire, trailing = _split(path)
    segments = []
    for raw in wire:
        try:
            segments.append(unquote_to_bytes(raw).decode())
        except UnicodeDecodeError:
            return Ambiguous("the path is not UTF-8 when it is decoded")
    return _readings(tuple(segments), wire, trailing=trailing)


def _split(path: str) -> tuple[tuple[str, ...], bool]:
    """Split at slashes. One trailing slash is not an empty segment; `/` has no segments."""
    pieces = path[1:].split("/")
    trailing = pieces[-1] == ""
    if trailing:
        pieces.pop()
    return tuple(pieces), trailing and bool(pieces)


def _refuse_characters(path: str) -> str:
    """Return what no route may permit in the path as it was sent, or "" where there is nothing."""
    if not _PATH_CHARACTERS.fullmatch(path):
        return "the path has a character that a URL path may not have unencoded"
    if "\\" in path:
        return "the path has a backslash"
    if path.count("%") != len(_ESCAPE.findall(path)):
        return "the path has a % that begins no escape"
    return ""


def _readings(
    segments: tuple[str, ...], wire: tuple[str, ...], *, trailing: bool
) -> tuple[Reading, ...] | Ambiguous:
    needs: set[Loosening] = set()
    for segment in segments:
        if problem := _refuse_segment(segment):
            return Ambiguous(problem)
        if ";" in segment:
            needs.add(Loosening.MATRIX_PARAMETERS)
        if not all(piece.partition(";")[0] for piece in segment.split("/")):
            needs.add(Loosening.EMPTY_SEGMENTS)
    if not any("/" in segment for segment in segments):
        return (Reading(segments, wire, trailing, frozenset(needs)),)
    kept = Reading(segments, wire, trailing, frozenset(needs | {Loosening.KEEP_SLASH}))
    split = Reading(
        segments=tuple(_flat(segment.split("/") for segment in segments)),
        wire=tuple(_flat(re.split("%2[fF]", raw) for raw in wire)),
        trailing_slash=trailing,
        needs=frozenset(needs | {Loosening.SPLIT_SLASH}),
    )
    return (kept, split)


def _refuse_segment(segment: str) -> str:
    """Return what no route may permit in a decoded segment, or "" where there is nothing."""
    for layer in _layers(segment):
        if layer is None:
            return "the path is not UTF-8 when it is decoded more than once"
        if _CONTROL.search(layer):
            return "the path has an encoded control character"
        if "\\" in layer:
            return "the path has an encoded backslash"
        # What servers cut off at a semicolon is no shield: Tomcat reads `..;x` as `..`.
        for piece in layer.split("/"):
            if piece.partition(";")[0] in _DOTS:
                return "the path has a dot segment (. or .., plain or encoded)"
        if _separators(layer) > _separators(segment):
            return "the path has a slash or a semicolon that is encoded more than once"
    return ""


def _separators(text: str) -> int:
    return text.count("/") + text.count(";")


def _layers(segment: str) -> Iterable[str | None]:
    """Yield the segment, and what further decodings make of it; None where that is not UTF-8.

    The last of `_LAYERS` is None too: so deep, nobody knows any more.
    """
    yield segment
    for _ in range(_LAYERS):
        if not _ESCAPE.search(segment):
            return
        try:
            segment = unquote_to_bytes(segment).decode()
        except UnicodeDecodeError:
            yield None
            return
        yield segment
    yield None


def _flat(lists: Iterable[list[str]]) -> list[str]:
    return [item for items in lists for item in items]
