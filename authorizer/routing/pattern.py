"""Path and host patterns: what a route's `match` says, parsed.

A path pattern is made of segments, most specific first:

    documents          literal      itself
    {id}:archive       mixed        text and captures in one segment
    {id:int}           int          canonical: no sign, no leading zero
    {id:uuid}          uuid         any case; captured in lower case
    {name:slug}        slug         [a-z0-9]+(-[a-z0-9]+)*
    {id:/[A-Z]{3}/}    regex        a whole segment
    {name}             any segment
    {name...}          tail         the rest, at least one segment, last only
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class _Regex(Protocol):
    """What `re` and RE2 have in common."""

    def fullmatch(self, text: str, /) -> object | None: ...


class PatternError(ValueError):
    """A pattern that cannot be read: `offset` characters in, for the given reason."""

    def __init__(self, offset: int, reason: str) -> None:
        self.offset = offset
        self.reason = reason
        super().__init__(reason)


class Rank(enum.IntEnum):
    """Kinds of segments, the most specific first. Two of one rank in one place may tie."""

    LITERAL = 0
    MIXED = 1
    INT = 2
    UUID = 3
    SLUG = 4
    REGEX = 5
    ANY = 6
    TAIL = 7


# Where each request looks: Python 3.11 takes 0.2 us to find a member of an enum.
ANY: Final = Rank.ANY


class Split(enum.Enum):
    """A value that a mixed segment fits in more than one way."""

    AMBIGUOUS = "ambiguous"


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a path pattern.

    `key` is what makes two segments the same place in the table: capture names do not count.
    `names` are the captures, in order. `texts` are a mixed segment's literal pieces, one more
    than there are names (the first or the last may be empty). `regex` is what a whole segment must
    match, `any_case` the same for an application that does not tell `A` from `a`, `lax` for one
    that takes values which are not canonical.
    """

    rank: Rank
    key: str
    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    regex: _Regex | None = None
    any_case: _Regex | None = None
    lax: _Regex | None = None

    def fits(self, value: str) -> bool:
        """Say whether a decoded segment fits, whatever it captures."""
        rank = self.rank
        if rank >= ANY:  # any segment, or a tail; first, as most are
            return value != ""
        match rank:
            case Rank.LITERAL:
                return value == self.key
            case Rank.MIXED:
                return self.split(value) is not None
            case _:
                return self.regex is not None and self.regex.fullmatch(value) is not None

    def fits_laxly(self, value: str) -> bool:
        """Say whether a decoded segment fits when its value need not be canonical."""
        return self.fits(value) or (self.lax is not None and self.lax.fullmatch(value) is not None)

    def fits_folded(self, value: str) -> bool:
        """Say whether a decoded segment fits when letters of either case are the same."""
        match self.rank:
            case Rank.LITERAL:
                return value.casefold() == self.key.casefold()
            case Rank.MIXED:
                texts = [text.casefold() for text in self.texts]
                return _split(texts, value.casefold()) is not None
            case Rank.SLUG | Rank.REGEX:
                return self.any_case is not None and self.any_case.fullmatch(value) is not None
            case _:
                return self.fits(value)

    def split(self, value: str) -> tuple[str, ...] | Split | None:
        """Return what a mixed segment captures: None where it does not fit; captures are not empty.

        AMBIGUOUS where the value can be cut in two ways, or where a capture has the text beside it
        in it: nobody knows what the upstream takes. Express finds no `{a}.{b}` in `1.2.`.
        """
        return _split(self.texts, value)


def _split(texts: Sequence[str], value: str) -> tuple[str, ...] | Split | None:
    first, *separators, last = texts
    if not (value.startswith(first) and value.endswith(last)):
        return None
    # Empty where the two overlap, and then nothing fits either.
    inner = value[len(first) : len(value) - len(last)]
    leftmost = _cut(inner, separators)
    if leftmost is None:
        return None
    # Every way to cut lies between these two, so they tell without trying them all.
    mirrored = _cut(inner[::-1], [text[::-1] for text in reversed(separators)])
    rightmost = [piece[::-1] for piece in reversed(mirrored or [])]
    if leftmost != rightmost or any(
        text in leftmost[number] or text in leftmost[number + 1]
        for number, text in enumerate(separators)
    ):
        return Split.AMBIGUOUS
    return tuple(leftmost)


def _cut(value: str, separators: Sequence[str]) -> list[str] | None:
    """Cut `value` at the first place for each separator, no piece empty; None where none fits."""
    pieces = []
    for separator in separators:
        at = value.find(separator, 1)
        if at == -1:
            return None
        pieces.append(value[:at])
        value = value[at + len(separator) :]
    pieces.append(value)
    return pieces if value else None


def may_be_lax(path: str) -> bool:
    """Say whether a segment, or its beginning, could be an int or a uuid that is not canonical.

    `path` is decoded, with a slash before each segment. Quick, and right where it says no.
    """
    return _LAX_BEGINNING.search(path) is not None


def overlap(one: Segment, other: Segment) -> bool:
    """Say whether some value fits both of two mixed segments.

    Both are texts with gaps of one character or more between them. What the gaps need not agree
    on is filled by the other's texts, so only the two ends can keep the two apart.
    """
    (first, *_, last), (first2, *_, last2) = one.texts, other.texts
    ahead = first.startswith(first2) or first2.startswith(first)
    behind = last.endswith(last2) or last2.endswith(last)
    return ahead and behind


@dataclass(frozen=True, slots=True)
class PathPattern:
    """A parsed path. `trailing_slash` says that it is written with one.

    `capturing` are the numbers of the segments that are not literal.
    """

    text: str
    segments: tuple[Segment, ...]
    trailing_slash: bool
    capturing: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        numbers = (number for number, segment in enumerate(self.segments) if segment.names)
        object.__setattr__(self, "capturing", _shared(tuple(numbers)))

    @property
    def names(self) -> tuple[str, ...]:
        """The captures, in order."""
        return tuple(name for segment in self.segments for name in segment.names)


@lru_cache(maxsize=1_024)
def _shared(numbers: tuple[int, ...]) -> tuple[int, ...]:
    """Return one object for all paths that capture in the same places: thousands do."""
    return numbers


_INT: Final = re.compile(r"0|[1-9][0-9]{0,18}")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
# What applications take for them too: leading zeros (Starlette, Django), signs and spaces
# (ASP.NET); no dashes (Starlette, ASP.NET), braces (ASP.NET).
_LAX_INT: Final = re.compile(r"\s*[+-]?\d+\s*")
_LAX_UUID: Final = re.compile(r"[{(]?[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}[)}]?")
# How a segment with one of them begins, unless it is a canonical number, whatever follows that.
_LAX_BEGINNING: Final = re.compile(
    r"/(?:(?!(?:0|[1-9][0-9]{0,18})(?![\d\s]))\s*[+-]?\d|[{(]?[0-9A-Fa-f]{8})"
)
_SLUG_ANY_CASE: Final = re.compile(_SLUG.pattern, re.IGNORECASE)
# OpenAPI's names have dashes and dots too; `path['user-id']` reads such a one.
_NAME: Final = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_KINDS: Final = {
    "int": (Rank.INT, _INT, _INT, _LAX_INT),
    "uuid": (Rank.UUID, _UUID, _UUID, _LAX_UUID),
    "slug": (Rank.SLUG, _SLUG, _SLUG_ANY_CASE, None),
}
# A capture, and what is in its braces. A regex may have braces too, so it ends it.
_CAPTURE: Final = re.compile(r"\{([^}]*?:/.*?/|[^}]*)\}", re.DOTALL)
# Far more than any API has; the walks of the table are as deep as a path has segments.
MAX_SEGMENTS: Final = 100
# What may stand in a path pattern outside captures: what it matches is the decoded segment.
_NOT_LITERAL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\\%?#;]")


def parse_path(text: str) -> PathPattern:
    """Return a path pattern parsed; raises PatternError."""
    if not text.startswith("/"):
        raise PatternError(0, "a path begins with `/`")
    pieces = _pieces(text)
    trailing = len(pieces) > 1 and pieces[-1][1] == ""
    if trailing or pieces == [(1, "")]:
        pieces.pop()
    if len(pieces) > MAX_SEGMENTS:
        offset = pieces[MAX_SEGMENTS][0]
        raise PatternError(offset, f"a path has at most {MAX_SEGMENTS} segments")
    segments: list[Segment] = []
    seen: set[str] = set()
    for number, (offset, piece) in enumerate(pieces):
        try:
            segment = _parse_segment(piece)
        except PatternError as error:
            raise PatternError(offset + error.offset, error.reason) from None
        for name in segment.names:
            if name in seen:
                raise PatternError(offset, f"`{{{name}}}` stands twice in this path")
            seen.add(name)
        if segment.rank is Rank.TAIL and (trailing or number + 1 < len(pieces)):
            raise PatternError(offset, f"`{piece}` takes the rest, so nothing may follow it")
        segments.append(segment)
    return PathPattern(text, tuple(segments), trailing)


def _pieces(text: str) -> list[tuple[int, str]]:
    """Split at the slashes that are not inside a `{…:/regex/}`; (offset, text) each."""
    pieces = []
    start = position = 1
    while position < len(text):
        if text.startswith(":/", position) and _is_inside(text[start:position]):
            end = text.find("/}", position + 2)
            if end == -1:
                raise PatternError(position, "a regex ends with `/}`")
            position = end + 2
        elif text[position] == "/":
            pieces.append((start, text[start:position]))
            position += 1
            start = position
        else:
            position += 1
    pieces.append((start, text[start:]))
    return pieces


def _is_inside(text: str) -> bool:
    """Say whether a capture has begun and not ended."""
    return text.count("{") > text.count("}")


@lru_cache(maxsize=65_536)
def _parse_segment(piece: str) -> Segment:
    """Return a segment parsed: one object for all paths that have it. Offsets count from its start.

    Thousands of paths share their beginnings, and what is shared is in the processor's cache.
    """
    if piece == "":
        raise PatternError(0, "an empty segment: no request that we pass on has one")
    if "{" not in piece and "}" not in piece:
        return _literal(piece)
    names: list[str] = []
    texts: list[str] = []
    position = 0
    while (start := piece.find("{", position)) != -1:
        texts.append(piece[position:start])
        capture = _CAPTURE.match(piece, start)
        if capture is None:
            raise PatternError(start, "a `{` without its `}`")
        position = capture.end()
        inner = capture[1]
        if capture[0] == piece:
            return _whole(inner)
        if ":" in inner or inner.endswith("..."):
            reason = f"`{{{inner}}}` must be a whole segment; only `{{name}}` can be a part of one"
            raise PatternError(start, reason)
        names.append(_name(inner, start))
    texts.append(piece[position:])
    if any("}" in text for text in texts):
        raise PatternError(0, "a `}` without its `{`")
    for text in texts:
        _literal_text(text)
    if "" in texts[1:-1]:
        raise PatternError(0, "two captures side by side: nobody could say where to cut")
    key = "{}".join(texts)
    return Segment(Rank.MIXED, key, tuple(names), tuple(texts))


def _whole(inner: str) -> Segment:
    """Return the segment that is just one capture."""
    name, colon, kind = inner.partition(":")
    if not colon:
        if inner.endswith("..."):
            return Segment(Rank.TAIL, "{...}", (_name(inner[:-3], 0),))
        return Segment(Rank.ANY, "{}", (_name(inner, 0),))
    names = (_name(name, 0),)
    if kind in _KINDS:
        rank, known, any_case, lax = _KINDS[kind]
        return Segment(rank, f"{{:{kind}}}", names, regex=known, any_case=any_case, lax=lax)
    if len(kind) > 2 and kind.startswith("/") and kind.endswith("/"):  # noqa: PLR2004 - //
        if "/" in kind[1:-1]:
            raise PatternError(0, "a regex is matched with one segment, so it has no `/`")
        try:
            regex = _compile(kind[1:-1])
            folded = _compile("(?i)" + kind[1:-1])
        except ValueError as error:
            raise PatternError(len(name) + 2, str(error)) from None
        return Segment(Rank.REGEX, f"{{:{kind}}}", names, regex=regex, any_case=folded)
    reason = f"`{kind}` is not a kind of value; there are int, uuid, slug and /regex/"
    raise PatternError(len(name) + 1, reason)


def _compile(regex: str) -> _Regex:
    """Compile a user's regex with RE2, whose time is bounded; raises ValueError."""
    import re2  # noqa: PLC0415 - most tables have no regex

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(regex, options)  # type: ignore[no-any-return]
    except re2.error as error:
        msg = f"not a regex that RE2 takes: {error.args[0].decode()}"
        raise ValueError(msg) from None


def _literal(piece: str) -> Segment:
    _literal_text(piece)
    if piece in (".", ".."):
        raise PatternError(0, "a dot segment: no request that we pass on has one")
    return Segment(Rank.LITERAL, piece)


def _literal_text(text: str) -> None:
    if found := _NOT_LITERAL.search(text):
        raise PatternError(found.start(), _no_literal(found.group()))


def _no_literal(character: str) -> str:
    if not character.isprintable():
        return "a control character cannot stand in a path"
    instead = (
        "what the query must have stands in `match.query`"
        if character == "?"
        else "write the decoded text"
    )
    return f"`{character}` cannot stand in a path; {instead}"


def _name(name: str, offset: int) -> str:
    if not _NAME.fullmatch(name):
        raise PatternError(offset, f"`{name}` is not a name: letters, digits, `_`, `-`, `.`")
    return name


@dataclass(frozen=True, slots=True)
class HostPattern:
    """A host, `*.suffix`, or any (""). `exact` is compared with the whole host."""

    text: str
    exact: bool

    @property
    def specificity(self) -> tuple[int, int]:
        """Smaller is more specific: an exact host, the longest suffix, any host."""
        if self.text == "":
            return (2, 0)
        return (0, 0) if self.exact else (1, -len(self.text))

    def __str__(self) -> str:
        """Return the host as a rule writes it; `*` is any."""
        return self.text if self.exact else f"*{self.text}"


ANY_HOST: Final = HostPattern("", exact=False)
_HOST: Final = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\]"
)


def parse_host(text: str) -> HostPattern:
    """Return a host pattern parsed; raises PatternError."""
    wildcard = text.startswith("*.")
    host = text.lower().removeprefix("*.").removesuffix(".")
    if not text.isascii() or not _HOST.fullmatch(host) or (wildcard and host.startswith("[")):
        reason = "expected a host name without port, like api.example.com or *.example.com"
        raise PatternError(0, reason)
    return HostPattern("." + host if wildcard else host, exact=not wildcard)
