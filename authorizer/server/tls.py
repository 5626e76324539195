"""TLS for a listener of ours, with a certificate that may be renewed while it listens."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.config.private import refuse_exposed
from authorizer.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from authorizer.config.settings import ListenerTls


class Certificate:
    """A certificate and its key, for `context` to serve with. `load` before the first connection.

    Each handshake takes what was loaded last; connections that are open go on with theirs.
    """

    setting: Final = "server.tls"

    def __init__(self, tls: ListenerTls) -> None:
        self.files: Final[Sequence[Path]] = (Path(tls.certificate), Path(tls.key))
        self._newest = self.context = _context()
        # OpenSSL calls it for every hello, also for one that names no server. A context of its own
        # for each pair: loading into one that is in use can leave it with a new certificate and
        # without a key.
        self.context.sni_callback = self._choose

    def load(self) -> None:
        """Read the files anew. Raises ConfigError; what was read before then stays."""
        certificate, key = self.files
        refuse_exposed(key, "private key")
        context = _context()
        try:
            # Without a password, OpenSSL would ask for one on the terminal and wait.
            context.load_cert_chain(certificate, key, password=_no_password)
        except (OSError, ValueError) as error:
            said = getattr(error, "reason", None) or getattr(error, "strerror", None)
            message = f"cannot serve with {certificate} and {key}: {said or 'unreadable'}"
            hint = "give PEM files: a certificate chain, and its key without a password"
            raise ConfigError([Problem(self.setting, 0, 0, message, hint)]) from error
        self._newest = context

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _: ssl.SSLContext) -> None:
        connection.context = self._newest


def _context() -> ssl.SSLContext:
    """Return a context without a certificate: TLS 1.2 or newer, HTTP/1.1."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def _no_password() -> str:
    return ""
