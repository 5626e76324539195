"""What faults are caused on: real PDPs, proxies before them, and a real `authorizer serve`."""

from __future__ import annotations

import collections
import json
import os
import signal
import subprocess
import tempfile
import threading
import urllib.request
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from cerbosserver import DOCUMENTS, CerbosServer
from faults.toxiproxy import Proxy, Toxiproxy
from freeports import free_port
from polling import PATIENCE, until
from processes import children, gone
from served import COMMAND, environment, prepare

from authorizer.pdp.binary import find_cerbos

if TYPE_CHECKING:
    from collections.abc import Mapping

# What the defaults promise, and what busy machines may add to the time of an answer.
DEADLINE: Final = 0.5
MARGIN: Final = 0.05

# Programs look there for what lets us count their tasks.
_PROBE: Final = Path(__file__).with_name("probe")


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a service has open: files and sockets, tasks of its event loop, child processes."""

    descriptors: int
    tasks: int
    processes: int

    def beyond(self, before: Holdings) -> Holdings:
        """Return how much more that is than before."""
        return Holdings(
            self.descriptors - before.descriptors,
            self.tasks - before.tasks,
            self.processes - before.processes,
        )


class Service:
    """`authorizer serve` on ports of its own, with its log in a pipe that somebody reads.

    `listen` (host:port) and `url`, where to ask, are known when it has been entered.
    `pdp` is that part of the configuration; `server` are settings of that part beside those here.
    `environ` is laid over the environment.
    """

    def __init__(
        self,
        folder: Path,
        pdp: str,
        *,
        deadline: str = "500ms",
        server: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> None:
        config = (
            f"server: {{listen: '127.0.0.1:0', deadline: {deadline}, {server}}}\n"
            f"admin: {{listen: '127.0.0.1:0'}}\npdp: {pdp}\n"
        )
        self._folder = prepare(folder, config)
        self._tasks = folder / "tasks"
        paths = [str(_PROBE), os.environ.get("PYTHONPATH", "")]
        self._environ = {
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "TASKS_FILE": str(self._tasks),
            **(environ or {}),
        }
        self._reads = threading.Event()
        self._reads.set()
        self.log: collections.deque[bytes] = collections.deque(maxlen=10_000)

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [COMMAND, "serve"],
            cwd=self._folder,
            env=environment(self._folder, self._environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            until(self._is_ready)
        except BaseException:
            self._end()
            raise
        [ready] = self._ready()
        self.listen = str(ready["listen"])
        self.url = f"http://{self.listen}/authorize"
        self._admin = f"http://{ready['admin']}"
        return self

    def __exit__(self, *_: object) -> None:
        self._reads.set()
        started = children(self.process.pid)
        self.process.terminate()
        try:
            status = self.process.wait(timeout=2 * PATIENCE)
        finally:
            self._end()
        assert status == 0, b"".join(self.log)
        assert all(map(gone, started)), "it has left a process behind"

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

    def holdings(self) -> Holdings:
        """Return what it has open now."""
        self._tasks.unlink(missing_ok=True)
        self.process.send_signal(signal.SIGUSR2)
        until(self._tasks.exists)
        return Holdings(
            self.descriptors(), int(self._tasks.read_text()), len(children(self.process.pid))
        )

    def attempts(self) -> float:
        """Return how many calls to PDPs it has counted."""
        return sum(
            value
            for name, value in self.metrics().items()
            if name.startswith("authorizer_pdp_attempts_total{")
        )

    def has_refused_credentials(self) -> bool:
        """Return whether what was last saved of its certificate or secret was refused."""
        name = "authorizer_credentials_last_reload_success{"
        return 0 in [value for metric, value in self.metrics().items() if metric.startswith(name)]

    def metrics(self) -> Mapping[str, float]:
        """Return its metrics, by name and labels."""
        lines = self._get("/metrics").decode().splitlines()
        pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in pairs}

    def health(self) -> bytes:
        """Return what it says of being ready, as JSON."""
        return self._get("/health/ready")

    def _end(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self._admin + path, timeout=PATIENCE) as response:  # noqa: S310 - loopback
            return bytes(response.read())

    def _is_ready(self) -> bool:
        assert self.process.poll() is None, b"".join(self.log)
        return bool(self._ready())

    def _ready(self) -> list[dict[str, Any]]:
        lines = [line for line in list(self.log) if b'"authorizer.ready"' in line]
        return [json.loads(line) for line in lines]

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
        return self.proxy_of(self.pdp(pdp))

    def proxy_of(self, pdp: CerbosServer) -> Proxy:
        """Return the proxy before a PDP."""
        if self._toxiproxy is None:
            self._toxiproxy = Toxiproxy(free_port(), self._folder / "toxiproxy.log")
            self._stack.callback(self._toxiproxy.close)
        upstream = pdp.address
        if upstream not in self._proxies:
            name = pdp.folder.name
            self._proxies[upstream] = self._toxiproxy.proxy(
                name, port=free_port(), upstream=upstream
            )
        return self._proxies[upstream]
