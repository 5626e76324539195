"""What decides in this process, from its start to its last answer."""

from __future__ import annotations

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog

from authorizer import __version__
from authorizer.collection import seldom_collected
from authorizer.engine import begin
from authorizer.instrumentation import logging as log
from authorizer.instrumentation.abandoned import Abandoned
from authorizer.instrumentation.decision_log import DecisionLog
from authorizer.instrumentation.metrics import Metrics
from authorizer.instrumentation.thinned import Thinned
from authorizer.pdp.answers import KeptAnswers
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.reload import Reloader, ReloadResult
from authorizer.server.collaborators import Collaborators
from authorizer.server.connections import Connections
from authorizer.server.descriptors import make_room
from authorizer.server.lifecycle import Listeners
from authorizer.server.places import Places
from authorizer.server.readiness import Readiness
from authorizer.snapshot import Current
from authorizer.source.watch import changes, fingerprint
from authorizer.wiring.background import in_background
from authorizer.wiring.following import follow_config
from authorizer.wiring.pdp import batching, open_pdp
from authorizer.wiring.snapshot import build_snapshot

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from authorizer.config.addresses import Address
    from authorizer.config.loading import Loaded
    from authorizer.pdp.embedded import PoliciesState
    from authorizer.pdp.interface import Pdp
    from authorizer.server.collaborators import Sink
    from authorizer.snapshot import Snapshot

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Service:
    """What decides in this process, while it runs."""

    current: Current
    metrics: Metrics
    readiness: Readiness
    listeners: Listeners
    answers: KeptAnswers

    def tell_policies(self, state: PoliciesState) -> None:
        """Say what became of an embedded PDP's policies."""
        _tell_policies(self.metrics, self.current, self.answers, state)

    def tell_config(self, *, changed: bool) -> None:
        """Say whether the configuration file is not what runs."""
        self.current.config_changed = changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Inherited:
    """What a worker has of the process that started it.

    `sockets` are its own of `server.listen`, `others` those of the other workers. `pdp` is where
    the embedded PDP listens, if there is one: it is the other process's.
    """

    log: log.Shared
    sockets: Sequence[socket.socket]
    others: Sequence[socket.socket]
    pdp: Address | None


async def serve(loaded: Loaded) -> None:
    """Run until SIGTERM or SIGINT; returns when all that was open has been answered.

    Raises ConfigError or RulesError for what cannot be started with, PdpError for an embedded PDP
    that does not start.
    """
    stopping = asyncio.Event()
    take_signals(stopping.set)
    async with AsyncExitStack() as stack:
        service = await start(loaded, stack)
        follow_config(loaded, stack, lambda changed: service.tell_config(changed=changed))
        listeners = service.listeners
        _log.info(
            "authorizer.ready",
            listen=str(listeners.address),
            admin=str(listeners.admin_address),
            **described(service.current.snapshot),
        )
        await stopping.wait()
        _log.info("authorizer.draining")
        await listeners.drain()
        _log.info("authorizer.stopped")


def take_signals(stop: Callable[[], None]) -> None:
    """Call `stop` at each SIGTERM and SIGINT, and have SIGHUP, which would end us, do nothing."""
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    # What it asks for is being done already; once that is done, the reloader takes it over.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)


def described(snapshot: Snapshot) -> dict[str, str | int]:
    """Return what is logged of what runs, beside its addresses."""
    return {
        "version": __version__,
        "routes": len(snapshot.routes.routes),
        "rules": snapshot.digest,
        "enforcement": snapshot.settings.enforcement.value,
    }


async def start(
    loaded: Loaded, stack: AsyncExitStack, inherited: Inherited | None = None
) -> Service:
    """Begin to decide, alone or as a worker among others; the stack ends it.

    Raises as `serve` does.
    """
    loaded.require_pdp()
    rule_files = [Path(path) for path in loaded.settings.rules.paths]
    # Before they are read, so that what is saved meanwhile is not missed.
    seen = fingerprint(rule_files)
    stack.enter_context(seldom_collected())
    current = Current(build_snapshot(loaded))
    running_log = log.start(
        loaded.settings.log, shared=None if inherited is None else inherited.log
    )
    stack.callback(running_log.close)
    answers = KeptAnswers(loaded.settings.cache.max_size)
    metrics = Metrics(version=__version__, log_dropped=lambda: running_log.dropped, answers=answers)
    metrics.config_changed.set_function(lambda: current.config_changed)
    _tell_rules(metrics, current)
    if inherited is not None and inherited.pdp is not None:
        pdp: Pdp = batching(CerbosPdp(inherited.pdp), stack, answers)
    else:
        pdp = await open_pdp(
            loaded,
            stack,
            lambda state: _tell_policies(metrics, current, answers, state),
            metrics.pdp_calls,
            answers,
        )
    sinks: list[Sink] = [Thinned(DecisionLog(running_log)), metrics]
    collaborators = _collaborators(loaded, current, pdp, metrics, sinks, answers)
    listeners = (
        Listeners(collaborators)
        if inherited is None
        else Listeners(collaborators, inherited.sockets, inherited.others)
    )
    await listeners.start()
    stack.push_async_callback(listeners.drain)
    reloader = Reloader(
        build=lambda: build_snapshot(loaded),
        current=current,
        changes=lambda: changes(rule_files, since=seen),
        on_result=[lambda result: _tell_reload(metrics, current, answers, result)],
    )
    in_background(reloader.run(), "reload", stack)
    return Service(current, metrics, collaborators.readiness, listeners, answers)


def _collaborators(
    loaded: Loaded,
    current: Current,
    pdp: Pdp,
    metrics: Metrics,
    sinks: Sequence[Sink],
    answers: KeptAnswers,
) -> Collaborators:
    settings = loaded.settings
    connections = Connections(_room(settings.server.max_connections), metrics.connection_cut)
    metrics.connections.set_function(lambda: connections.open)
    places = Places(
        settings.server.max_in_flight,
        max_wait=settings.server.max_wait,
        callers=lambda: connections.open,
    )
    metrics.in_flight.set_function(lambda: places.taken)
    return Collaborators(
        settings=settings,
        origin=loaded.origin,
        current=current,
        pdp=pdp,
        decide=partial(begin, answers=answers),
        sinks=sinks,
        readiness=Readiness(
            current,
            pdp,
            embedded=settings.pdp.embedded is not None,
            requires_pdp=settings.server.ready_requires_pdp,
        ),
        places=places,
        connections=connections,
        exposition=metrics.exposition,
        clear_cache=answers.clear,
        on_credential=metrics.credential_loaded,
        on_abandoned=Abandoned(metrics.abandoned.inc).note,
    )


def _room(connections: int) -> int:
    """Return how many connections there may be, as the process may have only so many files open."""
    room = make_room(connections)
    if room < connections:
        _log.warning(
            "server.few_descriptors",
            connections=room,
            detail="raise the limit of open files (ulimit -Hn), or lower server.max_connections",
        )
    return room


def _tell_rules(metrics: Metrics, current: Current) -> None:
    snapshot = current.snapshot
    metrics.rules_loaded(routes=len(snapshot.routes.routes), at=snapshot.loaded_at)


def _tell_reload(
    metrics: Metrics, current: Current, answers: KeptAnswers, result: ReloadResult
) -> None:
    metrics.reload_finished(result.value)
    if result is ReloadResult.LOADED:
        answers.clear()
        _tell_rules(metrics, current)


def _tell_policies(
    metrics: Metrics, current: Current, answers: KeptAnswers, state: PoliciesState
) -> None:
    # Whatever it came to: a PDP that could not say so may have loaded them all the same.
    answers.clear()
    current.policy_problems = state.problems
    metrics.policies_loaded(ok=state.ok, at=state.loaded_at)
