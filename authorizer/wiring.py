"""The one place that names concrete classes: what `serve` is made of, and in which order."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
import structlog

from authorizer import __version__
from authorizer.collection import uncollected
from authorizer.config.addresses import DnsName, parse_endpoint
from authorizer.config.origin import Part
from authorizer.engine import decide
from authorizer.errors import ConfigError, RulesError
from authorizer.instrumentation import logging as log
from authorizer.instrumentation.decision_log import DecisionLog
from authorizer.instrumentation.metrics import Metrics
from authorizer.instrumentation.thinned import Thinned
from authorizer.pdp.answers import KeptAnswers
from authorizer.pdp.batching import BatchingPdp
from authorizer.pdp.binary import find_cerbos
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.pdp.embedded import EmbeddedPdp
from authorizer.pdp.failover import FailoverPdp
from authorizer.pdp.resolve import Resolver
from authorizer.principals.kept import KeptPrincipals
from authorizer.principals.profiles import compile_profiles
from authorizer.reload import Reloader, ReloadResult
from authorizer.routing.compile import compile_rules
from authorizer.routing.files import Digest, each_rule_file
from authorizer.server.collaborators import Collaborators
from authorizer.server.connections import Connections
from authorizer.server.decision_id import new_decision_id
from authorizer.server.descriptors import make_room
from authorizer.server.lifecycle import Listeners
from authorizer.server.places import Places
from authorizer.server.readiness import Readiness
from authorizer.snapshot import Current, Snapshot
from authorizer.source.schema import did_you_mean
from authorizer.source.watch import changes, fingerprint

if TYPE_CHECKING:
    import socket
    from collections.abc import (
        AsyncIterator,
        Callable,
        Coroutine,
        Iterable,
        Iterator,
        Mapping,
        Sequence,
    )

    from authorizer.config.addresses import Address, Endpoint, TcpAddress
    from authorizer.config.loading import Loaded
    from authorizer.config.settings import EmbeddedPdp as EmbeddedSettings
    from authorizer.config.settings import PdpSettings, Settings
    from authorizer.errors import Problem
    from authorizer.pdp.embedded import PoliciesState
    from authorizer.pdp.failover import Observer
    from authorizer.pdp.interface import Pdp
    from authorizer.principals.profiles import Profiles
    from authorizer.routing.table import RouteTable
    from authorizer.server.collaborators import Sink

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_log = structlog.get_logger()


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
    on_stop_signals(stopping.set)
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


def on_stop_signals(stop: Callable[[], None]) -> None:
    """Call `stop` at each SIGTERM and SIGINT."""
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
        pdp: Pdp = _batching(CerbosPdp(inherited.pdp), stack, answers)
    else:
        pdp = await _pdp(
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
    _in_background(reloader.run(), "reload", stack)
    return Service(current, metrics, collaborators.readiness, listeners, answers)


def follow_config(loaded: Loaded, stack: AsyncExitStack, tell: Callable[[bool], None]) -> None:
    """Say whether the configuration file is not what runs, whenever that changes."""
    if loaded.file is not None:
        _in_background(_watch_config(loaded.file, tell), "config", stack)


@asynccontextmanager
async def running_pdp(loaded: Loaded) -> AsyncIterator[Pdp]:
    """Have the PDP that `serve` would ask, connected or running, while the context lasts.

    Raises ConfigError where the settings name none, and as `serve` does for one that does not
    start.
    """
    loaded.require_pdp()
    async with AsyncExitStack() as stack:
        yield await _pdp(loaded, stack)


async def _pdp(
    loaded: Loaded,
    stack: AsyncExitStack,
    on_policies: Callable[[PoliciesState], None] = lambda _: None,
    observer: Observer | None = None,
    answers: KeptAnswers | None = None,
) -> Pdp:
    """Return the PDP to ask, connected or running; the stack closes it.

    Where `answers` are kept, no question of now is joined to one of before they were cleared.
    """
    if loaded.settings.pdp.embedded is not None:
        embedded = await run_embedded(loaded.settings.pdp.embedded, stack, on_policies)
        return _batching(CerbosPdp(embedded.target), stack, answers)
    return _batching(await _several(loaded.settings, stack, observer), stack, answers)


async def run_embedded(
    settings: EmbeddedSettings,
    stack: AsyncExitStack,
    on_policies: Callable[[PoliciesState], None],
) -> EmbeddedPdp:
    """Run a PDP of our own, until the stack ends it. Raises ConfigError or PdpError."""
    # Found first: what cannot be started should not be half started.
    cerbos = find_cerbos(settings.cerbos)
    embedded = EmbeddedPdp(
        Path(settings.policies),
        cerbos=cerbos,
        lenient_scope_search=settings.lenient_scope_search,
        key_sets=settings.key_sets,
        on_policies=on_policies,
    )
    return await stack.enter_async_context(embedded)


def _batching(pdp: Pdp, stack: AsyncExitStack, answers: KeptAnswers | None) -> Pdp:
    batching = BatchingPdp(
        pdp,
        new_id=new_decision_id,
        generation=lambda: answers.generation if answers is not None else 0,
    )
    stack.push_async_callback(batching.close)
    return batching


async def _several(
    settings: Settings, stack: AsyncExitStack, observer: Observer | None
) -> FailoverPdp:
    """Return the PDPs at `pdp.endpoints` as one; the stack ends following their names."""
    endpoints = [parse_endpoint(text) for text in settings.pdp.endpoints]
    names = [endpoint for endpoint in endpoints if isinstance(endpoint, DnsName)]
    pdp = FailoverPdp(
        _members(settings.pdp, endpoints, {}),
        # So that there is time for two, and for the answer.
        attempt_timeout=min(settings.pdp.attempt_timeout, settings.server.deadline / 3),
        observer=observer,
    )
    if names:
        resolver = Resolver(
            names, on_change=lambda found: pdp.replace(_members(settings.pdp, endpoints, found))
        )
        await resolver.refresh()
        _in_background(resolver.run(), "resolve", stack)
    return pdp


def _members(
    settings: PdpSettings,
    endpoints: Iterable[Endpoint],
    found: Mapping[DnsName, Sequence[TcpAddress]],
) -> dict[str, Callable[[], Pdp]]:
    """Return what opens a connection to each endpoint, a name's addresses being one each."""
    opens: dict[str, Callable[[], Pdp]] = {}
    for endpoint in endpoints:
        tls = settings.tls
        addresses: Sequence[Address]
        if isinstance(endpoint, DnsName):
            addresses = found.get(endpoint, ())
            if tls is not None and tls.server_name is None:
                # The certificate is for the name, not for the address behind it.
                tls = msgspec.structs.replace(tls, server_name=endpoint.host)
        else:
            addresses = (endpoint,)
        for address in addresses:
            opens[str(address)] = partial(
                CerbosPdp, address, tls=tls, insecure_plaintext=settings.insecure_plaintext
            )
    return opens


def _collaborators(
    loaded: Loaded,
    current: Current,
    pdp: Pdp,
    metrics: Metrics,
    sinks: Sequence[Sink],
    answers: KeptAnswers,
) -> Collaborators:
    settings = loaded.settings
    places = Places(settings.server.max_in_flight, max_wait=settings.server.max_wait)
    metrics.in_flight.set_function(lambda: places.taken)
    connections = Connections(_room(settings.server.max_connections), metrics.connection_cut)
    metrics.connections.set_function(lambda: connections.open)
    return Collaborators(
        settings=settings,
        origin=loaded.origin,
        current=current,
        pdp=pdp,
        decide=partial(decide, answers=answers),
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


async def _watch_config(file: Path, tell: Callable[[bool], None]) -> None:
    """Say when the configuration is not what runs: it is read at the start only."""
    seen = fingerprint([file], suffixes=(file.suffix,))
    before = await asyncio.to_thread(_content, file)
    async with aclosing(changes([file], since=seen, suffixes=(file.suffix,))) as saved:
        async for _ in saved:
            changed = await asyncio.to_thread(_content, file) != before
            tell(changed)
            if changed:
                _log.warning(
                    "config.changed", file=str(file), detail="it is read at the start only: restart"
                )
            else:
                _log.info("config.restored", file=str(file))


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None


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


def _in_background(work: Coroutine[None, None, None], name: str, stack: AsyncExitStack) -> None:
    stack.push_async_callback(_cancel, asyncio.create_task(work, name=name))


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
