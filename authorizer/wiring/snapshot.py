"""Everything that decides, made of the settings and the rules."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from authorizer.collection import uncollected
from authorizer.config.origin import Part
from authorizer.errors import ConfigError, RulesError
from authorizer.principals.kept import KeptPrincipals
from authorizer.principals.profiles import compile_profiles
from authorizer.repeats import Repeats
from authorizer.routing.compile import compile_rules
from authorizer.routing.files import Digest, each_rule_file
from authorizer.snapshot import Snapshot
from authorizer.source.schema import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.config.loading import Loaded
    from authorizer.errors import Problem
    from authorizer.principals.profiles import Profiles
    from authorizer.routing.table import RouteTable


def build_snapshot(loaded: Loaded) -> Snapshot:
    """Read and compile everything that decides; raises SourceError with every problem.

    `serve` starts and reloads with it, and what checks rules aside goes through it too.
    """
    settings = loaded.settings
    principals = settings.principals
    profiles = compile_profiles(
        Part(loaded.origin, ("principals", "profiles"), principals.profiles),
        Part(loaded.origin, ("principals", "default"), principals.default),
    )
    if problems := list(_unknown_key_sets(loaded, profiles)):
        raise ConfigError(problems)
    digest = Digest()
    with uncollected():
        documents = each_rule_file([Path(path) for path in settings.rules.paths])
        routes = compile_rules(digest.passing(documents))
    if problems := list(_unknown_profiles(routes, profiles)):
        raise RulesError(problems)
    return Snapshot(
        settings=settings,
        routes=routes,
        profiles=profiles,
        digest=str(digest),
        loaded_at=time.time(),
        kept=KeptPrincipals(principals.keep),
        repeats=Repeats(settings.cache.max_size),
    )


def _unknown_profiles(routes: RouteTable, profiles: Profiles) -> Iterator[Problem]:
    """Yield what is wrong with routes that are only for profiles which are not there."""
    for route in routes.routes:
        for name in sorted(route.profiles - profiles.by_name.keys()):
            message = f"route {route.id} is for the profile `{name}`, which is not there"
            yield route.place.problem(message, did_you_mean(name, profiles.by_name))


def _unknown_key_sets(loaded: Loaded, profiles: Profiles) -> Iterator[Problem]:
    """Yield what is wrong with profiles whose JWTs our own PDP could not verify."""
    embedded = loaded.settings.pdp.embedded
    if embedded is None:
        return
    for name, profile in profiles.by_name.items():
        if profile.jwt is not None and profile.jwt.key_set not in embedded.key_sets:
            yield loaded.origin.problem(
                ("principals", "profiles", name, "aux_data", "jwt", "key_set"),
                f"`pdp.embedded.key_sets` has no `{profile.jwt.key_set}`",
                did_you_mean(profile.jwt.key_set, embedded.key_sets),
            )
