"""A real server on free ports, with a decision that the test writes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec
from polling import PATIENCE, eventually

from authorizer.config.origin import Origin
from authorizer.config.settings import Settings
from authorizer.model import AccessRequest, Allow, DecisionRecord, Effect, Reason
from authorizer.pdp.scripted import ScriptedPdp, always
from authorizer.principals.profiles import compile_profiles
from authorizer.routing.compile import compile_rules
from authorizer.server.collaborators import Collaborators
from authorizer.server.connections import Connections
from authorizer.server.lifecycle import Listeners
from authorizer.server.places import Places
from authorizer.server.readiness import Readiness
from authorizer.snapshot import Current, Snapshot
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
    from typing import TypeAlias

    from authorizer.pdp.interface import Deadline, Pdp
    from authorizer.server.connections import Cut

    Rule: TypeAlias = Callable[[AccessRequest, Deadline], Awaitable[DecisionRecord]]

BODY: Final = json.dumps(
    {"subject": "ann", "method": "GET", "url": "http://api.acme.test/a"}
).encode()


@dataclass
class Decision:
    """Stands for the engine: does what `rule` says, and remembers what it was asked."""

    rule: Rule | None = None
    asked: list[AccessRequest] = field(default_factory=list)

    async def __call__(
        self,
        request: AccessRequest,
        snapshot: Snapshot,  # noqa: ARG002 - the engine's own signature
        pdp: Pdp,  # noqa: ARG002 - the engine's own signature
        *,
        decision_id: str,
        deadline: Deadline,
    ) -> DecisionRecord:
        self.asked.append(request)
        if self.rule is not None:
            return await self.rule(request, deadline)
        return DecisionRecord(
            decision_id=decision_id,
            outcome=Allow(Reason.POLICY_ALLOW),
            route="documents.item",
            cerbos_call_id="call-1",
            response_headers={"X-User": request.subject},
        )


@dataclass
class Sink:
    """Remembers what it was told."""

    records: list[DecisionRecord] = field(default_factory=list)

    def record(self, record: DecisionRecord) -> None:
        self.records.append(record)

    @property
    def reasons(self) -> list[str]:
        return [record.outcome.reason.value for record in self.records]


@dataclass
class Answer:
    """What came back over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)


@dataclass
class Service:
    """A running server and everything around it."""

    listeners: Listeners
    collaborators: Collaborators
    decision: Decision
    sink: Sink
    pdp: ScriptedPdp
    current: Current
    cut: list[Cut]
    renewed: list[tuple[str, bool]]
    abandoned: list[dict[str, Any]]

    async def connect(self, *, admin: bool = False, **options: Any) -> Wire:  # noqa: ANN401 - asyncio's
        at = self.listeners.admin_address if admin else self.listeners.address
        return Wire(*await asyncio.open_connection(at.host, at.port, **options))

    async def send(self, text: bytes, *, admin: bool = False) -> Answer:
        """Send `text` on a connection of its own, and return the one answer."""
        async with await self.connect(admin=admin) as wire:
            wire.send(text)
            return await wire.answer()

    async def ask(self, body: bytes = BODY, headers: Iterable[str] = ()) -> Answer:
        return await self.send(post(body, headers))

    async def get(self, path: str, *, admin: bool = False) -> Answer:
        return await self.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), admin=admin)


class Wire:
    """A raw connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()

    def send(self, text: bytes) -> None:
        self.writer.write(text)

    async def head(self) -> tuple[int, dict[str, str]]:
        async with asyncio.timeout(PATIENCE):
            text = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = text.decode().rstrip().split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        return int(first.split()[1]), {name.lower(): value.strip() for name, value in pairs}

    async def answer(self) -> Answer:
        status, headers = await self.head()
        async with asyncio.timeout(PATIENCE):
            body = await self.reader.readexactly(int(headers["content-length"]))
        return Answer(status, headers, body)

    async def is_closed(self) -> bool:
        """Wait until the server closes; whatever it still sends is a failure."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read() == b""


def post(body: bytes = BODY, headers: Iterable[str] = ()) -> bytes:
    """Return the bytes of a request; `headers` replace the default ones of their names."""
    lines = {"host": "Host: a", "content-type": "Content-Type: application/json"}
    lines["content-length"] = f"Content-Length: {len(body)}"
    lines |= {line.split(":")[0].lower(): line for line in headers}
    kept = [line for line in lines.values() if not line.endswith(":")]
    return "\r\n".join(["POST /authorize HTTP/1.1", *kept, "", ""]).encode() + body


def settings(**server: object) -> Settings:
    """Return settings with free ports and `server`'s other keys as given.

    Without a `deadline` there is one that nobody comes to, also on a machine that stalls.
    """
    values = {"listen": "127.0.0.1:0", "deadline": PATIENCE, **server}
    return msgspec.convert({"server": values, "admin": {"listen": "127.0.0.1:0"}}, Settings)


def assemble(settings: Settings, *, embedded: bool = False) -> Service:
    decision, sink, pdp = Decision(), Sink(), ScriptedPdp(always(Effect.ALLOW))
    profiles = compile_profiles(load_yaml("{}", "profiles"), load_yaml("kratos", "default"))
    current = Current(Snapshot(settings, compile_rules([]), profiles, "sha256:1", 1700000000.0))
    cut: list[Cut] = []
    renewed: list[tuple[str, bool]] = []
    abandoned: list[dict[str, Any]] = []
    connections = Connections(settings.server.max_connections, cut.append)
    collaborators = Collaborators(
        settings=settings,
        origin=Origin(None),
        current=current,
        pdp=pdp,
        decide=decision,
        sinks=[sink],
        readiness=Readiness(
            current, pdp, embedded=embedded, requires_pdp=settings.server.ready_requires_pdp
        ),
        places=Places(
            settings.server.max_in_flight,
            max_wait=settings.server.max_wait,
            callers=lambda: connections.open,
        ),
        connections=connections,
        exposition=lambda _: (b"authorizer_up 1\n", "text/plain; version=0.0.4; charset=utf-8"),
        clear_cache=lambda: None,
        on_credential=lambda setting, ok: renewed.append((setting, ok)),
        on_abandoned=lambda **known: abandoned.append(known),
    )
    return Service(
        Listeners(collaborators),
        collaborators,
        decision,
        sink,
        pdp,
        current,
        cut,
        renewed,
        abandoned,
    )


@contextlib.asynccontextmanager
async def serving(*, embedded: bool = False, **server: object) -> AsyncIterator[Service]:
    """Run a server with these keys of `server` settings; close it at the end."""
    service = assemble(settings(**server), embedded=embedded)
    await service.listeners.start()
    try:
        yield service
    finally:
        await service.listeners.drain()


def held(service: Service) -> asyncio.Event:
    """Have every decision wait for the event that is given, and then allow, and name who asked."""
    release = asyncio.Event()

    async def wait(request: AccessRequest, _: Deadline) -> DecisionRecord:
        await release.wait()
        return DecisionRecord(
            decision_id="d",
            outcome=Allow(Reason.POLICY_ALLOW),
            response_headers={"X-User": request.subject},
        )

    service.decision.rule = wait
    return release


@contextlib.asynccontextmanager
async def full(service: Service) -> AsyncIterator[asyncio.Event]:
    """Take the one place of a service; what is given frees it."""
    release = held(service)
    async with await service.connect() as wire:
        wire.send(post())
        await eventually(lambda: service.collaborators.places.taken == 1)
        yield release
        release.set()
        assert (await wire.answer()).status == 200
