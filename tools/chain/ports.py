"""Where each part of the chain listens."""

from __future__ import annotations

import dataclasses
import random
import re
import socket
from dataclasses import dataclass
from typing import Final

from chain.errors import ChainError

# Below the range that Linux and macOS take the ports of outgoing connections from: a port that is
# free when we look is not soon taken by a client.
_RANGE: Final = range(20_000, 32_000)
_TRIES: Final = 200


@dataclass(frozen=True)
class Ports:
    """A port for each listener. The defaults are those of the checked-in configuration."""

    kratos_public: int = 4433
    kratos_admin: int = 4434
    hydra_public: int = 4444
    hydra_admin: int = 4445
    proxy: int = 4455
    api: int = 4456
    upstream: int = 4480
    authorizer: int = 8080
    authorizer_admin: int = 8081
    oathkeeper_metrics: int = 9000
    pdp_http: int = 3592
    pdp_grpc: int = 3593

    @classmethod
    def free(cls) -> Ports:
        """Return ports that nobody listens on."""
        chosen: set[int] = set()
        for _ in dataclasses.fields(cls):
            chosen.add(_free_port(chosen))
        return cls(*chosen)

    @classmethod
    def shipped_where_free(cls) -> Ports:
        """Return the checked-in ports, with a free one in place of each that is taken."""
        shipped = cls()
        chosen = set(dataclasses.astuple(shipped))
        instead: dict[str, int] = {}
        for field in dataclasses.fields(cls):
            if not _is_free(getattr(shipped, field.name)):
                instead[field.name] = _free_port(chosen)
                chosen.add(instead[field.name])
        return dataclasses.replace(shipped, **instead)

    def differences(self) -> dict[str, tuple[int, int]]:
        """Return what is not as it is checked in: name → (checked-in port, port)."""
        return {
            field.name: (field.default, getattr(self, field.name))
            for field in dataclasses.fields(self)
            if isinstance(field.default, int) and field.default != getattr(self, field.name)
        }

    def render(self, text: str) -> str:
        """Return a checked-in configuration file with these ports in it.

        The ports are numbers that stand for nothing else in those files.
        """
        new = {str(old): str(port) for old, port in self.differences().values()}
        if not new:
            return text
        pattern = re.compile(rf"(?<![\w.])({'|'.join(new)})(?![\w.])")
        return pattern.sub(lambda found: new[found[1]], text)


def _free_port(taken: set[int]) -> int:
    for _ in range(_TRIES):
        port = random.choice(_RANGE)  # noqa: S311 - nothing secret
        if port not in taken and _is_free(port):
            return port
    message = f"found no free port between {_RANGE.start} and {_RANGE.stop}"
    raise ChainError(message)


def _is_free(port: int) -> bool:
    # Any address, not loopback alone: a listener on all interfaces would answer in our place.
    for family, host in ((socket.AF_INET, ""), (socket.AF_INET, "127.0.0.1")):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
