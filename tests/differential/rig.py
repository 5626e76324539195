"""Everything, running: Oathkeeper, the authorizer with its PDP, and the application three times."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from chain import Ports, Program
from chain.program import answers, stop_all
from differential import application
from differential.application import POLICY, Declared, Upstream, host
from differential.client import Request, send_all
from differential.trial import Attempt, Decision, Served, Trial
from differential.upstreams.build import express_packages, servemux_program
from polling import until
from served import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from differential.client import Response

_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_UPSTREAMS: Final = Path(__file__).resolve().parent / "upstreams"
_OATHKEEPER: Final = _REPOSITORY / ".tools" / "bin" / "oathkeeper"
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_INHERITED: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")


@dataclass
class Rig:
    """A running rig."""

    ports: Ports
    log: Path
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self, attempts: Sequence[Attempt]) -> list[Trial]:
        """Make attempts; return what came of them, in their order."""
        requests = [self._request(attempt) for attempt in attempts]
        start = self.log.stat().st_size
        responses = send_all(self.ports.proxy, requests)
        decisions = self._decisions(start)
        return [
            _trial(attempt, request, response, decisions.get(request.id))
            for attempt, request, response in zip(attempts, requests, responses, strict=True)
        ]

    def _request(self, attempt: Attempt) -> Request:
        number = f"attempt-{next(self._numbers)}"
        return Request(
            attempt.method, attempt.target, host(attempt.upstream, attempt.declared), number
        )

    def _decisions(self, start: int) -> dict[str, Decision]:
        """Return what was logged from a place in the log up to now, by request."""
        last = self._request(Attempt(Upstream.EXPRESS, Declared.NOTHING, "GET", b"/healthz"))
        send_all(self.ports.proxy, [last])
        mark = f'"{last.id}"'.encode()

        def logged() -> bytes:
            with self.log.open("rb") as log:
                log.seek(start)
                return log.read()

        # The log is written in order: with this one, all before it are there.
        until(lambda: mark in logged().rpartition(b"\n")[0])
        found = {}
        for line in logged().rpartition(b"\n")[0].splitlines():
            record = json.loads(line)
            if record.get("event") == "authorization.decision":
                assert record["request_id"] not in found, "asked twice about one request"
                found[record["request_id"]] = _decision(record)
        return found


def _decision(record: Mapping[str, Any]) -> Decision:
    captures = {check["action"]: check["id"] for check in record["checks"]}
    captures.pop("serve", None)
    return Decision(record["outcome"], record["reason"], record["route"], captures)


def _trial(
    attempt: Attempt, request: Request, response: Response, decision: Decision | None
) -> Trial:
    text = response.headers.get("x-served")
    served = None if text is None else Served(**json.loads(unquote(text)))
    reached = response.headers.get("x-upstream") == attempt.upstream
    return Trial(attempt, request.id, response.status, reached, decision, served)


@contextlib.contextmanager
def running(work: Path) -> Iterator[Rig]:
    """Start everything, give the rig when all of it answers, and stop everything.

    `work` is an empty folder for configuration and logs.
    """
    ports = Ports.free()
    upstream_ports = _upstream_ports(ports)
    _configure(work, ports, upstream_ports)
    programs = list(_programs(work, ports, upstream_ports))
    try:
        for program in programs:
            program.start()
        for program in programs:
            program.wait_until_ready()
        yield Rig(ports, work / "authorizer.log")
    finally:
        stop_all(reversed(programs))


def _upstream_ports(ports: Ports) -> dict[Upstream, int]:
    taken = {getattr(ports, name) for name in ports.__dataclass_fields__}
    chosen: dict[Upstream, int] = {}
    for upstream in Upstream:
        port = next(port for port in iter(lambda: Ports.free().upstream, 0) if port not in taken)
        taken.add(port)
        chosen[upstream] = port
    return chosen


def _configure(work: Path, ports: Ports, upstream_ports: Mapping[Upstream, int]) -> None:
    """Write the shipped configuration with these ports, but with our own rules and policy."""

    def write(name: str, text: str) -> None:
        file = work / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    for name in ("authorizer.yaml", "oathkeeper/oathkeeper.yml"):
        write(name, ports.render((_REPOSITORY / name).read_text()))
    write("cerbos/policies/capture.json", POLICY)
    for declared in Declared:
        write(f"rules/{declared.label}.yaml", application.rules(declared))
    for upstream in Upstream:
        places = [{"name": p.name, "path": p.path} for p in application.places(upstream)]
        write(f"{upstream}.json", json.dumps(places))
    access_rules = [_access_rule(upstream, port) for upstream, port in upstream_ports.items()]
    write("oathkeeper/access-rules.yml", json.dumps(access_rules))


def _access_rule(upstream: Upstream, port: int) -> Mapping[str, Any]:
    shipped = (_REPOSITORY / "oathkeeper" / "payload.tmpl").read_text()
    payload = shipped.replace('"profile": "kratos"', '"profile": "anonymous"')
    assert payload != shipped
    return {
        "id": str(upstream),
        "match": {
            "url": f"http://{upstream}.<[a-z-]+>.test/<(?s:.*)>",
            "methods": list(_METHODS),
        },
        "authenticators": [{"handler": "anonymous"}],
        "authorizer": {"handler": "remote_json", "config": {"payload": payload}},
        "mutators": [{"handler": "noop"}],
        "errors": [{"handler": "json"}],
        "upstream": {"url": f"http://127.0.0.1:{port}"},
    }


def _programs(
    work: Path, ports: Ports, upstream_ports: Mapping[Upstream, int]
) -> Iterator[Program]:
    environment = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    commands = {
        Upstream.EXPRESS: ["node", str(_UPSTREAMS / "express" / "server.cjs")],
        Upstream.SERVEMUX: [str(servemux_program())],
        Upstream.STARLETTE: [sys.executable, str(_UPSTREAMS / "starlette" / "server.py")],
    }
    settings = {Upstream.EXPRESS: {"NODE_PATH": str(express_packages()), "NODE_ENV": "production"}}

    def program(
        name: str, command: list[str], port: int, health: str, extra: Mapping[str, str]
    ) -> Program:
        return Program(
            name,
            command,
            folder=work,
            log=work / f"{name}.log",
            environment={**environment, **extra},
            ready=answers(f"127.0.0.1:{port}", health),
        )

    for upstream, port in upstream_ports.items():
        command = [*commands[upstream], str(port), str(work / f"{upstream}.json")]
        yield program(upstream, command, port, "/healthz", settings.get(upstream, {}))
    authorizer = [sys.executable, "-m", "authorizer", "serve", "--config", "authorizer.yaml"]
    python = {"PYTHONPATH": str(_REPOSITORY), **PATIENT}
    yield program("authorizer", authorizer, ports.authorizer, "/health/ready", python)
    oathkeeper = [str(_OATHKEEPER), "serve", "--config", "oathkeeper/oathkeeper.yml"]
    oathkeeper += ["--sqa-opt-out"]
    yield program("oathkeeper", oathkeeper, ports.api, "/health/ready", {})
