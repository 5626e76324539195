"""Globs of github.com/gobwas/glob, as Cerbos and Oathkeeper have them, as Python regexes."""

from __future__ import annotations

import re
from typing import Final

from authorizer.lint.regex import compile_regex

_PIECE: Final = re.compile(r"\*\*|\[!?[^\]]+\]|\\.|.", re.DOTALL)


def glob_regex(glob: str, separators: str) -> str:
    """Return the regex, without anchors, of a glob; raises ValueError where it has none.

    `*` and `?` stop at the separators, `**` does not; `[a-z]`, `[!a-z]` and `{one,other}` work.
    """
    single = f"[^{re.escape(separators)}]"
    wildcards = {"**": "(?s:.*)", "*": f"{single}*", "?": single, "{": "(?:"}
    inside = {"}": ")", ",": "|"}
    out: list[str] = []
    depth = 0
    for piece in _PIECE.findall(glob):
        if piece in wildcards:
            out.append(wildcards[piece])
        elif depth and piece in inside:
            out.append(inside[piece])
        elif piece == "[":
            msg = "a `[` without its `]`"
            raise ValueError(msg)
        else:
            out.append(_class(piece) if piece[0] == "[" else re.escape(piece[-1]))
        depth += (piece == "{") - (piece == "}" and depth > 0)
    regex = "".join(out)
    compile_regex(regex)
    return regex


def _class(piece: str) -> str:
    inner = piece[1:-1]
    members = inner.removeprefix("!")
    for special in "\\^[":
        members = members.replace(special, f"\\{special}")
    return f"[{'^' if inner.startswith('!') else ''}{members}]"
