"""Names that stand for several PDPs: which addresses they have, looked up again and again.

gRPC's own resolver looks a name up when a connection breaks, which one to a stopped PDP does not,
and balances inside one channel, where nobody can see who fails.
"""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Final

import structlog

from authorizer.config.addresses import TcpAddress
from authorizer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import TypeAlias

    from authorizer.config.addresses import DnsName

    Lookup: TypeAlias = Callable[[DnsName], Awaitable[Sequence[TcpAddress]]]
    Addresses: TypeAlias = Mapping[DnsName, Sequence[TcpAddress]]

# Seconds. A Service of Kubernetes says within a few who is gone; asking costs one small packet.
_EVERY: Final = 5.0
_PATIENCE: Final = 5.0

_log = structlog.get_logger(component="pdp")


async def lookup(name: DnsName) -> Sequence[TcpAddress]:
    """Return the addresses of a name, in one order whatever DNS says. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name.host, name.port, type=socket.SOCK_STREAM)
    # An IPv6 address with a zone is of this machine's network only, and DNS holds none.
    hosts = {str(sockaddr[0]) for *_, sockaddr in found}
    return [TcpAddress(host, name.port) for host in sorted(hosts) if "%" not in host]


class Resolver:
    """Tells the addresses of names, first when `refresh` is called, then whenever they change.

    A name that cannot be looked up keeps the addresses that it had, and so do all when `on_change`
    raises ConfigError; it is told again the next time.
    """

    def __init__(
        self,
        names: Sequence[DnsName],
        *,
        on_change: Callable[[Addresses], None],
        lookup: Lookup = lookup,
        every: float = _EVERY,
    ) -> None:
        """Look up `names` every so many seconds, and call `on_change` on the event loop."""
        self._on_change = on_change
        self._lookup = lookup
        self._every = every
        self._known: dict[DnsName, Sequence[TcpAddress]] = dict.fromkeys(names, ())
        self._failing: set[DnsName] = set()

    async def refresh(self) -> None:
        """Look all up, within some seconds, and tell if anything is new."""
        found = dict(
            zip(self._known, await asyncio.gather(*map(self._look, self._known)), strict=True)
        )
        if found != self._known:
            try:
                self._on_change(found)
            except ConfigError as error:
                # A certificate that is being replaced at this moment, for example.
                _log.warning("pdp.names_not_followed", error=str(error))
            else:
                self._known = found

    async def run(self) -> None:
        """Go on until it is cancelled."""
        while True:
            await asyncio.sleep(self._every)
            await self.refresh()

    async def _look(self, name: DnsName) -> Sequence[TcpAddress]:
        try:
            async with asyncio.timeout(_PATIENCE):
                found = await self._lookup(name)
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            if name not in self._failing:
                kind = type(error).__name__
                _log.warning("pdp.name_not_found", name=str(name), error=f"{kind}: {error}")
            self._failing.add(name)
            return self._known[name]
        self._failing.discard(name)
        return tuple(found)
