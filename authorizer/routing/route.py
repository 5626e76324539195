"""A route: what a request that matches it is about. Compiled, immutable."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from authorizer.routing.methods import stand_ins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from authorizer.expressions.template import Template, ValueTemplate
    from authorizer.model import Effect
    from authorizer.routing.conditions import Condition
    from authorizer.routing.pattern import HostPattern, PathPattern
    from authorizer.routing.reading import Loosening
    from authorizer.source.document import Place, Places


class Require(enum.StrEnum):
    """How the effects of several checks become one."""

    ALL = "all"
    ANY = "any"


class Reads(enum.Enum):
    """Readings that an application is declared not to make: they cannot be another route's."""

    CASE_STRICT = "case: strict"
    SLASH_STRICT = "trailing_slash: strict"
    SLASH_IGNORED = "trailing_slash: ignore"
    SUFFIX_STRICT = "suffix: strict"


@dataclass(frozen=True, slots=True)
class ResourceTemplate:
    """What makes a `Resource`, with `${…}` in it."""

    kind: Template
    id: Template
    attr: Mapping[str, ValueTemplate] = field(default_factory=dict)
    policy_version: Template | None = None
    scope: Template | None = None


@dataclass(frozen=True, slots=True)
class CheckTemplate:
    """One check of a route. `actions` by method; "" holds the one for every method.

    `hidden` are those of kind, id and action that a log must not have, as a redacted capture is
    in them.
    """

    resource: ResourceTemplate
    actions: Mapping[str, Template]
    hidden: frozenset[str] = frozenset()

    def action(self, method: str) -> Template:
        """Return the action for a method that the route maps."""
        actions = self.actions
        found = actions.get(method) or actions.get("")
        if found is not None:
            return found
        return next(actions[entry] for entry in stand_ins(method) if entry in actions)


@dataclass(frozen=True, slots=True)
class Uses:
    """Which names a route's expressions read.

    `query`, `query_all` and `headers` are a caller's own names. A second value of one in `query` or
    `headers` denies. Of a parameter in `query_all` all values are read, so that only one which some
    applications take for it denies.
    """

    query: frozenset[str] = frozenset()
    query_all: frozenset[str] = frozenset()
    headers: frozenset[str] = frozenset()
    # All names, without their keys: `path`, `request`, …
    names: frozenset[str] = frozenset()

    @property
    def reads_query(self) -> bool:
        """Whether any expression reads `query` or `query_all`."""
        return "query" in self.names or "query_all" in self.names


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One route of a rule file.

    It is the route with this `number` (from 0) of the file whose `places` it has.
    `methods` may hold "*". `effect` is set on a route that asks no PDP, else `checks` is not empty.
    `profiles` are the profiles that may use it; empty: all. `redact` are captures that no log may
    have. `response_headers` are templates by the header's name. `cache` is for how many seconds an
    answer of the PDP may be used again; None: for none.
    """

    id: str
    places: Places
    number: int
    hosts: tuple[HostPattern, ...]
    path: PathPattern
    methods: frozenset[str]
    conditions: frozenset[Condition] = frozenset()
    permits: frozenset[Loosening] = frozenset()
    reads: frozenset[Reads] = frozenset()
    preflight: bool = False
    effect: Effect | None = None
    checks: tuple[CheckTemplate, ...] = ()
    require: Require = Require.ALL
    observe: bool = False
    profiles: frozenset[str] = frozenset()
    uses: Uses = Uses()
    redact: frozenset[str] = frozenset()
    response_headers: Mapping[str, Template] = field(default_factory=dict)
    description: str = ""
    cache: float | None = None

    @property
    def place(self) -> Place:
        """Where it was written."""
        return self.places.place(("routes", self.number, "id"))
