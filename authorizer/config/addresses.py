"""Addresses as the settings write them, as values: `host:port`, `[v6]:port`, `unix:/path`.

`dns:///name:port` stands for all addresses that a name has.

The one place that knows the grammar, for what we listen on and for what we connect to.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from typing import TypeAlias

_EXPECTED: Final = "expected host:port, [IPv6]:port or unix:/absolute/path"
_EXPECTED_ENDPOINT: Final = f"{_EXPECTED}, or dns:///name:port"
_EXPECTED_LISTENER: Final = "expected host:port or [IPv6]:port"
# RFC 1123, with the underscore that container networks allow in service names.
_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_LONGEST_HOST: Final = 253
# As gRPC writes it; an authority, which would name a server to ask, is not taken.
_DNS: Final = "dns:///"
_LAST_PORT: Final = 65_535
# sun_path of unix(7) holds 108 bytes and a final NUL; 104 on macOS and the BSDs.
LONGEST_SOCKET_PATH: Final = 107 if sys.platform == "linux" else 103


@dataclass(frozen=True, slots=True)
class TcpAddress:
    """A host and a port. `host` is a name or an IP address without brackets."""

    host: str
    port: int

    @property
    def local(self) -> bool:
        """Whether nothing that is sent there can leave this machine."""
        ip = self.ip
        if ip is None:
            return self.host.rstrip(".").lower() == "localhost"
        mapped = ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None
        return (mapped or ip).is_loopback

    @property
    def ip(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The host as an IP address, or None where it is a name."""
        return _ip(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """A Unix socket, by its absolute path."""

    path: str

    @property
    def local(self) -> bool:
        """Whether nothing that is sent there can leave this machine."""
        return True

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class DnsName:
    """A name and a port, for each of the addresses that the name has at a time."""

    host: str
    port: int

    @property
    def local(self) -> bool:
        """Whether nothing that is sent there can leave this machine."""
        return TcpAddress(self.host, self.port).local

    def __str__(self) -> str:
        return f"dns:///{TcpAddress(self.host, self.port)}"


if TYPE_CHECKING:
    Address: TypeAlias = TcpAddress | UnixAddress
    Endpoint: TypeAlias = Address | DnsName


def parse_endpoint(text: str) -> Endpoint:
    """Return what `text` names, to connect to: an address, or a name for several.

    Raises ValueError that says what is wrong and what was expected.
    """
    if text.startswith(_DNS):
        named = _tcp(text.removeprefix(_DNS), first_port=1, expected=_EXPECTED_ENDPOINT)
        return DnsName(named.host, named.port)
    if text.startswith("unix:"):
        return _unix(text)
    return _tcp(text, first_port=1, expected=_EXPECTED_ENDPOINT)


def parse_target(text: str) -> Address:
    """Return the address that `text` names, to connect to.

    Raises ValueError that says what is wrong and what was expected.
    """
    if text.startswith("unix:"):
        return _unix(text)
    return _tcp(text, first_port=1, expected=_EXPECTED)


def parse_listener(text: str) -> TcpAddress:
    """Return the address that `text` names, to listen on; port 0 is any free port.

    Raises ValueError that says what is wrong and what was expected.
    """
    return _tcp(text, first_port=0, expected=_EXPECTED_LISTENER)


def is_url(text: str) -> bool:
    """Tell whether a setting that may be a path or a URL is a URL."""
    return text.startswith(("http://", "https://"))


def is_open_url(url: str) -> bool:
    """Tell whether what is fetched from `url` may be changed by who is on the way."""
    parts = urlsplit(url)
    return parts.scheme != "https" and not TcpAddress(parts.hostname or "", 0).local


def _unix(text: str) -> UnixAddress:
    path = text.removeprefix("unix:")
    # gRPC also writes unix:///path; both name the same file.
    path = "/" + path.lstrip("/") if path.startswith("/") else path
    if not path.startswith("/") or path == "/" or "\0" in path:
        msg = f"{text!r} names no socket: expected unix:/absolute/path"
        raise ValueError(msg)
    length = len(os.fsencode(path))
    if length > LONGEST_SOCKET_PATH:
        msg = (
            f"{text!r} is {length} bytes long: the path of a Unix socket"
            f" holds at most {LONGEST_SOCKET_PATH}"
        )
        raise ValueError(msg)
    return UnixAddress(path)


def _tcp(text: str, *, first_port: int, expected: str) -> TcpAddress:
    if "/" in text:
        msg = f"{text!r} has a slash: {expected}, without a scheme"
        raise ValueError(msg)
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        missing = "host" if colon else "port"
        msg = f"{text!r} has no {missing}: {expected}"
        raise ValueError(msg)
    return TcpAddress(_host(host, text, expected), _port(port, text, first_port, expected))


def _host(host: str, text: str, expected: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        inner = host[1:-1]
        if "%" not in inner and isinstance(_ip(inner), ipaddress.IPv6Address):
            return inner
        msg = f"{text!r} has no IPv6 address (without a zone) in its brackets: {expected}"
        raise ValueError(msg)
    if ":" in host:
        msg = f"{text!r} is ambiguous: write an IPv6 address in brackets, as in [::1]:3593"
        raise ValueError(msg)
    dotted_number = host.replace(".", "").isdigit()
    if dotted_number and not isinstance(_ip(host), ipaddress.IPv4Address):
        msg = f"{text!r} has an IPv4 address that is none: {expected}"
        raise ValueError(msg)
    if len(host) > _LONGEST_HOST or _HOST.fullmatch(host) is None:
        msg = f"{text!r} has a host that is no name: {expected}"
        raise ValueError(msg)
    return host


def _port(port: str, text: str, first: int, expected: str) -> int:
    # At most five digits, so that int() is never given a novel.
    if re.fullmatch(r"[0-9]{1,5}", port) and first <= int(port) <= _LAST_PORT:
        return int(port)
    msg = f"{text!r} has no port from {first} to {_LAST_PORT} after its last colon: {expected}"
    raise ValueError(msg)


def _ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
