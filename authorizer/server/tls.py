"""TLS for a listener of ours."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from authorizer.errors import ConfigError, Problem

if TYPE_CHECKING:
    from authorizer.config.settings import ListenerTls


def listener_context(tls: ListenerTls) -> ssl.SSLContext:
    """Return a context that serves with `tls`: TLS 1.2 or newer, HTTP/1.1.

    Raises ConfigError where the files cannot be read or do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        # Without a password, OpenSSL would ask for one on the terminal and wait.
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except (OSError, ValueError) as error:
        said = getattr(error, "reason", None) or getattr(error, "strerror", None) or "unreadable"
        message = f"cannot serve with {tls.certificate} and {tls.key}: {said}"
        hint = "give PEM files: a certificate chain, and its key without a password"
        raise ConfigError([Problem("server.tls", 0, 0, message, hint)]) from error
    return context


def _no_password() -> str:
    return ""
