"""The settings, as types. What each key means is said in config.schema.json.

Durations are in seconds and sizes in bytes; paths are absolute once they are loaded.
"""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

NonEmpty: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
Positive: TypeAlias = Annotated[float, msgspec.Meta(gt=0)]


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An immutable group of settings; an unknown key is an error."""


class ListenerTls(Group, frozen=True):
    """A listener's own certificate. Paths to PEM files."""

    certificate: str
    key: str


class Server(Group, frozen=True):
    """The listener that Oathkeeper talks to.

    `drain_delay` None means none on loopback, and five seconds elsewhere.
    """

    listen: str = "127.0.0.1:8080"
    workers: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    tls: ListenerTls | None = None
    insecure_plaintext: bool = False
    shared_secret: str | None = None
    deadline: Positive = 0.5
    unavailable_status: Literal[501, 503] = 501
    max_body: Annotated[int, msgspec.Meta(ge=1)] = 256 * 1024
    max_in_flight: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 32
    max_wait: float = 0.1
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 2000
    header_timeout: Positive = 5.0
    body_timeout: Positive = 5.0
    idle_timeout: Positive = 120.0
    drain_delay: float | None = None
    drain_timeout: float = 10.0
    ready_requires_pdp: bool = False


class Admin(Group, frozen=True):
    """The listener for operators: metrics and health."""

    listen: str = "127.0.0.1:8081"
    insecure_plaintext: bool = False


class PdpTls(Group, frozen=True):
    """TLS towards the PDP. Paths to PEM files."""

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    server_name: NonEmpty | None = None


class EmbeddedPdp(Group, frozen=True):
    """A Cerbos PDP that runs as our child process."""

    policies: str
    cerbos: str | None = None
    lenient_scope_search: bool = False
    key_sets: dict[NonEmpty, NonEmpty] = msgspec.field(default_factory=dict)


class PdpSettings(Group, frozen=True):
    """Where decisions come from: `endpoints` or `embedded`, never both."""

    endpoints: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ()
    attempt_timeout: Positive = 0.15
    insecure_plaintext: bool = False
    tls: PdpTls | None = None
    embedded: EmbeddedPdp | None = None


class Rules(Group, frozen=True):
    """Where route rules come from: files and directories."""

    paths: Annotated[tuple[NonEmpty, ...], msgspec.Meta(min_length=1)] = ("rules",)


class Principals(Group, frozen=True):
    """How identities become principals.

    `profiles` stays plain data here: `authorizer.principals` compiles it, and reports what is
    wrong in it with the place that `origin` (see `Loaded`) knows.
    """

    default: NonEmpty = "kratos"
    keep: Annotated[int, msgspec.Meta(ge=1)] = 16 * 1024 * 1024
    profiles: dict[NonEmpty, dict[str, Any]] = msgspec.field(default_factory=dict)


class Cache(Group, frozen=True):
    """The answers of the PDP that are kept for routes with `cache`."""

    max_size: Annotated[int, msgspec.Meta(ge=1)] = 16 * 1024 * 1024


class LogFormat(enum.StrEnum):
    """`auto`: `console` on a terminal, `json` elsewhere."""

    AUTO = "auto"
    JSON = "json"
    CONSOLE = "console"


class LogLevel(enum.StrEnum):
    """The least severe level that is written. Decisions are `info`."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Log(Group, frozen=True):
    """The log, on standard output."""

    format: LogFormat = LogFormat.AUTO
    level: LogLevel = LogLevel.INFO
    queue: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 10_000


class Enforcement(enum.StrEnum):
    """`observe`: decide and log, but let everything pass."""

    ENFORCE = "enforce"
    OBSERVE = "observe"


class Settings(Group, frozen=True):
    """All of authorizer.yaml."""

    server: Server = Server()
    admin: Admin = Admin()
    pdp: PdpSettings = PdpSettings()
    rules: Rules = Rules()
    principals: Principals = Principals()
    cache: Cache = Cache()
    enforcement: Enforcement = Enforcement.ENFORCE
    log: Log = Log()
