"""What routing should say, written the slow and obvious way, sharing nothing with the package.

Two oracles: how a path may be read, and whose it is. They know no trie, no decoder and no pattern
of `authorizer.routing`; they spell out its promises, one after another, for every route.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from functools import lru_cache

ALLOWED = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@[]/%")
HEX = "0123456789abcdefABCDEF"
DEEPEST = 8


@dataclass(frozen=True)
class Way:
    """One way to read a path; `needs` are the keys that a route must say."""

    segments: tuple[str, ...]
    wire: tuple[str, ...]
    trailing: bool
    needs: frozenset[str]


def decoded(text: str, *, strict: bool) -> str | None:
    """Return `text` with its escapes decoded; None where they are broken, or are not UTF-8."""
    out = b""
    while text:
        head, two = text[0], text[1:3]
        if head == "%" and len(two) == 2 and two[0] in HEX and two[1] in HEX:
            out += bytes([int(two, 16)])
            text = text[3:]
        elif head == "%" and strict:
            return None
        else:
            out += head.encode()
            text = text[1:]
    try:
        return out.decode("utf-8")
    except UnicodeDecodeError:
        return None


def is_evil(text: str) -> bool:
    """Say whether a decoded segment holds what no route can permit."""
    dots = any(part.split(";")[0] in {".", ".."} for part in text.split("/"))
    return dots or "\\" in text or any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)


def is_evil_beneath(text: str) -> bool:
    """Say whether decoding a decoded segment further brings out what a first decoding did not."""
    seen = text
    for _ in range(DEEPEST):
        deeper = decoded(seen, strict=False)
        if deeper is None or is_evil(deeper):
            return True
        if deeper.count("/") > text.count("/") or deeper.count(";") > text.count(";"):
            return True
        if deeper == seen:
            return False
        seen = deeper
    return decoded(seen, strict=False) != seen


def ways(path: str) -> list[Way]:
    """Return all ways to read `path`; none where it has no reading that any route may permit."""
    if len(path) > 8192 or path.count("/") > 256 or not set(path) <= ALLOWED:
        return []
    wire = path.split("/")[1:]
    trailing = wire[-1] == ""
    if trailing:
        wire = wire[:-1]
    trailing = trailing and wire != []
    segments = []
    for raw in wire:
        text = decoded(raw, strict=True)
        if text is None or is_evil(text) or is_evil_beneath(text):
            return []
        segments.append(text)
    needs = set()
    if any(";" in text for text in segments):
        needs.add("matrix_parameters: keep")
    if any(part.split(";")[0] == "" for text in segments for part in text.split("/")):
        needs.add("empty_segments: allow")
    if not any("/" in text for text in segments):
        return [Way(tuple(segments), tuple(wire), trailing, frozenset(needs))]
    parts = [part for text in segments for part in text.split("/")]
    raws = [part for raw in wire for part in re.split("%2[Ff]", raw)]
    return [
        Way(tuple(segments), tuple(wire), trailing, frozenset(needs | {"encoded_slash: keep"})),
        Way(tuple(parts), tuple(raws), trailing, frozenset(needs | {"encoded_slash: split"})),
    ]


@dataclass(frozen=True)
class Rule:
    """A route, as far as matching goes. `says` are its keys about reading, like "case: strict"."""

    id: str
    path: str
    methods: tuple[str, ...] = ("GET",)
    hosts: tuple[str, ...] = ()
    says: frozenset[str] = field(default_factory=frozenset)


KINDS = {
    "int": r"0|[1-9][0-9]{0,18}",
    "uuid": r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "slug": r"[a-z0-9]+(-[a-z0-9]+)*",
}
# What applications have been seen to take for them.
LAX_KINDS = {
    "int": r"\s*[+-]?\d+\s*",
    "uuid": r"[{(]?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}[)}]?",
}


def segment_rank(pattern: str) -> int:
    """Return how specific a segment is; the smallest is the most specific."""
    if "{" not in pattern:
        return 0
    if not re.fullmatch(r"\{[^{}:]*(:[^{}/]*|:/.*/)?\}", pattern):
        return 1
    inner = pattern[1:-1]
    if inner.endswith("..."):
        return 7
    kind = inner.partition(":")[2]
    return {"int": 2, "uuid": 3, "slug": 4, "": 6}.get(kind, 5)


def segment_fits(pattern: str, literal: str, value: str, *, fold: bool, lax: bool = False) -> bool:
    """Say whether a segment fits: literals look at `literal`, all others at `value`."""
    rank = segment_rank(pattern)
    if rank == 0:
        return literal.casefold() == pattern.casefold() if fold else literal == pattern
    if rank == 1:
        texts = re.split(r"\{[^}]*\}", pattern)
        if fold:
            texts, value = [text.casefold() for text in texts], value.casefold()
        return re.fullmatch("(.+)".join(map(re.escape, texts)), value, re.DOTALL) is not None
    if rank in {6, 7}:
        return value != ""
    kind = pattern[1:-1].partition(":")[2]
    if lax and kind in LAX_KINDS and re.fullmatch(LAX_KINDS[kind], value):
        return True
    regex = KINDS.get(kind) or kind.strip("/")
    return re.fullmatch(regex, value, re.IGNORECASE if fold else 0) is not None


@lru_cache
def split_path(path: str) -> tuple[tuple[str, ...], bool]:
    """Return the segments of a pattern, and whether it ends with a slash."""
    segments = tuple(re.findall(r"/((?:\{[^{}:]*:/.*?/\}|[^/])*)", path))
    trailing = segments[-1] == ""
    if trailing:
        segments = segments[:-1]
    return segments, trailing and segments != ()


def host_rank(pattern: str, host: str) -> tuple[int, int] | None:
    """Return how specific a host pattern is to a host, or None where it does not fit."""
    if pattern == "":
        return (2, 0)
    if pattern.startswith("*."):
        return (1, -len(pattern)) if host.endswith(pattern[1:]) else None
    return (0, 0) if pattern == host else None


@dataclass(frozen=True)
class Seen:
    """A path as some application may see it."""

    literals: tuple[str, ...]
    values: tuple[str, ...]
    trailing: bool
    fold: bool = False
    empty_tail: bool = False
    lax: bool = False


def path_fits(rule: Rule, seen: Seen) -> bool:
    """Say whether a path is one that a rule is about, whoever else's it may be."""
    segments, trailing = split_path(rule.path)
    if segments and segment_rank(segments[-1]) == 7:
        segments = segments[:-1]
        least = len(segments) + (0 if seen.empty_tail and seen.trailing else 1)
        if len(seen.values) < least:
            return False
    elif len(segments) != len(seen.values) or trailing != seen.trailing:
        return False
    return all(
        segment_fits(pattern, literal, value, fold=seen.fold, lax=seen.lax)
        for pattern, literal, value in zip(segments, seen.literals, seen.values, strict=False)
    )


def place(path: str) -> str:
    """Return what rules of one path have in common: the path without the names in it."""
    return re.sub(r"\{[A-Za-z_]\w*", "{", path)


def beats(one: str, other: str) -> bool:
    """Say whether of two paths that both fit, the one is more specific.

    Where they part, the kinds of their segments say so. Texts that differ only in case part them
    too: then either could be meant, whatever follows.
    """
    ones, others = split_path(one)[0], split_path(other)[0]
    for mine, theirs in zip(ones, others, strict=False):
        if mine != theirs:
            return segment_rank(mine) < segment_rank(theirs)
    return len(ones) < len(others)


def best(rules: list[Rule], host: str, seen: Seen) -> list[tuple[str, str]]:
    """Return the owners (host pattern, path) of a path: one, several only where case is folded."""
    found: dict[tuple[int, int], set[tuple[str, str]]] = {}
    for rule in rules:
        for pattern in rule.hosts or ("",):
            specificity = host_rank(pattern, host)
            if specificity is not None and path_fits(rule, seen):
                found.setdefault(specificity, set()).add((pattern, place(rule.path)))
    owners = found[min(found)] if found else set()
    return sorted(one for one in owners if not any(beats(other[1], one[1]) for other in owners))


def without_suffix(parts: tuple[str, ...]) -> tuple[str, ...]:
    if not parts or "." not in parts[-1].lstrip("."):
        return parts
    return (*parts[:-1], parts[-1][: parts[-1].rindex(".")])


def other_views(way: Way, says: frozenset[str]) -> list[Seen]:
    """Return how else an application may see a path, whose route says what `says` does."""
    slashes = [way.trailing, False]
    if "trailing_slash: strict" in says:
        slashes = [way.trailing]
    if "trailing_slash: ignore" in says:
        slashes = [False]
    views = []
    for undecoded, suffix, matrix, collapsed, fold, empty, lax, slash in itertools.product(
        ("", "literals", "all"),
        (False, True) if "suffix: strict" not in says else (False,),
        (False, True) if "matrix_parameters: keep" in way.needs else (False,),
        (False, True) if "empty_segments: allow" in way.needs else (False,),
        (False, True) if "case: strict" not in says else (False,),
        (False, True) if way.trailing else (False,),
        (False, True),
        slashes,
    ):
        literals = way.wire if undecoded else way.segments
        values = way.wire if undecoded == "all" else way.segments
        if matrix:
            literals = tuple(part.split(";")[0] for part in literals)
            values = tuple(part.split(";")[0] for part in values)
        if collapsed:
            pairs = [pair for pair in zip(literals, values, strict=True) if pair[1] != ""]
            literals = tuple(literal for literal, _ in pairs)
            values = tuple(value for _, value in pairs)
        if suffix:
            literals, values = without_suffix(literals), without_suffix(values)
        if undecoded or any((suffix, matrix, collapsed, fold, empty, lax)):
            views.append(Seen(literals, values, slash, fold, empty, lax))
    return list(dict.fromkeys(views))


def said(rules: list[Rule], owner: tuple[str, str]) -> frozenset[str]:
    return next(
        rule.says
        for rule in rules
        if owner[0] in (rule.hosts or ("",)) and owner[1] == place(rule.path)
    )


def as_it_stands(rules: list[Rule], host: str, way: Way) -> list[tuple[str, str]]:
    """Return whose a path is; two owners where it is another's without its trailing slash."""
    with_slash = best(rules, host, Seen(way.segments, way.segments, way.trailing))
    if not way.trailing:
        return with_slash
    without = best(rules, host, Seen(way.segments, way.segments, trailing=False))
    without = [owner for owner in without if "trailing_slash: strict" not in said(rules, owner)]
    if not with_slash or not without or with_slash == without:
        return with_slash or without
    ignored = "trailing_slash: ignore" in said(rules, without[0])
    told_apart = "trailing_slash: strict" in said(rules, with_slash[0])
    if ignored and not told_apart:
        return without
    if told_apart and not ignored:
        return with_slash
    return with_slash + without


def verdict(rules: list[Rule], host: str, path: str, method: str) -> str:
    """Return the id of the rule that owns a request, or the reason why none does."""
    readings = ways(path)
    if not readings:
        return "ambiguous_url"
    owners = set()
    refused = False
    for way in readings:
        found = as_it_stands(rules, host, way)
        if not any(way.needs <= said(rules, owner) for owner in found):
            refused = refused or bool(way.needs)
            continue
        if len(found) > 1:
            return "ambiguous_url"
        owner = found[0]
        for view in other_views(way, said(rules, owner)):
            others = set(best(rules, host, view)) - {owner}
            if way.trailing and not view.trailing:
                strict = "trailing_slash: strict"
                others = {other for other in others if strict not in said(rules, other)}
            if others:
                return "ambiguous_url"
        owners.add((owner, way))
    if not owners:
        return "ambiguous_url" if refused else "no_route"
    if len({owner for owner, _ in owners}) > 1:
        return "ambiguous_url"
    (owner, way), *_ = owners
    return of_method(rules, owner, way, method)


def of_method(rules: list[Rule], owner: tuple[str, str], way: Way, method: str) -> str:
    mine = [
        rule for rule in rules if owner[0] in (rule.hosts or ("",)) and owner[1] == place(rule.path)
    ]
    wanted = [method, "GET", "*"] if method == "HEAD" else [method, "*"]
    if method != method.upper():
        wanted = [method]  # Django reads `delete` as DELETE
    for name in wanted:
        for rule in mine:
            if name in rule.methods:
                return "ambiguous_url" if is_cut_twice(rule, way) else rule.id
    return "method_not_mapped"


def is_cut_twice(rule: Rule, way: Way) -> bool:
    """Say whether a mixed segment could be cut into its captures in two ways: try them all."""
    for pattern, value in zip(split_path(rule.path)[0], way.segments, strict=False):
        if segment_rank(pattern) == 1:
            texts = re.split(r"\{[^}]*\}", pattern)
            if is_unclear(texts, value):
                return True
    return False


def is_unclear(texts: list[str], value: str) -> bool:
    """Say whether there are two ways to cut, or one in which a capture holds a text beside it."""
    ways = cuts(texts, value)
    return len(ways) > 1 or any(
        text in way[number] or text in way[number + 1]
        for way in ways
        for number, text in enumerate(texts[1:-1])
    )


def cuts(texts: list[str], value: str) -> set[tuple[str, ...]]:
    """Return every way to write `value` as the texts with something between each two of them."""
    first, *rest = texts
    if not value.startswith(first):
        return set()
    value = value[len(first) :]
    if not rest:
        return {()} if value == "" else set()
    return {
        (value[:size], *tail)
        for size in range(1, len(value) + 1)
        for tail in cuts(rest, value[size:])
    }
