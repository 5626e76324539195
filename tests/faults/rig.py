"""What faults are caused on: real PDPs, proxies before them, and a real `authorizer serve`."""

from __future__ import annotations

import collections
import subprocess
import tempfile
import threading
import urllib.request
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from cerbosserver import DOCUMENTS, CerbosServer
from faults.toxiproxy import Proxy, Toxiproxy
from freeports import free_port
from polling import until
from served import COMMAND, environment, prepare

from authorizer.pdp.binary import find_cerbos

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the defaults promise, and what busy machines may add to the time of an answer.
DEADLINE: Final = 0.5
MARGIN: Final = 0.05


class Service:
    """`authorizer serve` on ports of its own, with its log in a pipe that somebody reads."""

    def __init__(self, folder: Path, pdp: str, *, deadline: str = "500ms") -> None:
        self._folder = prepare(folder)
        self._ports = free_port(), free_port()
        self.listen, admin = (f"127.0.0.1:{port}" for port in self._ports)
        (folder / "authorizer.yaml").write_text(
            f"server: {{listen: '{self.listen}', deadline: {deadline}}}\n"
            f"admin: {{listen: '{admin}'}}\npdp: {pdp}\n"
        )
        self.url = f"http://{self.listen}/authorize"
        self._admin = f"http://{admin}"
        self._reads = threading.Event()
        self._reads.set()
        self.log: collections.deque[bytes] = collections.deque(maxlen=10_000)

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [COMMAND, "serve"],
            cwd=self._folder,
            env=environment(self._folder, {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        until(self._is_ready, within=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._reads.set()
        self.process.terminate()
        try:
            status = self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            assert self.process.stdout is not None
            self.process.stdout.close()
        assert status == 0, b"".join(self.log)

    @property
    def folder(self) -> Path:
        return self._folder

    def block_log(self) -> None:
        """Stop reading the log."""
        self._reads.clear()

    def unblock_log(self) -> None:
        self._reads.set()

    def descriptors(self) -> int:
        """Return how many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    def attempts(self) -> float:
        """Return how many calls to PDPs it has counted."""
        return sum(
            value
            for name, value in self.metrics().items()
            if name.startswith("authorizer_pdp_attempts_total{")
        )

    def metrics(self) -> Mapping[str, float]:
        """Return its metrics, by name and labels."""
        lines = self._get("/metrics").decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def health(self) -> bytes:
        """Return what it says of being ready, as JSON."""
        return self._get("/health/ready")

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self._admin + path, timeout=10) as response:  # noqa: S310 - loopback
            return bytes(response.read())

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, b"".join(self.log)
        try:
            self.health()
        except OSError:
            return False
        return True

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line)
            self._reads.wait()


class Rig(AbstractContextManager["Rig"]):
    """Cerbos PDPs and proxies, started when they are first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="flt-")))
        self._toxiproxy: Toxiproxy | None = None
        self._pdps: dict[str, CerbosServer] = {}
        self._proxies: dict[str, Proxy] = {}

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def folder(self, name: str) -> Path:
        """Return a new folder."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self._folder))

    def pdp(
        self, name: str, tls: Mapping[str, str] | None = None, *, start: bool = True
    ) -> CerbosServer:
        """Return the PDP of that name."""
        if name not in self._pdps:
            folder = self.folder(name)
            (folder / "policies").mkdir()
            (folder / "policies" / "document.yaml").write_text(DOCUMENTS)
            server = self._pdps[name] = CerbosServer(find_cerbos(), folder, tls=dict(tls or {}))
            self._stack.callback(server.kill)
            if start:
                server.start()
        return self._pdps[name]

    def proxy(self, pdp: str) -> Proxy:
        """Return the proxy before the PDP of that name."""
        if self._toxiproxy is None:
            self._toxiproxy = Toxiproxy(free_port(), self._folder / "toxiproxy.log")
            self._stack.callback(self._toxiproxy.close)
        if pdp not in self._proxies:
            upstream = self.pdp(pdp).address
            self._proxies[pdp] = self._toxiproxy.proxy(pdp, port=free_port(), upstream=upstream)
        return self._proxies[pdp]
