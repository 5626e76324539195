"""Where a listener listens."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final

_ADDRESS: Final = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<host>[A-Za-z0-9_.-]+)):(?P<port>[0-9]{1,5})"
)
_MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host (a name or an IP address, without brackets) and a port; port 0 is any free one."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_listen(text: str) -> ListenAddress:
    """Read `host:port` or `[IPv6]:port`. Raises ValueError, saying what was expected."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > _MAX_PORT:
        msg = (
            f"{text!r} is not host:port; expected, say, 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080"
        )
        raise ValueError(msg)
    return ListenAddress(found["v6"] or found["host"], int(found["port"]))
