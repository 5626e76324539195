"""What is measured in a round: every workload and every floor, one after the other."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from authorizer.config.loading import load
from authorizer.contract.decode import decode
from authorizer.engine import Question, translate
from authorizer.pdp.messages import Questions
from authorizer.wiring.snapshot import build_snapshot
from bench.measuring import loads, programs, stub, workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from authorizer.snapshot import Snapshot
    from bench.measuring.loads import Load
    from bench.measuring.programs import Running
    from bench.measuring.workloads import Workload

    Thing: TypeAlias = "tuple[Key, Callable[[], Figure]]"

ROUTES: Final = 1_000
MORE_ROUTES: Final = (10, 10_000)
GROWING_AT: Final = 16  # in flight, where routes and checks grow
AUTHORIZER: Final = "authorizer"
HANDLER: Final = "handler"
STUB: Final = "stub"
CALL: Final = "our call"
LEAST: Final = "handler and stub"
PAGES: Final = "whole pages"
CACHED: Final = "hot, cached"
WORKERS: Final = "distinct, two workers"
REPLICAS: Final = "distinct, two of each"
GATEWAY: Final = "through Oathkeeper"
SHARES: Final = (25, 50, 75, 90)  # percent of what a closed loop reached
# No PDP here answers as often, one after the other and at once: no question is asked twice.
_MOST_IN_TURN: Final = 3_000
_MOST_AT_ONCE: Final = 8_000
# What the least that there could be asks, over and over: more than are ever in flight.
_SOME: Final = 2_000


@dataclass(frozen=True)
class Figure:
    """What one run gave: the load, and microseconds of CPU an answer by program."""

    load: Load
    cpu: Mapping[str, float]


@dataclass(frozen=True)
class Key:
    """What was asked, of whom, and how many at a time."""

    asked: str
    of: str
    in_flight: int


@dataclass(frozen=True)
class Everything:
    """All that runs while it is measured, and for how long a run goes.

    `authorizers`, `workers` and `least` ask the first PDP; each of the `replicas` asks both.
    """

    folder: Path
    seconds: float
    snapshot: Snapshot
    pdps: Sequence[Running]
    authorizers: Mapping[int, Running]  # by number of routes
    workers: Running
    replicas: Sequence[Running]
    handler: Running
    least: Running
    gateways: Mapping[str, Running]  # by whom it asks

    @property
    def authorizer(self) -> Running:
        """The one that most is asked of."""
        return self.authorizers[ROUTES]

    @property
    def pdp(self) -> Running:
        """The PDP that most of them ask."""
        return self.pdps[0]

    def forget_logs(self) -> None:
        """Empty the decision logs."""
        for running in (*self.authorizers.values(), self.workers, *self.replicas):
            running.forget_log()


@contextmanager
def everything(
    folder: Path, seconds: float, more_routes: Sequence[int] = MORE_ROUTES
) -> Iterator[Everything]:
    """Start all programs, and stop them at the end."""
    with ExitStack() as stack:
        start = stack.enter_context

        def own(name: str, routes: int = ROUTES) -> Path:
            (folder / name).mkdir()
            programs.write_rules(folder / name, routes)
            return folder / name

        pdp, more = (start(programs.pdp(own(name))) for name in ("pdp", "pdp 2"))
        authorizers = {
            routes: start(programs.authorizer(own(str(routes), routes), pdp))
            for routes in (ROUTES, *more_routes)
        }
        server = {**programs.PATIENT, "workers": 2}
        workers = start(programs.authorizer(own("workers"), pdp, server))
        replicas = [
            start(programs.authorizer(own(name), pdp, more_pdps=[more]))
            for name in ("replica 1", "replica 2")
        ]
        handler = start(programs.handler(folder))
        snapshot = build_snapshot(load(folder / str(ROUTES) / "authorizer.yaml"))
        messages = folder / "messages"
        some = workloads.workloads(ROUTES)["distinct"].bodies(_SOME, 0)
        stub.write(messages, (message(body, snapshot) for body in some))
        least = start(programs.handler(folder, "ask", pdp.address, str(messages)))
        (payload,) = workloads.workloads(ROUTES)["hot"].bodies(1, 0)
        gateways = {
            name: start(programs.oathkeeper(folder, f"oathkeeper-{name}", asks, payload.decode()))
            for name, asks in (
                (AUTHORIZER, authorizers[ROUTES]),
                (HANDLER, handler),
                (LEAST, least),
            )
        }
        yield Everything(
            folder,
            seconds,
            snapshot,
            (pdp, more),
            authorizers,
            workers,
            replicas,
            handler,
            least,
            gateways,
        )


def message(body: bytes, snapshot: Snapshot) -> bytes:
    """Return what `authorizer serve` asks the PDP with for a question."""
    question = translate(decode(body), snapshot, decision_id="0", now=time.time())
    if not isinstance(question, Question):
        sys.exit(f"a question that the PDP is not asked: {question.outcome}")
    return Questions().build(
        question.principal, question.checks, request_id=question.record.decision_id, explain=False
    )


class Rounds:
    """Measures round after round, with so many requests in flight."""

    def __init__(self, everything: Everything, in_flight: Sequence[int]) -> None:
        self._all = everything
        self._in_flight = in_flight
        self._asked = everything.folder / "asked"
        self.snapshot = everything.snapshot
        self._workloads = workloads.workloads(ROUTES)
        self._run = 0
        self._rates: dict[int, int] = {}

    def calibrate(self) -> None:
        """Find the rates of the open loop, which also warms everything up."""
        reached = self._wrk(self._workloads["distinct"], max(self._in_flight)).load.throughput
        self._rates = {share: round(reached * share / 100) for share in SHARES}

    def measure(self, *, backwards: bool) -> dict[Key, Figure]:
        """Measure each thing once; every other round `backwards`, so that none profits of order."""
        things = [
            *(thing for many in self._in_flight for thing in self._closed(many)),
            *self._growing(GROWING_AT),
            *self._open(),
        ]
        found: dict[Key, Figure] = {}
        for key, thing in reversed(things) if backwards else things:
            found[key] = thing()
            self._all.forget_logs()
        return found

    def _closed(self, many: int) -> Iterator[Thing]:
        """Yield the workloads, and each floor beside what is held against it."""
        handler = self._all.handler
        for name, workload in self._workloads.items():
            yield Key(name, AUTHORIZER, many), partial(self._wrk, workload, many)
            if name in {"distinct", CACHED, "churn"}:
                floor = partial(self._wrk, workload, many, of=handler)
                yield Key(name, HANDLER, many), floor
            if name == "distinct":
                yield Key(name, STUB, many), partial(self._ask, "stub", workload, many)
                yield Key(name, CALL, many), partial(self._ask, "call", workload, many)
                yield Key(name, LEAST, many), partial(self._wrk, workload, many, of=self._all.least)
                if many > 1:
                    yield from self._more_processes(workload, many)
        pages = many // workloads.A_PAGE
        if pages:
            page = self._workloads["page"]
            yield Key(PAGES, AUTHORIZER, many), partial(self._browser, page, pages)
            yield Key(PAGES, STUB, many), partial(self._ask, "stub", page, pages, workloads.A_PAGE)

    def _more_processes(self, workload: Workload, many: int) -> Iterator[Thing]:
        """Yield the same with one more process that decides, and with one more of everything."""
        workers = partial(self._wrk, workload, many, of=self._all.workers)
        yield Key(WORKERS, AUTHORIZER, many), workers
        yield Key(REPLICAS, AUTHORIZER, many), partial(self._replicas, workload, many)

    def _growing(self, many: int) -> Iterator[Thing]:
        """Yield the same with other numbers of routes and of checks, and through Oathkeeper."""
        for routes, running in self._all.authorizers.items():
            if running is not self._all.authorizer:
                workload = workloads.workloads(routes)["distinct"]
                name = f"{routes:,} routes"
                yield Key(name, AUTHORIZER, many), partial(self._wrk, workload, many, of=running)
        for name, gateway in self._all.gateways.items():
            yield Key(GATEWAY, name, many), partial(self._gateway, gateway, many)

    def _open(self) -> Iterator[Thing]:
        for share, rate in self._rates.items():
            for of, running in ((AUTHORIZER, self._all.authorizer), (HANDLER, self._all.handler)):
                yield Key(f"open {share}%", of, 0), partial(self._vegeta, running, rate)

    def _bodies(self, workload: Workload, many: int) -> list[bytes]:
        """Return as many as so many in flight may use up."""
        self._run += 1
        most = _MOST_IN_TURN if many == 1 else _MOST_AT_ONCE
        return workload.bodies(round(most * self._all.seconds), self._run)

    def _wrk(self, workload: Workload, many: int, *, of: Running | None = None) -> Figure:
        self._asked.write_bytes(b"\n".join(self._bodies(workload, many)))
        target = of or self._all.authorizer
        fresh = workload.fresh_connections
        return self._spent(
            lambda: loads.closed(
                target, self._asked, many, seconds=self._all.seconds, fresh_connections=fresh
            ),
            target,
        )

    def _replicas(self, workload: Workload, many: int) -> Figure:
        targets = self._all.replicas
        asked = [self._asked.with_name(f"asked {number}") for number in range(len(targets))]
        for path in asked:
            path.write_bytes(b"\n".join(self._bodies(workload, many)))
        return self._spent(
            lambda: loads.closed_each(targets, asked, many, seconds=self._all.seconds), *targets
        )

    def _gateway(self, gateway: Running, many: int) -> Figure:
        paths = (f"/decisions/orgs/acme/library0/documents/d{number}" for number in range(100))
        self._asked.write_text("\n".join(paths))
        return self._spent(
            lambda: loads.closed(
                gateway, self._asked, many, seconds=self._all.seconds, method="GET"
            ),
            gateway,
        )

    def _vegeta(self, target: Running, rate: int) -> Figure:
        bodies = self._bodies(self._workloads["distinct"], max(self._in_flight))
        seconds = self._all.seconds
        return self._spent(lambda: loads.open_loop(target, bodies, rate, seconds=seconds), target)

    def _ask(self, client: str, workload: Workload, many: int, at_once: int = 1) -> Figure:
        """Have a client ask the PDP what the authorizer would."""
        bodies = self._bodies(workload, many * at_once)
        stub.write(self._asked, (message(body, self.snapshot) for body in bodies))
        return self._client(client, self._all.pdp, many, at_once)

    def _browser(self, workload: Workload, browsers: int) -> Figure:
        many = browsers * workloads.A_PAGE
        self._asked.write_bytes(b"\n".join(self._bodies(workload, many)))
        return self._client("browser", self._all.authorizer, browsers, workloads.A_PAGE)

    def _client(self, module: str, target: Running, many: int, at_once: int) -> Figure:
        arguments = (self._asked, many, self._all.seconds, at_once)
        found, cpu = loads.client(module, target, *arguments)
        return Figure(found, {"client": cpu})

    def _spent(self, thing: Callable[[], Load], *targets: Running) -> Figure:
        """Return what came of a load, with the CPU that it cost its targets and the PDPs."""
        watched = {"target": targets, "pdp": self._all.pdps}
        before = {name: _cpu(programs) for name, programs in watched.items()}
        found = thing()
        cpu = {
            name: (_cpu(programs) - before[name]) / found.answers * 1e6
            for name, programs in watched.items()
        }
        return Figure(found, cpu)


def _cpu(programs: Sequence[Running]) -> float:
    return sum(running.cpu() for running in programs)
