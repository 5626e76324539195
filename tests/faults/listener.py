"""Callers of a service one by one, and a listener whose certificate is renewed."""

from __future__ import annotations

import http.client
import json
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import trustme
from faults.asking import question
from server.credentials import save_pair, save_private

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults.rig import Service

_HEADERS: Final = {"Content-Type": "application/json"}


def ask(service: Service, content: bytes) -> tuple[int, str]:
    """Ask a question over a connection of its own; return the status and the reason."""
    connection = http.client.HTTPConnection(service.listen, timeout=5)
    try:
        connection.request("POST", "/authorize", content, _HEADERS)
        answer = connection.getresponse()
        return answer.status, answer.headers["X-Decision-Reason"]
    finally:
        connection.close()


class Caller:
    """A connection in TLS, for one question after the other."""

    def __init__(self, service: Service, context: ssl.SSLContext) -> None:
        host, _, port = service.listen.rpartition(":")
        self._connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=5)
        self._connection.connect()
        self._socket: ssl.SSLSocket = self._connection.sock
        self.certificate: Final = self._socket.getpeercert(binary_form=True)

    def ask(self) -> int:
        """Ask what is allowed, over this very connection; return the status."""
        assert self._connection.sock is self._socket
        self._connection.request("POST", "/authorize", question(), _HEADERS)
        answer = self._connection.getresponse()
        answer.read()
        return answer.status

    def close(self) -> None:
        self._connection.close()


class Listener:
    """The certificate of a service, and who trusts it.

    `server` is that part of the configuration, `trust` the file of the authority.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._authority = trustme.CA()
        self.trust: Final = folder / "ca.pem"
        self._authority.cert_pem.write_to_path(str(self.trust))
        self._context = ssl.create_default_context(cafile=str(self.trust))
        self._tls = save_pair(folder, self._authority)
        self.server: Final = f"tls: {json.dumps(self._tls)}"

    def renew(self) -> None:
        """Save another certificate and its key, each beside its place and then over it."""
        save_pair(self._folder, self._authority)

    def save_another_key(self) -> None:
        """Save a key that is for another certificate."""
        stranger = self._authority.issue_cert("127.0.0.1")
        save_private(Path(self._tls["key"]), stranger.private_key_pem.bytes())

    @contextmanager
    def connection(self, service: Service) -> Iterator[Caller]:
        """Open a connection."""
        caller = Caller(service, self._context)
        try:
            yield caller
        finally:
            caller.close()

    def shown(self, service: Service) -> bytes | None:
        """Return the certificate that a new connection is shown."""
        with self.connection(service) as caller:
            return caller.certificate
