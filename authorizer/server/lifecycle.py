"""What `serve` listens on: an address for Oathkeeper, and one for operators."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

from authorizer.server.authorize import Authorizer
from authorizer.server.connection import Limits
from authorizer.server.connections import Connections
from authorizer.server.endpoint import Endpoint
from authorizer.server.listening import Listener, bind
from authorizer.server.operations import Health, operating, probes, reading
from authorizer.server.renewal import Renewal
from authorizer.server.shared_secret import SharedSecret
from authorizer.server.shedding import Shedding
from authorizer.server.short_way import ShortWay
from authorizer.server.tls import Certificate

if TYPE_CHECKING:
    import socket
    from collections.abc import Sequence

    from authorizer.config.addresses import TcpAddress
    from authorizer.config.origin import Origin
    from authorizer.config.settings import Settings
    from authorizer.errors import Problem
    from authorizer.server.collaborators import Collaborators
    from authorizer.server.endpoint import Routes
    from authorizer.server.operations import ClearCache, Exposition, Reporter
    from authorizer.server.renewal import Credential

_Credential = TypeVar("_Credential", bound="Credential")

# Where load balancers must first learn that we are not ready; config.schema.json says the same.
_DRAIN_DELAY: Final = 5.0
# Prometheus and probes; an operator's browser.
_ADMIN_CONNECTIONS: Final = 100


def bind_server(settings: Settings, origin: Origin) -> list[list[socket.socket]]:
    """Return the sockets of `server.listen`, for each of its workers. Raises ConfigError."""
    server = settings.server
    may_be_reached = server.tls is not None or server.insecure_plaintext
    return bind(
        origin,
        ("server", "listen"),
        server.listen,
        may_be_reached=may_be_reached,
        processes=server.workers,
    )


async def open_admin(
    settings: Settings,
    origin: Origin,
    reporter: Reporter,
    exposition: Exposition,
    clear_cache: ClearCache,
) -> Listener:
    """Open `admin.listen`. Raises ConfigError."""
    admin = settings.admin
    limits = _limits(settings, Connections(_ADMIN_CONNECTIONS))
    endpoint = operating(reporter, exposition, clear_cache, limits)
    [sockets] = bind(
        origin, ("admin", "listen"), admin.listen, may_be_reached=admin.insecure_plaintext
    )
    listener = Listener(endpoint, sockets)
    await listener.start(None, settings.server.header_timeout)
    return listener


def drain_delay(settings: Settings, address: TcpAddress) -> float:
    """Return for how many seconds to be unready before `address` is closed."""
    delay = settings.server.drain_delay
    return delay if delay is not None else 0.0 if address.local else _DRAIN_DELAY


class Listeners:
    """`server.listen` and `admin.listen`, while they are open.

    `inherited` are the sockets of `server.listen` where this is one of several processes that
    serve it, and `others` those of the others; `admin.listen` is another's then.
    """

    def __init__(
        self,
        collaborators: Collaborators,
        inherited: Sequence[socket.socket] = (),
        others: Sequence[socket.socket] = (),
    ) -> None:
        self._with = collaborators
        self._inherited = inherited
        self._others = others
        self._open: list[Listener] = []
        self._renewals: list[Renewal] = []
        self._renewing: list[asyncio.Task[None]] = []
        self._closing = asyncio.Lock()

    @property
    def address(self) -> TcpAddress:
        """Where Oathkeeper is answered, once started; the port is the real one."""
        return self._open[0].address

    @property
    def admin_address(self) -> TcpAddress:
        """Where operators are answered, once started; the port is the real one."""
        return self._open[1].address

    async def start(self) -> None:
        """Open all, or none.

        Raises ConfigError that says which could not be opened, why, and what to do.
        """
        settings, origin = self._with.settings, self._with.origin
        tls = settings.server.tls
        certificate = None if tls is None else self._keep(Certificate(tls))
        known = settings.server.shared_secret
        authorizer = Authorizer(
            self._with, None if known is None else self._keep(SharedSecret(known))
        )
        health = Health(self._with.readiness)
        routes: Routes = {
            "/authorize": {"POST": authorizer.authorize},
            **probes(health),
            "/version": reading(health.version),
        }
        endpoint = Endpoint(
            routes,
            limits=_limits(settings, self._with.connections),
            refuse_unreadable=authorizer.refuse_unreadable,
            short_way=ShortWay("POST", "/authorize", authorizer, Shedding(self._with)),
        )
        try:
            sockets = self._inherited or bind_server(settings, origin)[0]
            self._open.append(Listener(endpoint, sockets, self._others))
            await self._open[0].start(
                None if certificate is None else certificate.context,
                settings.server.header_timeout,
            )
            if not self._inherited:
                readiness = self._with.readiness
                self._open.append(
                    await open_admin(settings, origin, readiness, self._expose, self._clear_cache)
                )
        except BaseException:
            await self._close(0.0)
            raise
        self._renewing = [asyncio.create_task(one.run(), name="renewal") for one in self._renewals]

    async def drain(self) -> None:
        """Be unready, wait for `drain_delay`, accept nothing more, answer what is open, close.

        Open requests have `drain_timeout` to be answered; what is left then is cut off. Metrics
        and health are answered until the last of them. Idempotent, also while it runs.
        """
        self._with.readiness.drain()
        settings = self._with.settings
        if self._open:
            await asyncio.sleep(drain_delay(settings, self.address))
        await self._close(settings.server.drain_timeout)

    async def _expose(self) -> tuple[bytes, str]:
        # The PDP is asked how it is, so that each scrape says what is so now.
        return self._with.exposition((await self._with.readiness.report()).pdp)

    async def _clear_cache(self) -> bool:
        self._with.clear_cache()
        return True

    def _keep(self, credential: _Credential) -> _Credential:
        """Load a credential, for its files to be followed. Raises ConfigError."""
        self._renewals.append(Renewal(credential, self._tell_renewal))
        credential.load()
        self._tell_renewal(credential.setting, None)
        return credential

    def _tell_renewal(self, setting: str, problem: Problem | None) -> None:
        problems = self._with.current.credential_problems
        if problem is None:
            problems.pop(setting, None)
        else:
            problems[setting] = problem
        self._with.on_credential(setting, problem is None)

    async def _close(self, timeout: float) -> None:  # noqa: ASYNC109 - what the open requests get
        async with self._closing:
            for listener in self._open:
                await listener.close(timeout)
            self._open.clear()
            for task in self._renewing:
                task.cancel()
            if self._renewing:
                await asyncio.wait(self._renewing)
                self._renewing.clear()


def _limits(settings: Settings, connections: Connections) -> Limits:
    return Limits(
        connections=connections,
        idle_timeout=settings.server.idle_timeout,
        header_timeout=settings.server.header_timeout,
    )
