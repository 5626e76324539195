"""What happens to a service while it is soaked: faults of its PDPs, reloads, renewals, hang-ups.

Needs `tests` on the path: what faults are caused on is theirs (tests/faults).
"""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import ssl
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import trustme
from faults.matrix import endpoints
from faults.outages import killed, stopped
from faults.rig import Service
from served import save
from server.credentials import save_pair, save_private

from bench.measuring import workloads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cerbosserver import CerbosServer
    from faults.rig import Rig

# The edition of the rules is in the route, in a header of the answer, and in an attribute of the
# resource, which the policy says back: the three agree when one state of the rules decided.
_RULES: Final = """\
version: 1
routes:
  - id: edition-{edition}
    match: {{path: "/orgs/{{org}}/documents/{{id}}", methods: [GET]}}
    resource:
      kind: document
      id: "${{path.id}}"
      attr: {{organization: "${{path.org}}", edition: "edition-{edition}"}}
    action: view
    response_headers: {{X-Edition: "edition-{edition}", X-Decided: "${{outputs.own}}"}}
"""
_POLICY: Final = """\
# {edition}
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: document
  rules:
    - name: own
      actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
      condition: {{match: {{expr: R.attr.organization == P.attr.organization}}}}
      output: {{when: {{ruleActivated: R.attr.edition}}}}
"""
SECRET: Final = "a-secret-that-is-valid-all-the-time"  # noqa: S105 - of the benchmark alone
_PEOPLE: Final = 200
_BROKEN: Final = "routes: ["


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happens for as long as its context is open.

    `decidable`: somebody can decide meanwhile.
    """

    name: str
    cause: Callable[[], AbstractContextManager[None]]
    decidable: bool = True


def questions() -> list[tuple[bool, bytes]]:
    """Return what is asked in turn, and whether each is allowed."""
    asked = []
    for number in range(_PEOPLE):
        name = f"person-{number}"
        extra = workloads.text(workloads.session(name))
        for allowed, organization in ((True, "acme"), (False, "other")):
            path = f"/orgs/{organization}/documents/{number}"
            asked.append((allowed, workloads.body(extra, name, path)))
    return asked


@dataclass
class Scene:
    """A service with two PDPs behind proxies, and all that is done to it."""

    rig: Rig
    folder: Path

    def __post_init__(self) -> None:
        """Start the PDPs; the service is `service`, to be entered."""
        self._question = questions()[0]
        self.edition = 0
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(str(self.folder / "ca.pem"))
        self._pdps = [self._pdp(name) for name in ("one", "other")]
        self._proxies = [self.rig.proxy(name) for name in ("one", "other")]
        self.renew_certificate()
        self.renew_secret()
        self.service = Service(
            self.folder,
            endpoints(*(proxy.address for proxy in self._proxies)),
            server=f"tls: {json.dumps(self._tls)}, shared_secret: '{self.folder / 'secrets'}'",
        )
        self.new_edition()

    def _pdp(self, name: str) -> CerbosServer:
        server = self.rig.pdp(name, start=False)
        server.watches = True
        (server.folder / "policies" / "document.yaml").write_text(_POLICY.format(edition=0))
        server.start()
        return server

    def new_edition(self) -> None:
        """Save the next edition of the rules."""
        self.edition += 1
        self._save_rules()

    def renew_certificate(self) -> None:
        """Save another certificate and key."""
        self._tls = save_pair(self.folder, self.authority)

    def renew_secret(self) -> None:
        """Save other secrets, beside the one that stays."""
        another = f"another-secret-of-edition-{self.edition:06}"
        save_private(self.folder / "secrets", f"{SECRET}\n{another}\n".encode())

    def steps(self) -> list[Step]:
        """Return what is done in turn."""
        one, other = self._pdps
        first, second = self._proxies
        return [
            Step("nothing else", contextlib.nullcontext),
            Step("one of two PDPs killed, then restarted", lambda: killed(one)),
            Step("one of two PDPs stopped", lambda: stopped(other)),
            Step("one of two PDPs slow: 300 ms", lambda: first.slow(300)),
            Step("one of two PDPs resets connections", second.resetting),
            Step("one of two PDPs half open", first.half_open),
            Step("one of two PDPs hangs up, 5 times a second", lambda: again(first.hang_up)),
            Step("both PDPs killed, then restarted", lambda: killed(one, other), decidable=False),
            Step("both PDPs stopped", lambda: stopped(one, other), decidable=False),
            Step("a broken file among the rules", self._broken_rules),
            Step("policies broken at one PDP, saved at the other", self._policies),
            Step("SIGHUP, 5 times a second", lambda: again(self._hang_up)),
            Step("certificate and secrets renewed", self._renewed),
            Step("callers hang up, 20 a second", lambda: again(self._ask_and_leave, every=0.05)),
        ]

    def _save_rules(self) -> None:
        rules = _RULES.format(edition=self.edition)
        save(self.service.folder / "rules" / "a.yaml", rules)

    @contextmanager
    def _broken_rules(self) -> Iterator[None]:
        # In a file of its own: the other goes on being saved.
        broken = self.service.folder / "rules" / "b.yaml"
        save(broken, _BROKEN)
        yield
        broken.unlink()

    @contextmanager
    def _policies(self) -> Iterator[None]:
        files = [pdp.folder / "policies" / "document.yaml" for pdp in self._pdps]
        save(files[0], _BROKEN)
        save(files[1], _POLICY.format(edition=self.edition))
        yield
        save(files[0], _POLICY.format(edition=self.edition))

    def _hang_up(self) -> None:
        self.service.process.send_signal(signal.SIGHUP)

    @contextmanager
    def _renewed(self) -> Iterator[None]:
        self.renew_certificate()
        self.renew_secret()
        yield

    def _ask_and_leave(self) -> None:
        host, port = self.service.listen.split(":")
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        _, body = self._question
        head = (
            f"POST /authorize HTTP/1.1\r\nHost: a\r\nX-Authorizer-Secret: {SECRET}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with (
            contextlib.suppress(OSError),
            socket.create_connection((host, int(port)), timeout=1) as plain,
            context.wrap_socket(plain, server_hostname=host) as connection,
        ):
            connection.sendall(head.encode() + body)


@contextmanager
def again(thing: Callable[[], None], *, every: float = 0.2) -> Iterator[None]:
    """Do a thing every so many seconds while the context is open."""
    over = threading.Event()

    def run() -> None:
        while not over.wait(every):
            thing()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
