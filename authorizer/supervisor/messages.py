"""What a supervisor and its workers tell each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prometheus_client import Metric

    from authorizer.config.addresses import Address
    from authorizer.config.loading import Loaded
    from authorizer.pdp.embedded import PoliciesState
    from authorizer.server.readiness import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The first message to a worker: what it is to do.

    It gets the settings themselves, so that all workers have the same, whatever has become of the
    file. `sockets` are the descriptors of its own sockets of `server.listen`, `others` of the other
    workers', `log_lock` that of the file by which they take turns at the log; `pdp` is where the
    embedded PDP listens.
    """

    number: int
    loaded: Loaded
    sockets: Sequence[int]
    others: Sequence[int]
    log_lock: int
    pdp: Address | None


@dataclass(frozen=True, slots=True)
class Ask:
    """To a worker: how are you? And with `counts`: what have you counted?"""

    number: int
    counts: bool


@dataclass(frozen=True, slots=True)
class PoliciesTold:
    """To a worker: what became of the embedded PDP's policies."""

    state: PoliciesState


@dataclass(frozen=True, slots=True)
class ConfigTold:
    """To a worker: whether the configuration file is not what runs."""

    changed: bool


@dataclass(frozen=True, slots=True)
class ClearCache:
    """To a worker: forget the answers that were kept. Who answers an `Ask` after it has."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From a worker: it decides."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """From a worker, to the `Ask` of this number. `counts`: all its metrics, if asked for."""

    number: int
    report: Report
    counts: Sequence[Metric] | None


@dataclass(frozen=True, slots=True)
class Farewell:
    """The last message from a worker that ends as it should: what it has counted."""

    counts: Sequence[Metric]
