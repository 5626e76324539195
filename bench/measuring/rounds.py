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
PAGES: Final = "whole pages"
GATEWAY: Final = "through Oathkeeper"
SHARES: Final = (25, 50, 75, 90)  # percent of what a closed loop reached
# Nobody here answers as often; so no question of a run is asked twice.
_MOST_A_SECOND: Final = 8_000


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
    """All that runs while it is measured, and for how long a run goes."""

    folder: Path
    seconds: float
    pdp: Running
    authorizers: Mapping[int, Running]  # by number of routes
    handler: Running
    gateways: Mapping[str, Running]  # by whom it asks

    @property
    def authorizer(self) -> Running:
        """The one that most is asked of."""
        return self.authorizers[ROUTES]


@contextmanager
def everything(
    folder: Path, seconds: float, more_routes: Sequence[int] = MORE_ROUTES
) -> Iterator[Everything]:
    """Start all programs, and stop them at the end."""
    with ExitStack() as stack:
        start = stack.enter_context
        pdp = start(programs.pdp(folder))
        authorizers = {}
        for routes in (ROUTES, *more_routes):
            own = folder / str(routes)
            own.mkdir()
            programs.write_rules(own, routes)
            authorizers[routes] = start(programs.authorizer(own, pdp))
        handler = start(programs.handler(folder))
        (payload,) = workloads.workloads(ROUTES)["hot"].bodies(1, 0)
        gateways = {
            name: start(programs.oathkeeper(folder, f"oathkeeper-{name}", asks, payload.decode()))
            for name, asks in ((AUTHORIZER, authorizers[ROUTES]), (HANDLER, handler))
        }
        yield Everything(folder, seconds, pdp, authorizers, handler, gateways)


class Rounds:
    """Measures round after round, with so many requests in flight."""

    def __init__(self, everything: Everything, in_flight: Sequence[int]) -> None:
        self._all = everything
        self._in_flight = in_flight
        self._asked = everything.folder / "asked"
        self.snapshot = build_snapshot(load(everything.folder / str(ROUTES) / "authorizer.yaml"))
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
            for running in self._all.authorizers.values():
                running.forget_log()
        return found

    def _closed(self, many: int) -> Iterator[Thing]:
        """Yield the workloads, and each floor beside what is held against it."""
        handler = self._all.handler
        for name, workload in self._workloads.items():
            yield Key(name, AUTHORIZER, many), partial(self._wrk, workload, many)
            if name in {"distinct", "churn"}:
                floor = partial(self._wrk, workload, many, of=handler)
                yield Key(name, HANDLER, many), floor
            if name == "distinct":
                yield Key(name, STUB, many), partial(self._stub, workload, many)
        pages = many // workloads.A_PAGE
        if pages:
            page = self._workloads["page"]
            yield Key(PAGES, AUTHORIZER, many), partial(self._browser, page, pages)
            yield Key(PAGES, STUB, many), partial(self._stub, page, pages, workloads.A_PAGE)

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

    def _bodies(self, workload: Workload) -> list[bytes]:
        self._run += 1
        return workload.bodies(round(_MOST_A_SECOND * self._all.seconds), self._run)

    def _wrk(self, workload: Workload, many: int, *, of: Running | None = None) -> Figure:
        self._asked.write_bytes(b"\n".join(self._bodies(workload)))
        target = of or self._all.authorizer
        fresh = workload.fresh_connections
        return self._spent(
            target,
            lambda: loads.closed(
                target, self._asked, many, seconds=self._all.seconds, fresh_connections=fresh
            ),
        )

    def _gateway(self, gateway: Running, many: int) -> Figure:
        paths = (f"/decisions/orgs/acme/library0/documents/d{number}" for number in range(100))
        self._asked.write_text("\n".join(paths))
        return self._spent(
            gateway,
            lambda: loads.closed(
                gateway, self._asked, many, seconds=self._all.seconds, method="GET"
            ),
        )

    def _vegeta(self, target: Running, rate: int) -> Figure:
        bodies = self._bodies(self._workloads["distinct"])
        seconds = self._all.seconds
        return self._spent(target, lambda: loads.open_loop(target, bodies, rate, seconds=seconds))

    def _stub(self, workload: Workload, many: int, at_once: int = 1) -> Figure:
        stub.write(self._asked, map(self._message, self._bodies(workload)))
        return self._client("stub", self._all.pdp, many, at_once)

    def _browser(self, workload: Workload, browsers: int) -> Figure:
        self._asked.write_bytes(b"\n".join(self._bodies(workload)))
        return self._client("browser", self._all.authorizer, browsers, workloads.A_PAGE)

    def _client(self, module: str, target: Running, many: int, at_once: int) -> Figure:
        arguments = (self._asked, many, self._all.seconds, at_once)
        found, cpu = loads.client(module, target, *arguments)
        return Figure(found, {"client": cpu})

    def _message(self, body: bytes) -> bytes:
        """Return the message that `authorizer serve` asks the PDP with."""
        question = translate(decode(body), self.snapshot, decision_id="0", now=time.time())
        if not isinstance(question, Question):
            sys.exit(f"a question that the PDP is not asked: {question.outcome}")
        return Questions().build(
            question.principal,
            question.checks,
            request_id=question.record.decision_id,
            explain=False,
        )

    def _spent(self, target: Running, thing: Callable[[], Load]) -> Figure:
        """Return what came of a load, with the CPU that it cost."""
        watched = {"target": target, "pdp": self._all.pdp}
        before = {name: running.cpu() for name, running in watched.items()}
        found = thing()
        cpu = {
            name: (running.cpu() - before[name]) / found.answers * 1e6
            for name, running in watched.items()
        }
        return Figure(found, cpu)
