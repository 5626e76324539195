"""Whether this instance wants requests, and what it knows about why not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from authorizer.pdp.interface import PdpState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from authorizer.errors import Problem
    from authorizer.pdp.interface import Pdp, PdpHealth
    from authorizer.snapshot import Current

# Kubernetes gives a probe a second by default.
_TIMEOUT: Final = 0.5
_KEPT_FOR: Final = 1.0
DRAINING: Final = "draining: it stops as soon as open requests are answered"
_BADNESS: Final = (PdpState.SERVING, PdpState.NOT_SERVING, PdpState.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class Workers:
    """How many processes decide, of how many that should."""

    ready: int
    wanted: int


@dataclass(frozen=True, slots=True)
class Report:
    """What was found. Ready means that `errors` (what is wrong, by where) is empty.

    `rules_problems` are why the newest attempt to load rules failed; the last good ones decide.
    `policy_problems`: the same of an embedded PDP's policies, `credential_problems`: of our
    certificate and secrets. `config_changed`: the configuration file is not what runs.
    `workers` is there where several processes decide.
    """

    errors: Mapping[str, str]
    pdp: Sequence[PdpHealth]
    digest: str
    loaded_at: float
    rules_problems: Sequence[Problem]
    policy_problems: Sequence[Problem]
    config_changed: bool
    credential_problems: Sequence[Problem]
    workers: Workers | None = None


class Readiness:
    """Ready: rules are loaded, no draining, and an embedded PDP has once answered SERVING.

    That rules are loaded needs no look: there is a snapshot. The PDP's present state counts only
    with `requires_pdp`: one shared PDP must not take every replica out of a load balancer, as
    Oathkeeper would then meet refused connections, its slowest failure.
    """

    def __init__(
        self,
        current: Current,
        pdp: Pdp,
        *,
        embedded: bool,
        requires_pdp: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._current = current
        self._probe = _SharedProbe(pdp, clock)
        self._waits_for_embedded = embedded
        self._requires_pdp = requires_pdp
        self._draining = False

    @property
    def draining(self) -> bool:
        """Whether `drain` was called."""
        return self._draining

    def drain(self) -> None:
        """Be unready from now on."""
        self._draining = True

    async def report(self) -> Report:
        """Look, within about half a second; the PDP is asked at most once a second."""
        health = await self._probe.health()
        serving = any(one.state is PdpState.SERVING for one in health)
        if serving:
            self._waits_for_embedded = False
        errors: dict[str, str] = {}
        if self._draining:
            errors["server"] = DRAINING
        if self._waits_for_embedded:
            errors["pdp"] = "the embedded PDP has not answered SERVING yet"
        elif self._requires_pdp and not serving:
            errors["pdp"] = "no PDP answers SERVING (server.ready_requires_pdp)"
        snapshot = self._current.snapshot
        refused = self._current.last_error
        return Report(
            errors,
            health,
            snapshot.digest,
            snapshot.loaded_at,
            () if refused is None else refused.problems,
            tuple(self._current.policy_problems),
            self._current.config_changed,
            tuple(self._current.credential_problems.values()),
        )


def together(reports: Sequence[Report], *, wanted: int, complete: bool, draining: bool) -> Report:
    """Return how an instance is whose `wanted` workers gave these reports. Pure.

    Once it was `complete`, it is ready as long as one of them is. Where they differ, it is as bad
    as the worst of them, and its rules are the oldest.
    """
    ready = sum(not report.errors for report in reports)
    errors: dict[str, str] = {}
    if draining:
        errors["server"] = DRAINING
    elif not (ready and complete):
        for report in reports:
            errors |= report.errors
        errors["workers"] = f"{ready} of {wanted} workers are ready"
    pdp: dict[str, PdpHealth] = {}
    for health in (health for report in reports for health in report.pdp):
        known = pdp.setdefault(health.endpoint, health)
        if _BADNESS.index(health.state) > _BADNESS.index(known.state):
            pdp[health.endpoint] = health
    oldest = min(reports, key=lambda report: report.loaded_at, default=None)
    return Report(
        errors,
        tuple(pdp.values()),
        "" if oldest is None else oldest.digest,
        0.0 if oldest is None else oldest.loaded_at,
        _all(report.rules_problems for report in reports),
        _all(report.policy_problems for report in reports),
        any(report.config_changed for report in reports),
        _all(report.credential_problems for report in reports),
        Workers(ready, wanted),
    )


def _all(problems: Iterable[Sequence[Problem]]) -> Sequence[Problem]:
    """Return each problem once: all workers read the same files."""
    return tuple(dict.fromkeys(problem for each in problems for problem in each))


class _SharedProbe:
    """Asks the PDP how it is, once for everybody who asks within a second."""

    def __init__(self, pdp: Pdp, clock: Callable[[], float]) -> None:
        self._pdp = pdp
        self._clock = clock
        self._asked: asyncio.Task[Sequence[PdpHealth]] | None = None
        self._asked_at = 0.0

    async def health(self) -> Sequence[PdpHealth]:
        now = self._clock()
        asked = self._asked
        if asked is None or (asked.done() and now - self._asked_at >= _KEPT_FOR):
            asked = self._asked = asyncio.create_task(self._ask())
            self._asked_at = now
        # One prober that hangs up must not take the answer from the others.
        return await asyncio.shield(asked)

    async def _ask(self) -> Sequence[PdpHealth]:
        return await self._pdp.health(timeout=_TIMEOUT)
