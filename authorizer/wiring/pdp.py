"""The PDP that is asked: connected or running, with failover and batching."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from authorizer.config.addresses import DnsName, parse_endpoint
from authorizer.pdp.batching import BatchingPdp
from authorizer.pdp.binary import find_cerbos
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.pdp.embedded import EmbeddedPdp
from authorizer.pdp.failover import FailoverPdp
from authorizer.pdp.resolve import Resolver
from authorizer.server.decision_id import new_decision_id
from authorizer.wiring.background import in_background

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from authorizer.config.addresses import Address, Endpoint, TcpAddress
    from authorizer.config.loading import Loaded
    from authorizer.config.settings import EmbeddedPdp as EmbeddedSettings
    from authorizer.config.settings import PdpSettings, Settings
    from authorizer.pdp.answers import KeptAnswers
    from authorizer.pdp.embedded import PoliciesState
    from authorizer.pdp.failover import Observer
    from authorizer.pdp.interface import Pdp


@asynccontextmanager
async def running_pdp(loaded: Loaded) -> AsyncIterator[Pdp]:
    """Have the PDP that `serve` would ask, connected or running, while the context lasts.

    Raises ConfigError where the settings name none, and as `serve` does for one that does not
    start.
    """
    loaded.require_pdp()
    async with AsyncExitStack() as stack:
        yield await open_pdp(loaded, stack)


async def open_pdp(
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
        return batching(CerbosPdp(embedded.target), stack, answers)
    return batching(await _several(loaded.settings, stack, observer), stack, answers)


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


def batching(pdp: Pdp, stack: AsyncExitStack, answers: KeptAnswers | None) -> Pdp:
    """Return the PDP with questions that meet joined into one call; the stack ends it."""
    joined = BatchingPdp(
        pdp,
        new_id=new_decision_id,
        generation=lambda: answers.generation if answers is not None else 0,
    )
    stack.push_async_callback(joined.close)
    return joined


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
        in_background(resolver.run(), "resolve", stack)
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
