"""A real Oathkeeper for one test module, with the handlers and rules that it wants."""

from __future__ import annotations

import http.client
import json
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from freeports import free_port
from polling import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PROGRAM: Final = Path(__file__).parents[1] / ".tools" / "bin" / "oathkeeper"


@dataclass(frozen=True)
class Reply:
    """What a caller gets."""

    status: int
    location: str
    body: str


@dataclass(frozen=True)
class Oathkeeper:
    """A running one, by the ports of its proxy and of its API."""

    proxy: int
    api: int
    log: Path

    def get(self, target: str, headers: Mapping[str, str], method: str = "GET") -> Reply:
        return _send(self.proxy, method, target, headers)

    def decide(self, target: str, headers: Mapping[str, str], method: str = "GET") -> Reply:
        host = {"Host": f"127.0.0.1:{self.proxy}"}
        return _send(self.api, method, f"/decisions{target}", {**headers, **host})


@contextmanager
def running(
    folder: Path, config: Mapping[str, Any], rule: Mapping[str, Any]
) -> Iterator[Oathkeeper]:
    """Run Oathkeeper on free ports, with one access rule for all paths, while the context lasts."""
    proxy, api, prometheus = (free_port() for _ in range(3))
    rules = folder / "access-rules.json"
    whole = {
        "serve": {
            "proxy": {"host": "127.0.0.1", "port": proxy},
            "api": {"host": "127.0.0.1", "port": api},
            "prometheus": {"host": "127.0.0.1", "port": prometheus},
        },
        "access_rules": {"repositories": [f"file://{rules}"]},
        "mutators": {"noop": {"enabled": True}},
        **config,
    }
    match = {"url": f"http://127.0.0.1:{proxy}/<.*>", "methods": ["GET", "POST"]}
    mutators = [{"handler": "noop"}]
    rules.write_text(json.dumps([{"id": "all", "match": match, "mutators": mutators, **rule}]))
    (folder / "oathkeeper.json").write_text(json.dumps(whole))
    log = folder / "oathkeeper.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [_PROGRAM, "serve", "--sqa-opt-out", "--config", folder / "oathkeeper.json"],
            stdout=out,
            stderr=out,
        )

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        try:
            return _send(api, "GET", "/rules/all", {}).status == 200
        except OSError:
            return False

    try:
        until(is_ready)
        yield Oathkeeper(proxy, api, log)
    finally:
        process.kill()
        process.wait()


def _send(port: int, method: str, target: str, headers: Mapping[str, str]) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, target, headers=dict(headers))
        answer = connection.getresponse()
        return Reply(answer.status, answer.getheader("Location", ""), answer.read().decode())
    finally:
        connection.close()
