"""What all checks look at: the rules, and whatever of the chain around them was given."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authorizer.lint.access_rules import REMOTE_JSON
from authorizer.lint.payload import collect
from authorizer.lint.reach import explore
from authorizer.lint.ruleset import strings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authorizer.config.loading import Loaded
    from authorizer.lint.access_rules import AccessRule, OathkeeperConfig
    from authorizer.lint.finding import Finding
    from authorizer.lint.payload import Payload
    from authorizer.lint.places import Sources
    from authorizer.lint.policies import Policies
    from authorizer.lint.reach import Reach
    from authorizer.lint.ruleset import RuleSet
    from authorizer.lint.traits import Traits
    from authorizer.principals.profiles import Profiles
    from authorizer.routing.route import Route
    from authorizer.source.document import Place

    # One kind of look at the chain. What it needs and was not given, it passes over.
    Check = Callable[["Chain"], Iterator[Finding]]


@dataclass(frozen=True)
class Chain:
    """Everything that was given, read. None is what was not given, or was refused already."""

    sources: Sources
    oathkeeper: OathkeeperConfig
    loaded: Loaded | None = None
    profiles: Profiles | None = None
    rules: RuleSet | None = None
    policies: Policies | None = None
    access_rules: tuple[AccessRule, ...] | None = None
    traits: Traits | None = None

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes; none where the rules were refused."""
        return self.rules.table.routes if self.rules is not None else ()

    @property
    def asking(self) -> tuple[AccessRule, ...]:
        """The access rules that ask us."""
        return tuple(rule for rule in self.access_rules or () if rule.asks)

    @functools.cached_property
    def reach(self) -> Reach | None:
        """Which access rules reach which routes."""
        if self.rules is None or self.access_rules is None:
            return None
        return explore(self.rules.table, self.access_rules)

    @functools.cached_property
    def payloads(self) -> tuple[Payload, ...]:
        """The payloads that we are asked with."""
        view = self.oathkeeper.view
        shared = view.get("authorizers", REMOTE_JSON, "config", "payload") if view else None
        # Where access rules are given, this one counts only if one inherits it.
        return collect(self.asking, shared if self.access_rules is None else None, self.sources)

    def profile_place(self, name: str, text: str) -> Place | None:
        """Return where `text` is written in a configured profile, or None where it is built in."""
        if self.loaded is None:
            return None
        raw = self.loaded.settings.principals.profiles.get(name)
        for path, written in strings(raw):
            if written == text:
                return self.loaded.origin.place(("principals", "profiles", name, *path))
        return None
