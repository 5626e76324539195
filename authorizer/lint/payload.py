"""The payload templates of access rules, and what they say for a sample request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from authorizer.lint.gotemplate import actions, render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.lint.access_rules import AccessRule
    from authorizer.lint.gotemplate import Action
    from authorizer.lint.places import Sources
    from authorizer.lint.view import View
    from authorizer.source.document import Place


@dataclass(frozen=True, slots=True, eq=False)
class Payload:
    """One template. `rules` are the access rules that send it; none where no rules were given.

    `rendered` is what it prints for a sample request, None where it has conditions. `content` is
    the JSON object in that, None where there is none.
    """

    text: str
    place: Place
    rules: tuple[AccessRule, ...]
    sources: Sources
    actions: tuple[Action, ...]
    rendered: str | None
    content: Mapping[str, Any] | None

    @property
    def profiles(self) -> tuple[str, ...]:
        """The profiles that it names."""
        named = self.content.get("profile") if self.content is not None else None
        names = named if isinstance(named, list) else [named]
        return tuple(name for name in names if isinstance(name, str))

    @property
    def headers(self) -> frozenset[str]:
        """The caller's headers that it passes on, in lower case."""
        passed = self.content.get("headers") if self.content is not None else None
        return frozenset(map(str.lower, passed)) if isinstance(passed, dict) else frozenset()

    def at(self, offset: int) -> Place:
        """Return the place of what is `offset` characters into the template."""
        return self.sources.inside(self.place, self.text, offset)

    def place_of(self, text: str) -> Place:
        """Return where a text first stands in the template, or where the template starts."""
        offset = self.text.find(text)
        return self.at(offset) if offset >= 0 else self.place

    def place_of_rendered(self, line: int, column: int) -> Place:
        """Return the place of what is printed at a line and column, both from one.

        Right as long as no value before it on its line is as long as its action.
        """
        if self.rendered is None or line < 1:
            return self.place
        template, printed = self.text.split("\n"), self.rendered.split("\n")
        if line > len(template) or line > len(printed):
            return self.place
        written = template[line - 1]
        ahead = printed[line - 1][: column - 1]
        own = column - 1 if written.startswith(ahead) else len(written) - len(written.lstrip())
        return self.at(sum(len(one) + 1 for one in template[: line - 1]) + own)


def collect(
    asking: tuple[AccessRule, ...], shared: View | None, sources: Sources
) -> tuple[Payload, ...]:
    """Return the payloads of access rules, each once; `shared` is Oathkeeper's own.

    That one counts where an access rule inherits it, or where no access rules are given.
    """
    users: dict[Place, tuple[View, list[AccessRule]]] = {}
    for rule in asking:
        found = rule.authorizer.config.get("payload") if rule.authorizer is not None else None
        if found is not None:
            users.setdefault(found.place, (found, []))[1].append(rule)
    if not asking and shared is not None:
        users[shared.place] = (shared, [])
    return tuple(
        _payload(view.value, place, tuple(rules), sources)
        for place, (view, rules) in users.items()
        if isinstance(view.value, str)
    )


def _payload(text: str, place: Place, rules: tuple[AccessRule, ...], sources: Sources) -> Payload:
    rendered = render(text)
    try:
        content = json.loads(rendered) if rendered is not None else None
    except ValueError:
        content = None
    return Payload(
        text=text,
        place=place,
        rules=rules,
        sources=sources,
        actions=tuple(actions(text)),
        rendered=rendered,
        content=content if isinstance(content, dict) else None,
    )
