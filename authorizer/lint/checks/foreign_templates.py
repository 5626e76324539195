"""Rules written as other languages have their templates: each would be taken to the letter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from authorizer.expressions.template import Template
from authorizer.lint.codes import Code
from authorizer.lint.finding import Finding
from authorizer.lint.ruleset import parts
from authorizer.routing.pattern import Rank

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.lint.chain import Chain
    from authorizer.lint.ruleset import RuleSet
    from authorizer.routing.route import Route

_SELECTED: Final = r"(?:path|query|headers|principal|extra|request)(?:\.\w+)+"
# `{path.id}`, `{{ .path.id }}`, `$path.id`.
_IN_TEXT: Final = re.compile(
    rf"(?<!\$)\{{\{{?\s*\.?({_SELECTED}|\w+)\s*\}}?\}}|(?<!\$)\$({_SELECTED})|\A:(\w+)\Z"
)
# `:id`, `<id>`, `<int:id>`, `*`, `**`.
_IN_PATH: Final = re.compile(r":(\w+)|<(?:\w+:)?(\w+)>|(\*\*?)")


def in_routes(chain: Chain) -> Iterator[Finding]:
    """Yield texts of routes, and parts of their paths, that were meant to be filled in."""
    if chain.rules is None:
        return
    for route in chain.routes:
        yield from _in_path(chain, chain.rules, route)
        captures = {name for segment in route.path.segments for name in segment.names}
        for template in parts(route.checks, Template):
            for found in _IN_TEXT.finditer(template.constant or ""):
                name = found[1] or found[2] or found[3]
                if "." not in name and name not in captures:
                    continue
                meant = name if "." in name else f"path.{name}"
                message = f"`{found.group()}` is no template here, and stands for itself"
                place = chain.rules.inside(route, template, found.group())
                help_ = f"did you mean `${{{meant}}}`?"
                yield Finding(Code.FOREIGN_TEMPLATE, place, message, help_)


def _in_path(chain: Chain, rules: RuleSet, route: Route) -> Iterator[Finding]:
    for segment in route.path.segments:
        found = _IN_PATH.fullmatch(segment.key) if segment.rank is Rank.LITERAL else None
        if found is None:
            continue
        name = found[1] or found[2]
        tail = "{name...}" if found[3] == "**" else "{name}"
        meant = f"{{{name}}}" if name else tail
        message = f"`{segment.key}` is no capture here, and stands for itself"
        text = route.path.text
        offset = max(text.find(segment.key), 0)
        place = chain.sources.inside(rules.match_place(route), text, offset)
        yield Finding(Code.FOREIGN_TEMPLATE, place, message, f"did you mean `{meant}`?")
