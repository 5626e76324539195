"""What a request is decided with: immutable, built aside, swapped whole, read once a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from authorizer.principals.kept import KeptPrincipals
from authorizer.repeats import Repeats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.config.settings import Settings
    from authorizer.errors import Problem, SourceError
    from authorizer.principals.profiles import Profiles
    from authorizer.routing.table import RouteTable


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of settings, routes and profiles.

    `digest` names the content (the same rules give the same digest on every replica);
    `loaded_at` is Unix time in seconds. `kept` holds what `profiles` built before, and `repeats`
    what was made of questions on routes that keep answers; both go with the snapshot.
    """

    settings: Settings
    routes: RouteTable
    profiles: Profiles
    digest: str
    loaded_at: float
    kept: KeptPrincipals = field(default_factory=KeptPrincipals, compare=False, repr=False)
    repeats: Repeats[Any] = field(default_factory=Repeats, compare=False, repr=False)


class Current:
    """The one place that a snapshot is swapped in, by a single assignment.

    `last_error` says why the newest attempt to load failed, or is None when it did not;
    the last good snapshot goes on deciding meanwhile. `policy_problems` are why an embedded PDP's
    policies on disk are not those that decide. `config_changed` says that the configuration
    file is not what it was at the start, which only a restart can change. `credential_problems`
    say, by setting, why the files of a certificate or a secret are not what counts.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.last_error: SourceError | None = None
        self.policy_problems: Sequence[Problem] = ()
        self.config_changed = False
        self.credential_problems: dict[str, Problem] = {}
