"""What all checks look at: the rules, and whatever of the chain around them was given."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from authorizer.lint.access_rules import REMOTE_JSON
from authorizer.lint.attributes import Attributes
from authorizer.lint.payload import collect
from authorizer.lint.reach import explore
from authorizer.lint.reading import read
from authorizer.lint.ruleset import strings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from authorizer.config.loading import Loaded
    from authorizer.kratos.identity_schema import IdentitySchema
    from authorizer.kratos.writers import Writers
    from authorizer.lint.access_rules import AccessRule, OathkeeperConfig
    from authorizer.lint.conditions import Conditions, Expression
    from authorizer.lint.finding import Finding
    from authorizer.lint.payload import Payload
    from authorizer.lint.places import Sources
    from authorizer.lint.policies import Policies
    from authorizer.lint.reach import Reach
    from authorizer.lint.reading import Reading
    from authorizer.lint.ruleset import RuleSet
    from authorizer.principals.profiles import Profile, Profiles
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
    schemas: tuple[IdentitySchema, ...] | None = None
    writers: Writers | None = None

    @property
    def routes(self) -> tuple[Route, ...]:
        """All routes; none where the rules were refused."""
        return self.rules.table.routes if self.rules is not None else ()

    @property
    def asking(self) -> tuple[AccessRule, ...]:
        """The access rules that ask us."""
        return tuple(rule for rule in self.access_rules or () if rule.asks)

    @property
    def searches_scopes_leniently(self) -> bool:
        """Whether a scope without a policy is known to be decided by the nearest above it."""
        embedded = self.loaded.settings.pdp.embedded if self.loaded is not None else None
        return embedded is not None and embedded.lenient_scope_search

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

    @functools.cached_property
    def attributes(self) -> Attributes:
        """The attributes of principals."""
        return Attributes(self.schemas, self.profiles)

    @property
    def conditions(self) -> Conditions | None:
        """What the policies compute."""
        return self.policies.conditions if self.policies is not None else None

    @functools.cached_property
    def readings(self) -> tuple[tuple[Expression, Reading], ...]:
        """What each expression in the policies reads of a principal."""
        expressions = self.conditions.expressions if self.conditions is not None else ()
        return tuple(
            (expression, read(expression, scope, self.attributes))
            for expression, scope in expressions
        )

    @property
    def profiles_in_use(self) -> tuple[Profile, ...]:
        """The profiles that payloads name; all where that is not known, none if there are none."""
        if self.profiles is None:
            return ()
        known = self.profiles.by_name
        payloads = self.payloads
        if not payloads or any(payload.content is None for payload in payloads):
            return tuple(known.values())
        named = {
            name for payload in payloads for name in payload.profiles or (self.profiles.default,)
        }
        return tuple(profile for name, profile in known.items() if name in named)

    def profile_place(self, name: str, text: str) -> Place | None:
        """Return where `text` is written in a configured profile, or None where it is built in."""
        if self.loaded is None:
            return None
        raw = self.loaded.settings.principals.profiles.get(name)
        for path, written in strings(raw):
            if written == text:
                return self.loaded.origin.place(("principals", "profiles", name, *path))
        return None
