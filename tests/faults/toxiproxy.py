"""Toxiproxy: TCP proxies that are slow, reset connections, or swallow what is sent."""

from __future__ import annotations

import json
import subprocess
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from polling import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM: Final = Path(__file__).parents[2] / ".tools" / "bin" / "toxiproxy"


class Toxiproxy:
    """The running program."""

    def __init__(self, port: int, log: Path) -> None:
        self._base = f"http://127.0.0.1:{port}"
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                [PROGRAM, "-host", "127.0.0.1", "-port", str(port)], stdout=out, stderr=out
            )
        until(self._answers)

    def proxy(self, name: str, *, port: int, upstream: str) -> Proxy:
        """Return a new proxy that listens on `port` and passes on to `upstream`."""
        address = f"127.0.0.1:{port}"
        self.call("POST", "/proxies", {"name": name, "listen": address, "upstream": upstream})
        return Proxy(self, name, address, upstream)

    def call(self, method: str, path: str, body: Any = None) -> None:  # noqa: ANN401 - JSON
        """Ask the API. Raises urllib.error.HTTPError for what it refuses."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base + path, data, method=method)  # noqa: S310 - loopback
        urllib.request.urlopen(request, timeout=PATIENCE).close()  # noqa: S310 - loopback

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _answers(self) -> bool:
        assert self._process.poll() is None
        try:
            self.call("GET", "/version")
        except OSError:
            return False
        return True


class Proxy:
    """One proxy; each of its faults lasts as long as its context."""

    def __init__(self, toxiproxy: Toxiproxy, name: str, address: str, upstream: str) -> None:
        self._toxiproxy = toxiproxy
        self._path = f"/proxies/{name}"
        self.address = address
        self._upstream = upstream

    @contextmanager
    def slow(self, milliseconds: int) -> Iterator[None]:
        """Delay each answer."""
        with self._toxic("latency", {"latency": milliseconds}):
            yield

    @contextmanager
    def half_open(self) -> Iterator[None]:
        """Take everything and pass nothing on, while connections stay: a peer that is no more."""
        with (
            self._toxic("timeout", {"timeout": 0}, "upstream"),
            self._toxic("timeout", {"timeout": 0}),
        ):
            yield

    @contextmanager
    def resetting(self) -> Iterator[None]:
        """Answer every connection with RST, those that are open too."""
        with (
            self._toxic("reset_peer", {"timeout": 0}, "upstream"),
            self._toxic("reset_peer", {"timeout": 0}),
        ):
            yield

    @contextmanager
    def leading_to(self, upstream: str) -> Iterator[None]:
        """Break all connections, and lead new ones elsewhere."""
        self._lead(upstream)
        try:
            yield
        finally:
            self._lead(self._upstream)

    def hang_up(self) -> None:
        """Break all connections."""
        self._lead(self._upstream)

    def _lead(self, upstream: str) -> None:
        self._toxiproxy.call("POST", self._path, {"enabled": False})
        self._toxiproxy.call("POST", self._path, {"enabled": True, "upstream": upstream})

    @contextmanager
    def _toxic(
        self, kind: str, attributes: dict[str, int], stream: str = "downstream"
    ) -> Iterator[None]:
        name = f"{kind}-{stream}"
        toxic = {"name": name, "type": kind, "stream": stream, "attributes": attributes}
        self._toxiproxy.call("POST", f"{self._path}/toxics", toxic)
        try:
            yield
        finally:
            self._toxiproxy.call("DELETE", f"{self._path}/toxics/{name}")
