"""The URL pattern of an access rule, and URLs that it stands for.

Oathkeeper compares `scheme://host[:port]/path`, its path decoded, with the whole pattern; what
stands in `<…>` is a regex (regexp2) or a glob, all else is text. (ory/oathkeeper:
rule/engine_regexp.go, engine_glob.go.)
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.lint.expansion import Open, expand, samples
from authorizer.lint.glob import glob_regex
from authorizer.lint.regex import compile_regex

if TYPE_CHECKING:
    from collections.abc import Iterable

    from authorizer.lint.expansion import Expansion

_GLOB_SEPARATORS: Final = "./"
_HOST: Final = "host.example"
# For a pattern of which no alternative can be read.
_ANYWHERE: Final = tuple(
    f"{scheme}://{_HOST}{rest}" for scheme in ("https", "http") for rest in ("/", "/a", ":80/", "")
)
# What an open part may stand for, where a URL's beginning lies in it: each of its pieces.
_BEGINNINGS: Final = (
    *("https://", f"https://{_HOST}/", f"https://{_HOST}", f"https://{_HOST}:80/", "https"),
    *(f"://{_HOST}/", f"://{_HOST}", "://", f"s://{_HOST}/", f"s://{_HOST}", "s://"),
    *(f"//{_HOST}/", f"//{_HOST}", "//", f"{_HOST}/", _HOST),
)
# So many open parts may share the beginning, as in `<[a-z]+>:<.*>`.
_MAX_OPENED: Final = 2
_ENOUGH: Final = 8
_ANY_SCHEME: Final = re.compile(r"[^:/]*://[^/]*(/.*)?", re.DOTALL)
_URL: Final = re.compile(r"(https?)://([^/:][^/]*)(/.*)?", re.DOTALL)
# .NET's spelling of what Python spells otherwise.
_NAMED: Final = re.compile(r"\(\?<(?=[A-Za-z_])")
# Flags for the rest of a pattern, which Python takes only at the very beginning.
_FLAGS: Final = re.compile(r"\A\(\?([a-z]+)\)(.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The path that an alternative of a pattern begins with; `whole` where nothing follows."""

    path: str
    whole: bool


@dataclass(frozen=True, slots=True)
class UrlPattern:
    """A pattern, compiled. `urls` are some of what it matches, `prefixes` how their paths begin."""

    compiled: re.Pattern[str]
    urls: tuple[str, ...]
    prefixes: tuple[Prefix, ...]

    def matches(self, url: str) -> bool:
        """Say whether Oathkeeper would match the URL, given decoded and without its query."""
        return self.compiled.match(url) is not None

    @property
    def origins(self) -> tuple[str, ...]:
        """The `scheme://host[:port]` of its sample URLs."""
        return tuple(dict.fromkeys(f"{found[1]}://{found[2]}" for found in self._split()))

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of its sample URLs."""
        return tuple(dict.fromkeys(found[3] or "" for found in self._split()))

    def _split(self) -> list[re.Match[str]]:
        return [found for url in self.urls if (found := _URL.fullmatch(url))]


def parse_url_pattern(text: str, *, is_glob: bool) -> UrlPattern:
    """Return the pattern of an access rule; raises ValueError where it cannot be read."""
    pieces = _pieces(text)
    regex = ""
    for piece, is_pattern in pieces:
        if not is_pattern:
            regex += re.escape(piece)
        elif is_glob:
            regex += f"({glob_regex(piece, _GLOB_SEPARATORS)})"
        else:
            regex += f"({_FLAGS.sub(_scoped, _NAMED.sub('(?P<', piece))})"
    compiled = compile_regex(f"^{regex}$")
    expansions = expand(regex)
    urls = [url for expansion in expansions for url in _urls(expansion, compiled)]
    urls = urls or _of(_ANYWHERE, compiled)
    prefixes = dict.fromkeys(_prefix(expansion) for expansion in expansions)
    return UrlPattern(compiled, tuple(dict.fromkeys(urls)), tuple(prefixes))


def _urls(expansion: Expansion, compiled: re.Pattern[str]) -> list[str]:
    """Return URLs of one alternative, also where its scheme and host lie in its open parts."""
    if found := _of(samples(expansion), compiled):
        return found
    opened = [number for number, part in enumerate(expansion) if isinstance(part, Open)]
    for count in range(1, min(len(opened), _MAX_OPENED) + 1):
        for beginnings in itertools.product(_BEGINNINGS, repeat=count):
            given = dict(zip(opened, beginnings, strict=False))
            parts = tuple(given.get(number, part) for number, part in enumerate(expansion))
            found += _of(samples(parts), compiled)
            if len(found) > _ENOUGH:
                break
        if found:
            break
    return found


def _of(texts: Iterable[str], compiled: re.Pattern[str]) -> list[str]:
    """Return those of the texts that are URLs and that the pattern matches."""
    return [url for url in map(_with_scheme, texts) if _URL.fullmatch(url) and compiled.match(url)]


def _with_scheme(text: str) -> str:
    """Return a sample with a scheme that requests have."""
    scheme, separator, rest = text.partition("://")
    return text if scheme in ("http", "https") or not separator else f"https://{rest}"


def _scoped(found: re.Match[str]) -> str:
    return f"(?{found[1]}:{found[2]})"


def _pieces(text: str) -> list[tuple[str, bool]]:
    """Cut at the outermost `<…>`: (text, whether it stood inside)."""
    pieces = []
    level = start = 0
    for at, character in enumerate(text):
        if character == "<":
            level += 1
            if level == 1:
                pieces.append((text[start:at], False))
                start = at + 1
        elif character == ">":
            level -= 1
            if level == 0:
                pieces.append((text[start:at], True))
                start = at + 1
            elif level < 0:
                break
    if level != 0:
        msg = "its < and > are not balanced"
        raise ValueError(msg)
    pieces.append((text[start:], False))
    return pieces


def _prefix(expansion: Expansion) -> Prefix:
    """Return how the path of an alternative begins: up to its first open part."""
    text = ""
    for part in expansion:
        if isinstance(part, str):
            text += part
            continue
        if (found := _ANY_SCHEME.fullmatch(text)) and found[1]:
            return Prefix(found[1], whole=False)
        text += _within_host(part)
    found = _ANY_SCHEME.fullmatch(text)
    path = found[1] if found else None
    return Prefix(path or "", whole=path is not None)


def _within_host(part: Open) -> str:
    return next((sample for sample in part.samples if sample and "/" not in sample), "")
