"""Requests to try: plain ones of every route, and the same with dangerous pieces worked in.

Everything follows from a seed, so that a finding can be had again.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Final

from differential.application import Declared, host, places
from differential.trial import Attempt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from differential.application import Place, Upstream

PLAIN: Final = "plain"

# What is put in between characters, in front, or at the end.
_PIECES: Final[Mapping[str, Sequence[bytes]]] = {
    "dot segment": (b"/.", b"/..", b"/../", b"/./", b"..", b"/...", b"/.%2e"),
    "encoded dot segment": (b"/%2e", b"/%2e%2e", b"/%2E%2e/", b"%2e%2e%2f", b"/..%2f"),
    "encoded slash": (b"%2f", b"%2F", b"a%2Fb", b"/a%2fb", b"%2fadmin", b"%2F%2F"),
    "backslash": (b"\\", b"%5c", b"%5C", b"..\\", b"..%5c"),
    "semicolon": (b";", b"%3b", b";x=1", b";/", b";.json", b"/;", b"..;/"),
    "control": (b"%00", b"%0a", b"%0d", b"%09", b"%7f", b"%C2%85", b"%1b", b"\x00", b"\x7f"),
    "empty segment": (b"//", b"///", b"/admin//", b"//admin"),
    "double encoding": (b"%252f", b"%252e%252e", b"%255c", b"%2500", b"%253b", b"%25%32%66"),
    "layer of percent": (b"%25", b"%2561", b"%2525", b"100%25"),
    "broken percent": (b"%", b"%2", b"%zz", b"%u002f", b"%-1"),
    "broken UTF-8": (b"%ff", b"%c0%af", b"%c0%ae", b"%e0%80%af", b"%C3", b"%ED%A0%80", b"\xff"),
    "unicode": (
        *(b"%C3%BC", b"%C3%9C", b"\xc3\xbc", b"%E2%84%AA", b"%C4%B1", b"%C5%BF", b"%EF%BC%8F"),
        *(b"%E2%80%A8", b"%EF%BF%BD", b"e%CC%81", b"%E2%80%AE", b"%EF%BC%8E", b"%C3%9F"),
    ),
    "suffix": (b".json", b".JSON", b".", b".html", b".json.xml", b"%2ejson", b".."),
    "verb": (b":move", b":delete", b"%3amove", b"%3Amove", b":", b":move:move", b"::"),
    "query": (b"?", b"?x=1", b"?/../admin", b"??", b"?x=%2f..%2fadmin", b"?a;b"),
    "fragment": (b"#", b"#/admin", b"%23"),
    "question mark": (b"%3f", b"%3Fx=1"),
    "reserved": (b"+", b"%20", b"*", b"!", b"'", b"(", b")", b",", b"&", b"=", b"@", b"$", b"~"),
    "odd": (b"%22", b"%3C", b"%7B", b"%7D", b"[", b"]", b"|", b"{", b"^", b"`", b'"', b"<"),
    "trailing slash": (b"/",),
    "segment": (b"/admin", b"/search", b"/files/a", b"/shelf/", b"/versions", b"/documents"),
}

# What is done to the whole path.
_CHANGES: Final = (
    *("encoded letter", "all letters encoded", "case", "upper case", "escape case"),
    *("trailing slash", "absolute form", "separator"),
)
_SEPARATORS: Final = (
    *(b"%2f", b"%2F", b"\\", b"%5c", b"//", b"/./", b"/;/", b";/", b"%252f", b"/%2e/"),
)

# All that an attempt can be said to have.
KINDS: Final = frozenset({PLAIN, *_PIECES, *_CHANGES})

# What a declaration is about: half of what is tried under it has one of these.
FOCUS: Final[Mapping[Declared, Sequence[str]]] = {
    Declared.SLASH_KEPT: ("encoded slash",),
    Declared.SLASH_SPLIT: ("encoded slash",),
    Declared.EMPTY_ALLOWED: ("empty segment",),
    Declared.MATRIX_KEPT: ("semicolon",),
    Declared.CASE_STRICT: ("case", "upper case"),
    Declared.SUFFIX_STRICT: ("suffix",),
    Declared.TRAILING_STRICT: ("trailing slash",),
    Declared.TRAILING_IGNORED: ("trailing slash",),
}

_VALUES: Final = (
    *("acme", "globex", "plan", "a", "search", "admin", "users", "documents", "versions", "shelf"),
    *("1", "007", "x.json", "a.b", "manifest.json", "README", "readme", "a-b", "a_b~", "files"),
    *("v2", "a-v1.0", "-v", "b.c-v2", "a.", ".b"),
    *("move", "x:move", "orgs", "healthz", "menu", "men%C3%BC", "a%20b", "%C3%A9", "Acme", "ADMIN"),
)
_NUMBERS: Final = (
    *("0", "7", "007", "+7", "-7", "7.0", "0x7", "1e3", "7%20", "%D9%A7"),
    "12345678901234567890",
)
_KEYS: Final = (
    "0f8fad5b-d9cb-469f-a165-70867728950e",
    "0F8FAD5B-D9CB-469F-A165-70867728950E",
    "0f8fad5bd9cb469fa16570867728950e",
    "0f8fad5b-d9cb469f-a165-70867728950e",
    "%7b0f8fad5b-d9cb-469f-a165-70867728950e%7d",
)
_METHODS: Final = ("GET", "GET", "GET", "HEAD", "POST", "DELETE", "OPTIONS")
_CAPTURE: Final = re.compile(r"\{\w+(\.\.\.)?(:\w+)?\}")
# A letter, but not one of an escape.
_LETTER: Final = re.compile(rb"%[0-9A-Fa-f]{2}|([A-Za-z])")
_CONSTRAINED: Final = {":int": _NUMBERS, ":uuid": _KEYS}


def attempts(upstream: Upstream, declared: Declared, count: int, seed: int) -> list[Attempt]:
    """Return `count` different requests to an upstream."""
    chance = random.Random(f"{seed} {declared.label}")  # noqa: S311 - it must be repeatable
    known = places(upstream)
    found: dict[tuple[str, bytes], Attempt] = {}
    source = _endless(known, FOCUS.get(declared, ()), chance)
    while len(found) < count:
        target, kinds = next(source)
        method = chance.choice(_METHODS)
        if "absolute form" in kinds:
            target = b"http://" + host(upstream, declared).encode() + target
        found.setdefault((method, target), Attempt(upstream, declared, method, target, kinds))
    return list(found.values())


def _endless(
    known: Sequence[Place], focus: Sequence[str], chance: random.Random
) -> Iterator[tuple[bytes, frozenset[str]]]:
    for place in known:
        for _ in range(3):
            yield _plain(place, chance), frozenset({PLAIN})
    while True:
        target = _plain(chance.choice(known), chance)
        kinds = set()
        if focus and chance.random() < 0.5:
            kinds.add(chance.choice(focus))
        if not kinds or chance.random() < 0.5:
            kinds |= {_any_kind(chance) for _ in range(chance.choice((1, 1, 1, 2, 2, 3)))}
        # In a fixed order: a set has its own in each process.
        for kind in sorted(kinds):
            target = _mutated(target, kind, chance)
        # What ends a request line is no part of a target.
        if target.startswith(b"/") and not re.search(rb"[ \r\n]", target):
            yield target, frozenset(kinds)


def _any_kind(chance: random.Random) -> str:
    return chance.choice(_CHANGES if chance.random() < 0.35 else tuple(_PIECES))


def _plain(place: Place, chance: random.Random) -> bytes:
    """Return a path of this route, with values that could be other things too."""

    def value(capture: re.Match[str]) -> str:
        if capture[2]:
            return chance.choice(_CONSTRAINED[capture[2]])
        depth = chance.choice((1, 1, 2, 3)) if capture[1] else 1
        return "/".join(chance.choice(_VALUES) for _ in range(depth))

    return _CAPTURE.sub(value, place.path).replace("ü", "%C3%BC").encode()


def _mutated(target: bytes, kind: str, chance: random.Random) -> bytes:
    if kind == "absolute form":  # the host goes in front when all else is done
        return target
    if kind not in _PIECES or (kind in _CHANGES and chance.random() < 0.5):
        return _changed(target, kind, chance)
    piece = chance.choice(_PIECES[kind])
    # Where segments begin and end there is more to confuse than in the middle of one.
    slashes = [found.start() for found in re.finditer(rb"/", target)]
    borders = [0, len(target), *slashes, *(at + 1 for at in slashes)]
    at = chance.choice((chance.choice(borders), len(target), chance.randrange(len(target) + 1)))
    end = at + chance.choice((0, 0, 0, 1))
    return target[:at] + piece + target[end:]


def _changed(target: bytes, change: str, chance: random.Random) -> bytes:
    letters = [found.start(1) for found in _LETTER.finditer(target) if found[1]]
    slashes = [found.start() for found in re.finditer(rb"/", target)]
    match change:
        case "encoded letter" if letters:
            at = chance.choice(letters)
            return target[:at] + b"%%%02x" % target[at] + target[at + 1 :]
        case "all letters encoded":
            return _LETTER.sub(lambda m: b"%%%02X" % m[1][0] if m[1] else m[0], target)
        case "case" if letters:
            at = chance.choice(letters)
            return target[:at] + target[at : at + 1].swapcase() + target[at + 1 :]
        case "upper case":
            return target.upper()
        case "escape case":
            return re.sub(rb"%[0-9A-Fa-f]{2}", lambda m: m[0].swapcase(), target)
        case "separator" if slashes:
            at = chance.choice(slashes)
            return target[:at] + chance.choice(_SEPARATORS) + target[at + 1 :]
        case _:
            return target + b"/"
