"""Open the two listeners, and close them so that no open request is lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
from typing import TYPE_CHECKING, Final, TypeVar

from authorizer.config.addresses import TcpAddress, parse_listener
from authorizer.errors import ConfigError
from authorizer.server.answers import refuse_unreadable
from authorizer.server.authorize import Authorizer
from authorizer.server.connection import Limits
from authorizer.server.connections import Connections
from authorizer.server.endpoint import Endpoint
from authorizer.server.operations import Health, metrics
from authorizer.server.renewal import Renewal
from authorizer.server.shared_secret import SharedSecret
from authorizer.server.tls import Certificate

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from authorizer.errors import Problem
    from authorizer.server.collaborators import Collaborators
    from authorizer.server.endpoint import Handler, Routes
    from authorizer.server.renewal import Credential

_Credential = TypeVar("_Credential", bound="Credential")

_SERVER: Final = ("server", "listen")
_ADMIN: Final = ("admin", "listen")
# Where load balancers must first learn that we are not ready; config.schema.json says the same.
_DRAIN_DELAY: Final = 5.0
# At 16 questions at once, more than half of Oathkeeper's come on a connection of their own.
_BACKLOG: Final = 1024
# Prometheus and probes; an operator's browser.
_ADMIN_CONNECTIONS: Final = 100
# Seconds for what did not end in time, twice: to end by itself, and to end when it is cancelled.
_CUT_OFF: Final = 0.25
# Seconds from accepting a connection to having read what was sent on it already.
_SETTLE: Final = 0.01


class Listeners:
    """`server.listen` and `admin.listen`, while they are open."""

    def __init__(self, collaborators: Collaborators) -> None:
        self._with = collaborators
        self._open: list[_Listener] = []
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
        """Open both, or none.

        Raises ConfigError that says which could not be opened, why, and what to do.
        """
        settings = self._with.settings
        server = self._parse(_SERVER, settings.server.listen)
        admin = self._parse(_ADMIN, settings.admin.listen)
        tls = settings.server.tls
        self._refuse_plaintext(
            _SERVER, server, allowed=tls is not None or settings.server.insecure_plaintext
        )
        self._refuse_plaintext(_ADMIN, admin, allowed=settings.admin.insecure_plaintext)
        certificate = None if tls is None else self._keep(Certificate(tls))
        known = settings.server.shared_secret
        authorizer = Authorizer(
            self._with, None if known is None else self._keep(SharedSecret(known))
        )
        health = Health(self._with.readiness)
        probes = {
            "/health/alive": _reading(health.alive),
            "/health/ready": _reading(health.ready),
        }
        for_oathkeeper: Routes = {
            "/authorize": {"POST": authorizer.authorize},
            **probes,
            "/version": _reading(health.version),
        }
        for_operators: Routes = {
            "/metrics": _reading(metrics(self._with.readiness, self._with.exposition)),
            **probes,
        }
        asking = Endpoint(
            for_oathkeeper,
            limits=self._limits(self._with.connections),
            refuse_unreadable=authorizer.refuse_unreadable,
        )
        operating = Endpoint(
            for_operators,
            limits=self._limits(Connections(_ADMIN_CONNECTIONS)),
            refuse_unreadable=refuse_unreadable,
        )
        try:
            self._open.append(await self._listen(_SERVER, server, asking, certificate))
            self._open.append(await self._listen(_ADMIN, admin, operating, None))
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
        settings = self._with.settings.server
        if self._open:
            delay = settings.drain_delay
            if delay is None:
                delay = 0.0 if self.address.local else _DRAIN_DELAY
            await asyncio.sleep(delay)
        await self._close(settings.drain_timeout)

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

    def _limits(self, connections: Connections) -> Limits:
        settings = self._with.settings.server
        return Limits(
            connections=connections,
            idle_timeout=settings.idle_timeout,
            header_timeout=settings.header_timeout,
        )

    def _parse(self, key: Sequence[str], text: str) -> TcpAddress:
        try:
            return parse_listener(text)
        except ValueError as error:
            raise self._refused(key, str(error)) from None

    def _refuse_plaintext(self, key: Sequence[str], address: TcpAddress, *, allowed: bool) -> None:
        # The configuration was held to this too; a listener is never opened past it.
        if not allowed and not address.local:
            message = f"{address} can be reached from other machines, and is not encrypted"
            hint = f"listen on 127.0.0.1, or say `{key[0]}.insecure_plaintext: true`"
            raise self._refused(key, message, hint)

    async def _listen(
        self,
        key: Sequence[str],
        address: TcpAddress,
        endpoint: Endpoint,
        certificate: Certificate | None,
    ) -> _Listener:
        context = None if certificate is None else certificate.context
        try:
            return await _Listener.open(
                address, endpoint, context, self._with.settings.server.header_timeout
            )
        except OSError as error:
            # uvloop's own text for it says the address once more.
            why = os.strerror(error.errno) if error.errno else str(error)
            message = f"cannot listen on {address}: {why}"
            hint = "free the address, or choose another"
            raise self._refused(key, message, hint) from error

    def _refused(self, key: Sequence[str], message: str, hint: str = "") -> ConfigError:
        named = f"`{'.'.join(key)}`: {message}"
        return ConfigError([self._with.origin.problem(key, named, hint)])

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


class _Listener:
    """One open port."""

    def __init__(self, endpoint: Endpoint, server: asyncio.Server) -> None:
        self._endpoint = endpoint
        self._server = server
        host, port = server.sockets[0].getsockname()[:2]
        self.address = TcpAddress(host, port)

    @classmethod
    async def open(
        cls,
        address: TcpAddress,
        endpoint: Endpoint,
        context: ssl.SSLContext | None,
        handshake_timeout: float,
    ) -> _Listener:
        """Open a port. Raises OSError."""
        server = await asyncio.get_running_loop().create_server(
            endpoint,
            address.host,
            address.port,
            backlog=_BACKLOG,
            ssl=context,
            ssl_handshake_timeout=None if context is None else handshake_timeout,
        )
        return cls(endpoint, server)

    async def close(self, timeout: float) -> None:  # noqa: ASYNC109 - what the open requests get
        self._server.close()
        # A connection that was accepted at the last moment has yet to become a request.
        await asyncio.sleep(_SETTLE)
        # aiohttp's own shutdown stops reading at once, in the middle of a body too.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, timeout - _SETTLE - 2 * _CUT_OFF)):
                await self._endpoint.quiet()
        self._endpoint.pre_shutdown()
        await self._endpoint.shutdown(_CUT_OFF)


def _reading(handler: Handler) -> dict[str, Handler]:
    return {"GET": handler, "HEAD": handler}
