"""Certificates and secrets on disk, saved as operators and Kubernetes save them."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import trustme


def save_private(path: Path, content: bytes, mode: int = 0o640) -> None:
    """Save a file that not everyone may read, beside its place and then over it."""
    beside = path.with_suffix(".new")
    beside.touch(0o600)
    beside.write_bytes(content)
    beside.chmod(mode)
    beside.replace(path)


def save_pair(folder: Path, authority: trustme.CA) -> dict[str, str]:
    """Issue a certificate for 127.0.0.1, save it, and return the settings of `server.tls`."""
    issued = authority.issue_cert("127.0.0.1")
    chain, key = folder / "chain.pem", folder / "key.pem"
    save_private(key, issued.private_key_pem.bytes())
    save_private(chain, b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    return {"certificate": str(chain), "key": str(key)}


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Return a client's context."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context
