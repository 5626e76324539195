"""What a payload's strings say of a URL, written the slow and obvious way; a third oracle.

Beside `routing.oracle`, which begins where the path is found. It shares nothing with the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from routing import oracle

LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
DIGITS: Final = "0123456789"
# What Go's url.URL leaves unescaped in a path that it encodes by itself.
GO_KEEPS: Final = LETTERS + DIGITS + "-._~$&+,/:;=@"


@dataclass(frozen=True)
class Found:
    """Where a request goes, and by which path and query."""

    scheme: str
    host: str
    path: str
    query: str


def find(url: str, raw_path: str, forwarded: tuple[str, ...]) -> Found | str:
    """Return what is asked for; else "malformed", or "ambiguous"."""
    scheme, separator, rest = url.partition("://")
    end = min([rest.index(mark) for mark in "/?#" if mark in rest], default=len(rest))
    if not separator or scheme not in {"http", "https"} or end == 0:
        return "malformed"
    host = plain_host(rest[:end])
    if "#" in rest or host is None:
        return "ambiguous"
    path, _, query = rest[end:].partition("?")
    path = path or "/"
    if forwarded:
        uri, _, asked = forwarded[0].partition("?")
        is_plain = uri.startswith("/") and all(ord(c) < 128 for c in uri)
        # The later Oathkeeper may have taken one slash off the end.
        shorter = uri.removesuffix("/")
        is_same = path in {go_encodes(uri), go_encodes(shorter)}
        if len(forwarded) > 1 or "#" in forwarded[0] or not is_plain or not is_same:
            return "ambiguous"
        return Found(scheme, host, uri, asked)
    if raw_path in {"", path}:
        return Found(scheme, host, path, query)
    if not oracle.ways(path) and is_broken(path):
        return "ambiguous"
    candidates = [raw_path]
    if raw_path.startswith("/decisions"):
        candidates.append(raw_path[len("/decisions") :])
    for candidate in candidates:
        if candidate.startswith("/") and as_bytes(candidate) == as_bytes(path):
            return Found(scheme, host, candidate, query)
    return "ambiguous"


def plain_host(authority: str) -> str | None:
    """Return the host of an authority to compare with; None where it is anything but plain."""
    if authority.startswith("["):
        inside, closed, port = authority[1:].partition("]")
        if not closed or not inside or not set(inside) <= set(oracle.HEX + ":."):
            return None
        host = f"[{inside}]"
    else:
        host, colon, port = authority.partition(":")
        port = colon + port
        if not host or not set(host) <= set(LETTERS + DIGITS + "_.-"):
            return None
        host = host.removesuffix(".")
        if "" in host.split("."):
            return None
    if port:
        digits = port[1:]
        if port[0] != ":" or not digits or not set(digits) <= set(DIGITS):
            return None
        if len(digits) > len("65535") or not 1 <= int(digits) <= 65535:
            return None
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in host)


def is_broken(path: str) -> bool:
    """Say whether a path cannot be decoded in any sense: a wrong character, or half an escape."""
    if not set(path) <= oracle.ALLOWED:
        return True
    return any(
        not (len(two) == 2 and set(two) <= set(oracle.HEX))
        for number, character in enumerate(path)
        if character == "%"
        for two in (path[number + 1 : number + 3],)
    )


def as_bytes(text: str) -> bytes:
    """Return the text with its escapes decoded, what is no escape as it stands."""
    out = b""
    while text:
        two = text[1:3]
        if text[0] == "%" and len(two) == 2 and set(two) <= set(oracle.HEX):
            out, text = out + bytes([int(two, 16)]), text[3:]
        else:
            out, text = out + text[0].encode(), text[1:]
    return out


def go_encodes(path: str) -> str:
    """Return an ASCII path as Go writes one that it takes for decoded."""
    return "".join(c if c in GO_KEEPS else f"%{ord(c):02X}" for c in path)
