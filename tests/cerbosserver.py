"""A real Cerbos PDP that a test starts, stops and kills, and policies for it."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from freeports import free_port
from polling import until
from processes import resume, stop

from authorizer.config.addresses import TcpAddress

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DOCUMENTS = """
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: document
  rules:
    - name: own
      actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
      condition:
        match:
          expr: R.attr.organization == P.attr.organization
      output:
        when:
          ruleActivated: '{"because": "own", "parts": [1, 2.5, null, true, {}, []]}'
"""


@dataclass
class CerbosServer:
    """A real PDP on a port of its own; `start` again listens on the same one.

    With `on_socket` it listens on a Unix socket in its folder instead; with `watches` it decides by
    the policies that are in its folder now.
    """

    program: Path
    folder: Path
    tls: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    on_socket: bool = False
    watches: bool = False
    host: str = "127.0.0.1"
    process: subprocess.Popen[bytes] | None = None

    @property
    def target(self) -> TcpAddress:
        return TcpAddress(self.host, self.port)

    @property
    def address(self) -> str:
        """Where it listens, as a setting writes it."""
        return f"unix:{self._socket}" if self.on_socket else str(self.target)

    @property
    def _socket(self) -> Path:
        return self.folder / "grpc.sock"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        config: dict[str, Any] = {
            "server": {
                "grpcListenAddr": self.address,
                "httpListenAddr": f"unix:{self.folder / 'http.sock'}",
                **({"tls": dict(self.tls)} if self.tls else {}),
            },
            "engine": {"strictEvaluation": True},
            "schema": {"enforcement": "reject"},
            "telemetry": {"disabled": True},
            "storage": {
                "driver": "disk",
                "disk": {
                    "directory": str(self.folder / "policies"),
                    "watchForChanges": self.watches,
                },
            },
        }
        path = self.folder / "config.yaml"
        path.write_text(json.dumps(config))
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "server", f"--config={path}"], stdout=log, stderr=log
            )
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        until(self._listens)

    def stop(self) -> None:
        stop(self.pid)

    def resume(self) -> None:
        resume(self.pid)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _listens(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "log").read_text()
        if self.on_socket:
            with socket.socket(socket.AF_UNIX) as client:
                return client.connect_ex(str(self._socket)) == 0
        with socket.socket() as client:
            return client.connect_ex((self.host, self.port)) == 0
