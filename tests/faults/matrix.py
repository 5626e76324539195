"""The faults: what each is caused on, how, and what may be answered meanwhile.

A new one is a function here, which the test and docs/reliability.md then know.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import trustme
from faults.asking import question
from faults.impostors import REFUSAL, failing, nonsense
from faults.listener import Listener, ask
from faults.outages import killed, stopped
from faults.stepping import COMPILER, WallClock
from polling import until
from processes import children
from served import RULES, save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import TypeAlias

    from cerbosserver import CerbosServer
    from faults.rig import Rig, Service

    Cause: TypeAlias = Callable[[Service], AbstractContextManager[None]]
    Prepare: TypeAlias = Callable[[Rig], "Scene"]


@dataclass(frozen=True, slots=True)
class Scene:
    """`pdp` is that part of the configuration; `cause` has the fault for as long as it is open.

    `server` are more settings of the listener, `trust` is who has signed its certificate, `environ`
    is what the service is started with.
    """

    pdp: str
    cause: Cause
    server: str = ""
    trust: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fault:
    """`errors` are the reasons that may be given while it lasts; with none, nothing may fail.

    `needs` is a program without which it cannot be caused.
    """

    name: str
    prepare: Prepare
    errors: frozenset[str]
    needs: str = ""


FAULTS: Final[list[Fault]] = []

_UNAVAILABLE: Final = "pdp_unavailable"
_DEADLINE: Final = "pdp_deadline"
# Where nobody answers, those who wait for that take all places.
_OVERLOADED: Final = "overloaded"
_REJECTED: Final = "pdp_rejected"


def fault(name: str, *errors: str, needs: str = "") -> Callable[[Prepare], Prepare]:
    """Enter a fault into the matrix, under a name for people."""

    def enter(prepare: Prepare) -> Prepare:
        FAULTS.append(Fault(name, prepare, frozenset(errors), needs))
        return prepare

    return enter


def endpoints(*addresses: str, more: str = "") -> str:
    """Return the configuration for PDPs at these addresses."""
    return f"{{endpoints: [{', '.join(map(repr, addresses))}]{more}}}"


@fault("one of two PDPs killed, then restarted on its port")
def _(rig: Rig) -> Scene:
    one, other = rig.pdp("one"), rig.pdp("other")
    return Scene(endpoints(one.address, other.address), lambda _: killed(one))


@fault("one of three PDPs killed, then restarted")
def _(rig: Rig) -> Scene:
    three = [rig.pdp(name) for name in ("one", "other", "third")]
    return Scene(endpoints(*(server.address for server in three)), lambda _: killed(three[0]))


@fault("one of three PDPs stopped (SIGSTOP)")
def _(rig: Rig) -> Scene:
    three = [rig.pdp(name) for name in ("one", "other", "third")]
    return Scene(endpoints(*(server.address for server in three)), lambda _: stopped(three[0]))


@fault("one of two PDPs stopped (SIGSTOP)")
def _(rig: Rig) -> Scene:
    one, other = rig.pdp("one"), rig.pdp("other")
    return Scene(endpoints(one.address, other.address), lambda _: stopped(one))


@fault("both PDPs killed, then restarted", _UNAVAILABLE)
def _(rig: Rig) -> Scene:
    one, other = rig.pdp("one"), rig.pdp("other")
    return Scene(endpoints(one.address, other.address), lambda _: killed(one, other))


@fault("both PDPs stopped", _UNAVAILABLE, _DEADLINE, _OVERLOADED)
def _(rig: Rig) -> Scene:
    one, other = rig.pdp("one"), rig.pdp("other")
    return Scene(endpoints(one.address, other.address), lambda _: stopped(one, other))


@fault("the only PDP killed, then restarted", _UNAVAILABLE)
def _(rig: Rig) -> Scene:
    one = rig.pdp("one")
    return Scene(endpoints(one.address), lambda _: killed(one))


@fault("the only PDP stopped", _UNAVAILABLE, _DEADLINE, _OVERLOADED)
def _(rig: Rig) -> Scene:
    one = rig.pdp("one")
    return Scene(endpoints(one.address), lambda _: stopped(one))


@fault("one of two PDPs restarted on another port of the list")
def _(rig: Rig) -> Scene:
    one, old, new = rig.pdp("one"), rig.pdp("old"), rig.pdp("new", start=False)

    @contextmanager
    def moved(_: Service) -> Iterator[None]:
        with killed(old):
            new.start()
            try:
                yield
            finally:
                new.kill()

    return Scene(endpoints(one.address, old.address, new.address), moved)


@fault("one of two PDPs slow: 300 ms a call")
def _(rig: Rig) -> Scene:
    proxy, other = rig.proxy("one"), rig.pdp("other")
    return Scene(endpoints(proxy.address, other.address), lambda _: proxy.slow(300))


@fault("both PDPs slow: 250 ms a call", _UNAVAILABLE, _DEADLINE)
def _(rig: Rig) -> Scene:
    one, other = rig.proxy("one"), rig.proxy("other")

    @contextmanager
    def slow(_: Service) -> Iterator[None]:
        with one.slow(250), other.slow(250):
            yield

    return Scene(endpoints(one.address, other.address), slow)


@fault("one of two PDPs resets every connection")
def _(rig: Rig) -> Scene:
    proxy, other = rig.proxy("one"), rig.pdp("other")
    return Scene(endpoints(proxy.address, other.address), lambda _: proxy.resetting())


@fault("the connection to one of two PDPs half open: nothing comes back, nobody hangs up")
def _(rig: Rig) -> Scene:
    proxy, other = rig.proxy("one"), rig.pdp("other")
    return Scene(endpoints(proxy.address, other.address), lambda _: proxy.half_open())


@fault("one of two PDPs hangs up in the middle of calls, five times a second")
def _(rig: Rig) -> Scene:
    proxy, other = rig.proxy("one"), rig.pdp("other")

    @contextmanager
    def hanging_up(_: Service) -> Iterator[None]:
        over = threading.Event()

        def hang_up() -> None:
            while not over.wait(0.2):
                proxy.hang_up()

        thread = threading.Thread(target=hang_up)
        # So that there is a middle.
        with proxy.slow(40):
            thread.start()
            try:
                yield
            finally:
                over.set()
                thread.join()

    return Scene(endpoints(proxy.address, other.address), hanging_up)


@fault("one of two PDPs answers UNAVAILABLE")
def _(rig: Rig) -> Scene:
    return _replaced_by(rig, grpc.StatusCode.UNAVAILABLE)


@fault("one of two PDPs answers INTERNAL", _REJECTED)
def _(rig: Rig) -> Scene:
    return _replaced_by(rig, grpc.StatusCode.INTERNAL)


@fault("one of two PDPs is another service: it answers UNIMPLEMENTED", _REJECTED)
def _(rig: Rig) -> Scene:
    return _replaced_by(rig, grpc.StatusCode.UNIMPLEMENTED)


def _replaced_by(rig: Rig, code: grpc.StatusCode) -> Scene:
    proxy, other = rig.proxy("one"), rig.pdp("other")

    @contextmanager
    def replaced(_: Service) -> Iterator[None]:
        with failing(code) as address, proxy.leading_to(address):
            yield

    return Scene(endpoints(proxy.address, other.address), replaced)


@fault("one of two PDPs speaks nonsense")
def _(rig: Rig) -> Scene:
    proxy, other = rig.proxy("one"), rig.pdp("other")

    @contextmanager
    def speaking(_: Service) -> Iterator[None]:
        with nonsense() as address, proxy.leading_to(address):
            yield

    return Scene(endpoints(proxy.address, other.address), speaking)


@dataclass(frozen=True, slots=True)
class _Tls:
    """TLS to PDPs that share a certificate for `pdp.test`."""

    folder: Path
    authority: trustme.CA

    @classmethod
    def of(cls, rig: Rig) -> _Tls:
        folder, authority = rig.folder("tls"), trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        return cls(folder, authority)

    def pair(self, name: str, authority: trustme.CA | None = None) -> tuple[str, str]:
        """Issue a certificate, over one of that name; return its file, and its key's."""
        issued = (authority or self.authority).issue_cert("pdp.test")
        files = str(self.folder / f"{name}.pem"), str(self.folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(files[0])
        issued.private_key_pem.write_to_path(files[1])
        return files

    def pdp(self, rig: Rig, name: str) -> CerbosServer:
        """Return a PDP that shows the certificate of that name."""
        certificate, key = self.pair(name)
        # A name that no other scene has: a PDP has its certificate from the beginning.
        return rig.pdp(f"{name}-{self.folder.name}", {"cert": certificate, "key": key})

    def endpoints(self, *addresses: str) -> str:
        more = f", tls: {{ca: '{self.folder}/ca.pem', server_name: pdp.test}}"
        return endpoints(*addresses, more=more)


@fault("one of two PDPs shows a stranger's certificate")
def _(rig: Rig) -> Scene:
    tls = _Tls.of(rig)
    proxy, other = rig.proxy_of(tls.pdp(rig, "one")), tls.pdp(rig, "other")

    @contextmanager
    def strange(_: Service) -> Iterator[None]:
        with nonsense(tls.pair("theirs", trustme.CA())) as address, proxy.leading_to(address):
            yield

    return Scene(tls.endpoints(proxy.address, other.address), strange)


@fault("one of two PDPs refuses TLS: a handshake fails")
def _(rig: Rig) -> Scene:
    tls = _Tls.of(rig)
    proxy, other = rig.proxy_of(tls.pdp(rig, "one")), tls.pdp(rig, "other")

    @contextmanager
    def refusing(_: Service) -> Iterator[None]:
        with nonsense(says=REFUSAL) as address, proxy.leading_to(address):
            yield

    return Scene(tls.endpoints(proxy.address, other.address), refusing)


@fault("one of two PDPs restarted with a renewed certificate")
def _(rig: Rig) -> Scene:
    tls = _Tls.of(rig)
    one, other = tls.pdp(rig, "one"), tls.pdp(rig, "other")

    @contextmanager
    def renewed(_: Service) -> Iterator[None]:
        one.kill()
        tls.pair("one")
        one.start()
        yield

    return Scene(tls.endpoints(one.address, other.address), renewed)


@fault("the only PDP restarted with a certificate of an unknown authority", _UNAVAILABLE)
def _(rig: Rig) -> Scene:
    tls = _Tls.of(rig)
    one = tls.pdp(rig, "one")

    @contextmanager
    def unknown(_: Service) -> Iterator[None]:
        one.kill()
        tls.pair("one", trustme.CA())
        one.start()
        try:
            yield
        finally:
            one.kill()
            tls.pair("one")
            one.start()

    return Scene(tls.endpoints(one.address), unknown)


@fault("the listener's certificate renewed")
def _(rig: Rig) -> Scene:
    listener = Listener(rig.folder("listener"))

    @contextmanager
    def renewed(service: Service) -> Iterator[None]:
        with listener.connection(service) as old, listener.connection(service) as idle:
            shown = old.certificate
            listener.renew()
            until(lambda: listener.shown(service) != shown)
            # Connections that were open go on: one in use, and one of which nothing was asked.
            assert (old.ask(), idle.ask()) == (200, 200)
            assert (old.certificate, idle.certificate) == (shown, shown)
            yield

    return Scene(
        endpoints(rig.pdp("one").address), renewed, server=listener.server, trust=listener.trust
    )


@fault("a key saved for the listener that does not fit its certificate")
def _(rig: Rig) -> Scene:
    listener = Listener(rig.folder("listener"))

    @contextmanager
    def broken(service: Service) -> Iterator[None]:
        shown = listener.shown(service)
        listener.save_another_key()
        until(service.has_refused_credentials)
        yield
        assert listener.shown(service) == shown
        listener.renew()
        until(lambda: listener.shown(service) != shown)

    return Scene(
        endpoints(rig.pdp("one").address), broken, server=listener.server, trust=listener.trust
    )


_STEP: Final = 3 * 3600  # seconds


def _expiring(seconds: int) -> bytes:
    """Return what is allowed, in a session that ends so much after now."""
    end = datetime.now(UTC) + timedelta(seconds=seconds)
    return question(expires_at=f"{end:%Y-%m-%dT%H:%M:%SZ}")


_GOOD: Final = (200, "policy_allow")
_EXPIRED: Final = (403, "principal_rejected")


@fault("the clock stepped forward by three hours, then back, the PDP taking 200 ms", needs=COMPILER)
def _(rig: Rig) -> Scene:
    clock, proxy = WallClock(rig.folder("clock")), rig.proxy("one")
    session = _expiring(_STEP // 3)

    @contextmanager
    def forward(service: Service) -> Iterator[None]:
        assert ask(service, session) == _GOOD
        # So that many are open when it is stepped.
        with proxy.slow(200):
            time.sleep(0.5)
            with clock.stepped(_STEP):
                assert ask(service, session) == _EXPIRED
                yield
            assert ask(service, session) == _GOOD

    return Scene(endpoints(proxy.address), forward, environ=clock.environ)


@fault("the clock stepped back by three hours, then forward, the PDP taking 200 ms", needs=COMPILER)
def _(rig: Rig) -> Scene:
    clock, proxy = WallClock(rig.folder("clock")), rig.proxy("one")
    session = _expiring(-_STEP // 3)

    @contextmanager
    def back(service: Service) -> Iterator[None]:
        assert ask(service, session) == _EXPIRED
        with proxy.slow(200):
            time.sleep(0.5)
            with clock.stepped(-_STEP):
                # It has no other clock to ask.
                assert ask(service, session) == _GOOD
                yield
            assert ask(service, session) == _EXPIRED

    return Scene(endpoints(proxy.address), back, environ=clock.environ)


@fault(
    "the clock stepped back by three hours while the only PDP is stopped",
    _UNAVAILABLE,
    _DEADLINE,
    _OVERLOADED,
    needs=COMPILER,
)
def _(rig: Rig) -> Scene:
    clock, one = WallClock(rig.folder("clock")), rig.pdp("one")

    @contextmanager
    def back(service: Service) -> Iterator[None]:
        with stopped(one):
            until(lambda: ask(service, question())[1] == _UNAVAILABLE)
            with clock.stepped(-_STEP):
                yield
                one.resume()
                # The next try is not three hours away.
                until(lambda: ask(service, question()) == _GOOD)

    return Scene(endpoints(one.address), back, environ=clock.environ)


@fault("a broken file among the route rules")
def _(rig: Rig) -> Scene:
    @contextmanager
    def broken(service: Service) -> Iterator[None]:
        rules = service.folder / "rules" / "a.yaml"
        save(rules, RULES.replace("match:", "mach:"))
        try:
            yield
        finally:
            save(rules, RULES)

    return Scene(endpoints(rig.pdp("one").address), broken)


@fault("a broken policy in the embedded PDP's folder")
def _(_: Rig) -> Scene:
    @contextmanager
    def broken(service: Service) -> Iterator[None]:
        policy = service.folder / "policies" / "document.yaml"
        good = policy.read_text()
        save(policy, "resourcePolicy: [")
        try:
            yield
        finally:
            save(policy, good)

    return Scene("{embedded: {policies: policies}}", broken)


@fault("the embedded PDP killed", _UNAVAILABLE, _DEADLINE)
def _(_: Rig) -> Scene:
    @contextmanager
    def gone(service: Service) -> Iterator[None]:
        [pid] = children(service.process.pid)
        os.kill(pid, signal.SIGKILL)
        yield

    return Scene("{embedded: {policies: policies}}", gone)


@fault("nobody reads the log")
def _(rig: Rig) -> Scene:
    @contextmanager
    def blocked(service: Service) -> Iterator[None]:
        service.block_log()
        try:
            yield
        finally:
            service.unblock_log()

    return Scene(endpoints(rig.pdp("one").address), blocked)


@contextmanager
def _until_hung_up_on(address: str) -> Iterator[None]:
    """Open connections until one is hung up on, and hold them."""
    host, _, port = address.rpartition(":")
    with ExitStack() as held:

        def is_hung_up_on() -> bool:
            connection = held.enter_context(socket.create_connection((host, int(port)), timeout=5))
            readable, _, _ = select.select([connection], [], [], 0.05)
            return bool(readable)

        until(is_hung_up_on)
        yield


# libuv takes a connection that it has no descriptor for, and hangs up at once.
@fault("no file descriptor left", "cut off")
def _(rig: Rig) -> Scene:
    @contextmanager
    def exhausted(service: Service) -> Iterator[None]:
        pid = service.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        # The highest that is open: the next one would be above it.
        highest = max(int(entry.name) for entry in Path(f"/proc/{pid}/fd").iterdir())
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        try:
            with _until_hung_up_on(service.listen):
                yield
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

    return Scene(endpoints(rig.pdp("one").address), exhausted)
