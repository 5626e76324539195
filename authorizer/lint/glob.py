"""Globs of github.com/gobwas/glob, as Cerbos and Oathkeeper have them, as Python regexes."""

from __future__ import annotations

import re


def glob_regex(glob: str, separators: str) -> str:
    """Return the regex, without anchors, of a glob; raises ValueError where it has none.

    `*` and `?` stop at the separators, `**` does not; `[a-z]`, `[!a-z]` and `{one,other}` work.
    """
    single = f"[^{re.escape(separators)}]" if separators else r"(?s:.)"
    out: list[str] = []
    depth = 0
    at = 0
    while at < len(glob):
        character = glob[at]
        match character:
            case "*":
                double = glob.startswith("**", at)
                out.append(r"(?s:.*)" if double else f"{single}*")
                at += double
            case "?":
                out.append(single)
            case "[":
                end = _closing(glob, at)
                out.append(_class(glob[at + 1 : end]))
                at = end
            case "{":
                out.append("(?:")
                depth += 1
            case "}" if depth:
                out.append(")")
                depth -= 1
            case "," if depth:
                out.append("|")
            case "\\" if at + 1 < len(glob):
                at += 1
                out.append(re.escape(glob[at]))
            case _:
                out.append(re.escape(character))
        at += 1
    if depth:
        msg = "a `{` without its `}`"
        raise ValueError(msg)
    return "".join(out)


def _closing(glob: str, start: int) -> int:
    end = glob.find("]", start + 2)
    if end < 0:
        msg = "a `[` without its `]`"
        raise ValueError(msg)
    return end


def _class(inner: str) -> str:
    members = inner.removeprefix("!")
    for special in "\\^[":
        members = members.replace(special, f"\\{special}")
    return f"[{'^' if inner.startswith('!') else ''}{members}]"
