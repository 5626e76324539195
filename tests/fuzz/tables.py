"""Bytes as a small rule set that is valid by construction, and requests to it.

Lines, so that what a fuzzer changes in one leaves the others alone: the first says which kinds of
segments the set has and in which order its rules stand; each other is a rule or a request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from routing.oracle import Rule, place, segment_rank, split_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")

MAX_RULES: Final = 8
MAX_REQUESTS: Final = 6
# Any two regexes in one place tie, and so do mixed segments that one value can fit. So a set has
# one row of each.
REGEXES: Final = ("{x:/[a-c]+/}", "{x:/(?:A|7.*)/}", "{x:/.*go/}", "{x:/[^.]{1,3}/}")
MIXED: Final = (
    ("{x}:go", "{x}:Go", "{x}:{y}:stay"),
    ("v{x}", "V{x}", "a{x}.{y}"),
    ("{x}.{y}",),
    ("{x}aa{y}",),
    ("a{x}b", "A{x}-{y}B", "b{x}"),
    ("é{x}", "É{x}..{y}.json"),
)
PLAIN: Final = (
    "a", "A", "b", "admin", "a.x", "é", "a b", "7", "go", "ADMIN.JSON", "ß", "ss", "a:go",
    "{x}", "{x:int}", "{x:uuid}", "{x:slug}",
)  # fmt: skip
ENDINGS: Final = ("", "", "/", "/{rest...}")
HOSTS: Final = ((), ("api.acme.test",), ("*.acme.test",), ("*.test", "other.example"))
METHODS: Final = (("GET",), ("*",), ("POST", "HEAD"), ("GET", "HEAD", "OPTIONS"))
SAYS: Final = {
    "encoded_slash": (None, None, "keep", "split"),
    "empty_segments": (None, "allow"),
    "matrix_parameters": (None, "keep"),
    "case": (None, "strict"),
    "suffix": (None, "strict"),
    "trailing_slash": (None, None, "strict", "ignore"),
}

EASY: Final = ("a", "A", "b", "7", "go", "a-b", "x.y", "aa")
ASKED_HOSTS: Final = ("api.acme.test", "x.acme.test", "other.example", "test")
ASKED_METHODS: Final = ("GET", "HEAD", "POST", "OPTIONS", "get")
VALUES: Final = (
    "a", "b", "A", "7", "007", "-7", "a-b", "go", "x.y", "1.2.3", "a.", ".", "..", "%61", "%2F",
    "%2f%3B", ";v=1", ";", "", ":", "aa", "aaa", "admin", "Admin", "%C3%A9", "%C3%89", "%E2%84%AA",
    "ss", "%25", "%252e", ".json", "0189f7e2-9c3b-7d44-8000-0123456789ab",
    "0189F7E29c3b7d4480000123456789ab", "/", "%5C", "%00", "%ff", "stay",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is asked of a table: a plain host, a path as it is sent, a method."""

    host: str
    path: str
    method: str


@dataclass(frozen=True)
class Case:
    """Rules of which no two tie, the same in another order and in `files`, and requests."""

    rules: tuple[Rule, ...]
    files: tuple[tuple[Rule, ...], tuple[Rule, ...]]
    requests: tuple[Request, ...]


class Choices:
    """Bytes as a row of decisions. Where none is left, each is the first."""

    def __init__(self, data: bytes) -> None:
        self._rest = iter(data)

    def number(self) -> int:
        """Return the next byte."""
        return next(self._rest, 0)

    def of(self, options: Sequence[T]) -> T:
        """Return one of them."""
        return options[self.number() % len(options)]

    def several(self, most: int) -> Iterator[None]:
        """Return as many turns as the next byte says."""
        return iter([None] * (self.number() % (most + 1)))


def case_of(data: bytes) -> Case:
    """Return the rules and the requests that any bytes say."""
    header, *lines = data.split(b"\n")
    head = Choices(header)
    segments = (*PLAIN, head.of(REGEXES), *head.of(MIXED))
    rules: list[Rule] = []
    asked: list[Choices] = []
    for choices in map(Choices, lines):
        if choices.number() % 2:
            asked.append(choices)
        else:
            rules += _rule(choices, segments, rules)
    requests = tuple(_request(choices, rules) for choices in asked[:MAX_REQUESTS])
    cut = head.number() % (MAX_RULES + 1)
    shuffled = tuple(sorted(rules, key=lambda _: head.number()))
    return Case(tuple(rules), (shuffled[:cut], shuffled[cut:]), requests)


def _rule(choices: Choices, segments: Sequence[str], known: Sequence[Rule]) -> list[Rule]:
    """Return one rule more; none where it could tie with a known one, or there are enough."""
    # Paths that begin alike are where a walk has to come back.
    beginning = split_path(choices.of(known).path)[0] if known else ()
    begun = beginning[: choices.number() % 4]
    texts = (*begun, *(choices.of(segments) for _ in choices.several(3)))
    # Names tell nothing apart, so they differ between rules of one path.
    named = [
        re.sub(r"\{([xy])\w*", rf"{{\g<1>{len(known)}_{number}", text)
        for number, text in enumerate(texts)
        if text != "{rest...}"
    ]
    path = "".join("/" + text for text in named) + choices.of(ENDINGS) or "/"
    hosts, methods = choices.of(HOSTS), choices.of(METHODS)
    says = frozenset(
        f"{key}: {value}" for key, values in SAYS.items() if (value := choices.of(values))
    )
    beside = [
        rule
        for rule in known
        if place(rule.path) == place(path) and set(rule.hosts or [""]) & set(hosts or [""])
    ]
    if len(known) == MAX_RULES or any(set(rule.methods) & set(methods) for rule in beside):
        return []
    # Routes of one path agree on how it is read. Of two hosts each may have said it already.
    said = {rule.says for rule in beside} or {says}
    return [Rule(f"r{len(known)}", path, methods, hosts, *said)] if len(said) == 1 else []


def _request(choices: Choices, rules: Sequence[Rule]) -> Request:
    host, method = choices.of(ASKED_HOSTS), choices.of(ASKED_METHODS)
    path = _near(choices, choices.of(rules).path) if rules and choices.number() % 4 else ""
    path += "".join(
        choices.of(("/", "", "%2F")) + _value(choices) for _ in choices.several(1 if path else 4)
    )
    return Request(host, path if path.startswith("/") else "/" + path, method)


def _near(choices: Choices, pattern: str) -> str:
    """Return a path that a pattern fits, or nearly."""
    segments, trailing = split_path(pattern)
    path = "".join("/" + _near_segment(choices, segment) for segment in segments)
    return path + "/" if trailing else path


def _near_segment(choices: Choices, segment: str) -> str:
    texts = re.split(r"(\{\w+\})", segment) if segment_rank(segment) == 1 else [segment]
    return "".join(
        _value(choices) if text.startswith("{") else choices.of(_WRITTEN)(text)
        for text in texts
        if text
    )


def _value(choices: Choices) -> str:
    return choices.of(choices.of((EASY, EASY, EASY, VALUES)))


def _plain(text: str) -> str:
    return quote(text, safe=":")


def _escaped(text: str) -> str:
    return "".join(f"%{byte:02x}" for byte in text.encode())


# How a text of a pattern stands in a path: mostly as it is.
_WRITTEN: Final[tuple[Callable[[str], str], ...]] = (
    *[_plain] * 10,
    _escaped,
    lambda text: _plain(text.swapcase()),
    lambda text: _plain(text) + ".json",
    lambda text: _plain(text) + ";v",
    lambda text: _plain(text) + "/",
)
