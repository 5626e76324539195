"""The chain: which programs it has, what they run with, and how to ask it."""

from __future__ import annotations

import contextlib
import enum
import os
import shutil
import subprocess
import sys
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chain import wire
from chain.answers import Answer, DecisionLog, Entrance
from chain.errors import ChainError
from chain.hydra import Hydra
from chain.people import Kratos
from chain.ports import Ports
from chain.program import Program, answers, stop_all
from chain.self_service import SelfService
from chain.wire import Api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from chain.answers import Question
    from chain.credentials import Credential
    from chain.wire import Reply

_TOOLS: Final = Path(__file__).resolve().parents[1]
_REPOSITORY: Final = _TOOLS.parent
_BIN: Final = _REPOSITORY / ".tools" / "bin"

# What the programs run with: a copy of these, at the same relative places.
_EXAMPLE: Final = ("cerbos", "hydra", "kratos", "oathkeeper", "rules", "authorizer.yaml")

# The Ory programs take settings from variables as common as DSN and LOG_LEVEL, the authorizer
# from AUTHORIZER__...: what they run with is the checked-in files, so they get no more than this.
_INHERITED: Final = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL")

_UNAUTHENTICATED: Final = 401


class PdpKind(enum.StrEnum):
    """Where the authorizer finds its PDP."""

    EMBEDDED = "embedded"
    EXTERNAL = "external"


@dataclass
class Chain:
    """A running chain. `work` holds the copy that may be edited; `programs` is by name."""

    work: Path
    ports: Ports
    programs: dict[str, Program] = field(default_factory=dict)
    decisions: DecisionLog | None = None

    @property
    def kratos(self) -> Kratos:
        """Kratos, for an administrator."""
        return Kratos(_api("Kratos", self.ports.kratos_admin))

    @property
    def self_service(self) -> SelfService:
        """Kratos, for people themselves."""
        return SelfService(_api("Kratos", self.ports.kratos_public))

    @property
    def hydra(self) -> Hydra:
        """Hydra, for clients and who registers them."""
        public, admin = self.ports.hydra_public, self.ports.hydra_admin
        return Hydra(_api("Hydra", public), _api("Hydra", admin))

    @property
    def proxy(self) -> str:
        """Where the outside world reaches the application: host:port."""
        return f"127.0.0.1:{self.ports.proxy}"

    def send(
        self,
        question: Question,
        credential: Credential | None = None,
        *,
        entrance: Entrance = Entrance.PROXY,
        host: str = "127.0.0.1",
        headers: Mapping[str, str] | None = None,
        timeout: float = wire.TIMEOUT,
    ) -> Reply:
        """Ask through Oathkeeper, as somebody with this credential or as nobody.

        `host` is what the caller takes Oathkeeper for: access rules are about it. Raises
        TimeoutError when Oathkeeper has not answered after `timeout` seconds.
        """
        seen = f"{host}:{self.ports.proxy}"
        sent = dict(headers or {})
        if credential is not None:
            sent[credential.header] = credential.value
        if entrance is Entrance.PROXY:
            sent["Host"] = seen
            return wire.send(
                self.proxy, question.method, question.path, headers=sent, timeout=timeout
            )
        # As a proxy in front would.
        sent |= {"X-Forwarded-Host": seen, "X-Forwarded-Proto": "http"}
        api = f"127.0.0.1:{self.ports.api}"
        target = f"/decisions{question.path}"
        return wire.send(api, question.method, target, headers=sent, timeout=timeout)

    def ask(
        self,
        question: Question,
        credential: Credential | None = None,
        *,
        entrance: Entrance = Entrance.PROXY,
        host: str = "127.0.0.1",
    ) -> Answer:
        """Send, and find out why the answer is what it is."""
        request_id = str(uuid.uuid4())
        headers = {"X-Request-Id": request_id}
        reply = self.send(question, credential, entrance=entrance, host=host, headers=headers)
        if self.decisions is None:
            return Answer(reply.status, None)
        # Oathkeeper says 401 by itself, before it asks anybody.
        record = {} if reply.status == _UNAUTHENTICATED else self.decisions.find(request_id)
        return Answer(reply.status, record.get("reason", ""))

    def read(self, path: str) -> str:
        """Return one of the example's files, as it is now."""
        return (self.work / path).read_text()

    def write(self, path: str, text: str) -> None:
        """Save one of the example's files, in one step: nobody reads half of it."""
        aside = self.work / f".{uuid.uuid4()}"
        aside.write_text(text)
        aside.replace(self.work / path)

    def command(self, *arguments: str) -> str:
        """Run the authorizer's command on the example's files; return what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "authorizer", *arguments],
            cwd=self.work,
            env=_python(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            message = f"authorizer {' '.join(arguments)}: {done.stderr}"
            raise ChainError(message)
        return done.stdout


@contextlib.contextmanager
def running_chain(
    work: Path,
    *,
    ports: Ports | None = None,
    pdp: PdpKind = PdpKind.EMBEDDED,
    authorizer_url: str | None = None,
    prepare: Callable[[Chain], None] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Chain]:
    """Start everything, give the chain when all of it answers, and stop everything.

    `work` is an empty folder for the copy of the example and the logs. `ports` are free ones unless
    given. With `authorizer_url`, Oathkeeper asks there, and no authorizer and no PDP is started.
    `prepare` may edit the copy before anything starts. `environ` is laid over the authorizer's
    environment.
    Raises ChainError, with the end of the log, when a program does not come up.
    """
    chain = Chain(work, ports or Ports.free())
    _copy_example(chain, authorizer_url)
    if prepare is not None:
        prepare(chain)
    for program in _programs(chain, pdp, environ or {}, own_authorizer=authorizer_url is None):
        chain.programs[program.name] = program
    if authorizer_url is None:
        chain.decisions = DecisionLog(chain.programs["authorizer"].log)
    try:
        for program in chain.programs.values():
            program.start()
        for program in chain.programs.values():
            program.wait_until_ready()
        yield chain
    finally:
        # Those who ask before those who are asked.
        stop_all(reversed(chain.programs.values()))


def _copy_example(chain: Chain, authorizer_url: str | None) -> None:
    for name in _EXAMPLE:
        source = _REPOSITORY / name
        for file in [source] if source.is_file() else sorted(source.rglob("*")):
            if not file.is_file():
                continue
            text = chain.ports.render(file.read_text())
            target = chain.work / file.relative_to(_REPOSITORY)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
    if authorizer_url is not None:
        file = chain.work / "oathkeeper" / "oathkeeper.yml"
        own = f"http://127.0.0.1:{chain.ports.authorizer}/authorize"
        file.write_text(file.read_text().replace(own, authorizer_url))


def _programs(
    chain: Chain, pdp: PdpKind, environ: Mapping[str, str], *, own_authorizer: bool
) -> Iterator[Program]:
    ports = chain.ports
    logs = chain.work / "logs"
    logs.mkdir()
    environment, python = _environment(), _python()

    def program(
        name: str, command: list[str], port: int, health: str, environment: Mapping[str, str]
    ) -> Program:
        return Program(
            name,
            command,
            folder=chain.work,
            log=logs / f"{name}.log",
            environment=environment,
            ready=answers(f"127.0.0.1:{port}", health),
        )

    kratos = [_installed("kratos"), "serve", "--config", "kratos/kratos.yml"]
    hydra = [_installed("hydra"), "serve", "all", "--config", "hydra/hydra.yml"]
    # --dev: cookies without TLS, on loopback. --sqa-opt-out: nothing is reported to its makers.
    for command in (kratos, hydra):
        command += ["--dev", "--sqa-opt-out"]
    yield program("kratos", kratos, ports.kratos_public, "/health/ready", environment)
    yield program("hydra", hydra, ports.hydra_public, "/health/ready", environment)
    upstream = [sys.executable, "-m", "chain.upstream", str(ports.upstream)]
    yield program("upstream", upstream, ports.upstream, "/", python)
    if own_authorizer:
        authorizer = [sys.executable, "-m", "authorizer", "serve", "--config", "authorizer.yaml"]
        if pdp is PdpKind.EXTERNAL:
            cerbos = [_installed("cerbos"), "server", "--config", "cerbos/config.yaml"]
            yield program("cerbos", cerbos, ports.pdp_http, "/_cerbos/health", environment)
            authorizer += ["--pdp", f"127.0.0.1:{ports.pdp_grpc}"]
        yield program(
            "authorizer", authorizer, ports.authorizer, "/health/ready", {**python, **environ}
        )
    oathkeeper = [_installed("oathkeeper"), "serve", "--config", "oathkeeper/oathkeeper.yml"]
    oathkeeper += ["--sqa-opt-out"]
    yield program("oathkeeper", oathkeeper, ports.api, "/health/ready", environment)


def _environment() -> dict[str, str]:
    return {name: os.environ[name] for name in _INHERITED if name in os.environ}


def _python() -> dict[str, str]:
    return {**_environment(), "PYTHONPATH": f"{_REPOSITORY}{os.pathsep}{_TOOLS}"}


def _api(program: str, port: int) -> Api:
    return Api(program, f"127.0.0.1:{port}")


def _installed(name: str) -> str:
    own = _BIN / name
    found = str(own) if own.exists() else shutil.which(name)
    if found is None:
        message = f"{name} is not installed: run `make setup` (or tools/install.py {name})"
        raise ChainError(message)
    return found
