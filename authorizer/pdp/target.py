"""Where a PDP listens: `host:port`, `[v6]:port` or `unix:/path`, as a typed value."""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_EXPECTED: Final = "expected host:port, [IPv6]:port or unix:/absolute/path"
# RFC 1123, with the underscore that container networks allow in service names.
_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)(\.(?!-)[A-Za-z0-9_-]{1,63}(?<!-))*\.?")
_LONGEST_HOST: Final = 253
_LAST_PORT: Final = 65_535
# sun_path of unix(7) holds 108 bytes and a final NUL; 104 on macOS and the BSDs.
LONGEST_SOCKET_PATH: Final = 107 if sys.platform == "linux" else 103


@dataclass(frozen=True, slots=True)
class TcpTarget:
    """A host and a port. `host` is a name or an IP address without brackets."""

    host: str
    port: int

    @property
    def local(self) -> bool:
        """Whether nothing that is sent there can leave this machine."""
        address = _address(self.host)
        if address is None:
            return self.host.rstrip(".").lower() == "localhost"
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return (mapped or address).is_loopback

    @property
    def grpc(self) -> str:
        """The target in gRPC's own naming; an IP address never meets a resolver."""
        match _address(self.host):
            case ipaddress.IPv4Address() as address:
                return f"ipv4:{address}:{self.port}"
            case ipaddress.IPv6Address() as address:
                return f"ipv6:[{address}]:{self.port}"
            case _:
                return f"dns:///{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class UnixTarget:
    """A Unix socket, by its absolute path."""

    path: str

    @property
    def local(self) -> bool:
        """Whether nothing that is sent there can leave this machine."""
        return True

    @property
    def grpc(self) -> str:
        """The target in gRPC's own naming, which reads it as a URI."""
        return f"unix:{quote(self.path)}"

    def __str__(self) -> str:
        return f"unix:{self.path}"


Target = TcpTarget | UnixTarget


def parse_target(text: str) -> Target:
    """Read `text` as a target. Raises ValueError that says what was expected."""
    if text.startswith("unix:"):
        return _unix(text)
    if "/" in text:
        msg = f"{text!r} is not a target: {_EXPECTED}, without a scheme"
        raise ValueError(msg)
    host, colon, port = text.rpartition(":")
    if not colon or not host:
        missing = "host" if colon else "port"
        msg = f"{text!r} has no {missing}: {_EXPECTED}"
        raise ValueError(msg)
    return TcpTarget(_host(host, text), _port(port, text))


def plaintext_permitted(target: Target, *, insecure_plaintext: bool) -> bool:
    """Whether `target` may be spoken to without TLS: on this machine, or where told so."""
    return target.local or insecure_plaintext


def _unix(text: str) -> UnixTarget:
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
    return UnixTarget(path)


def _host(host: str, text: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        inner = host[1:-1]
        if "%" not in inner and isinstance(_address(inner), ipaddress.IPv6Address):
            return inner
        msg = f"{text!r} has no IPv6 address (without a zone) in its brackets: {_EXPECTED}"
        raise ValueError(msg)
    if ":" in host:
        msg = f"{text!r} is ambiguous: write an IPv6 address in brackets, as in [::1]:3593"
        raise ValueError(msg)
    dotted_number = host.replace(".", "").isdigit()
    if dotted_number and not isinstance(_address(host), ipaddress.IPv4Address):
        msg = f"{text!r} has an IPv4 address that is none: {_EXPECTED}"
        raise ValueError(msg)
    if len(host) > _LONGEST_HOST or _HOST.fullmatch(host) is None:
        msg = f"{text!r} has a host name with a character that names cannot have: {_EXPECTED}"
        raise ValueError(msg)
    return host


def _port(port: str, text: str) -> int:
    if port.isascii() and port.isdigit() and 1 <= int(port) <= _LAST_PORT:
        return int(port)
    msg = f"{text!r} has no port from 1 to {_LAST_PORT} after its last colon: {_EXPECTED}"
    raise ValueError(msg)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
