"""`authorizer serve`, as a process, with a real PDP: it starts, answers, follows, and ends."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cerbosserver import DOCUMENTS, CerbosServer
from freeports import free_port
from polling import PATIENCE, until
from processes import gone
from served import COMMAND, EMBEDDED, FREE_PORTS, RULES, Answer, Served, body, prepare, run, save
from sessions import session

from authorizer import __version__
from authorizer.pdp.binary import find_cerbos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short name: the path of a Unix socket has little room."""
    with tempfile.TemporaryDirectory(prefix="serve-") as name:
        yield prepare(Path(name))


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(*arguments: str, config: str | None = None, **environ: str) -> Served:
        if config is not None:
            (folder / "authorizer.yaml").write_text(config)
        served = Served(folder, arguments, environ)
        running.append(served)
        served.start()
        return served

    yield start
    for served in running:
        served.end()


@pytest.fixture
def pdp(folder: Path) -> Iterator[Callable[..., CerbosServer]]:
    servers: list[CerbosServer] = []

    def start(*, on_socket: bool = False) -> CerbosServer:
        server = CerbosServer(find_cerbos(), folder, on_socket=on_socket)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()


@pytest.fixture(scope="module")
def shared() -> Iterator[Served]:
    """Give a running one with an embedded PDP, for those that only ask it."""
    with tempfile.TemporaryDirectory(prefix="serve-") as name:
        served = Served(prepare(Path(name)))
        served.start()
        yield served
        served.end()


# --- before it runs ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--version",), f"authorizer {__version__}"),
        (("--help",), "serve"),
        (("serve", "--help"), "--embedded-pdp POLICIES_DIR"),
    ],
)
def test_what_it_can_do_is_told_at_once(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


def test_help_waits_for_nothing_that_serving_needs(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from authorizer.cli.main import main\n"
        "try: main(['serve', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'aiohttp', 'grpc', 'uvloop', 'yaml', 'msgspec', 'structlog', 'jsonschema'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_it_is_a_module_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "authorizer", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"authorizer {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("serv",), ("serve", "--list", "x"), ("serve", "extra")])
def test_a_wrong_command_line_is_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: authorizer" in done.stderr


CONFIG = FREE_PORTS + "pdp: {embedded: {policies: policies}}\n"
# files that are written over; what stands on standard error
REFUSED: list[tuple[dict[str, str], list[str]]] = [
    (
        {"authorizer.yaml": f"{CONFIG}serer: {{}}\n"},
        ["error: authorizer.yaml:4:1: unknown key `serer` (did you mean `server`?)"],
    ),
    (
        {"authorizer.yaml": f"{CONFIG}log: {{level: loud}}\n"},
        ["error: authorizer.yaml:4:14: expected `debug`, `info`, `warning` or `error`"],
    ),
    (
        {"authorizer.yaml": f"{CONFIG}rules: {{paths: rules}}\n"},
        ["error: authorizer.yaml:4:16: expected a list, found a string"],
    ),
    (
        {"authorizer.yaml": f"{CONFIG}enforcement: NO\n"},
        ["error: authorizer.yaml:4:14: "],
    ),
    (
        {"authorizer.yaml": f"{CONFIG}log: {{level: loud}}\nenforcement: maybe\n"},
        ["error: authorizer.yaml:4:14: ", "error: authorizer.yaml:5:14: "],
    ),
    ({"authorizer.yaml": "server: [\n"}, ["error: authorizer.yaml:2:1: "]),
    (
        {"authorizer.yaml": CONFIG.replace("127.0.0.1:0", "0.0.0.0:8080", 1)},
        ["error: authorizer.yaml:1:18: 0.0.0.0:8080 can be reached from other machines"],
    ),
    (
        {"authorizer.yaml": CONFIG + "principals: {profiles: {p: {shape: session, role: []}}}\n"},
        ["error: authorizer.yaml:4:45: unknown key `role` (did you mean `roles`?)"],
    ),
    ({"authorizer.yaml": f"{CONFIG}principals: {{default: nobody}}\n"}, [
        "error: authorizer.yaml:4:23: the default profile `nobody` is not there"]),
    (
        {"authorizer.yaml": FREE_PORTS},
        ["error: authorizer.yaml: names no PDP (give --pdp HOST:PORT"],
    ),
    (
        {"authorizer.yaml": f"{FREE_PORTS}pdp: {{embedded: {{policies: nowhere}}}}\n"},
        ["error: authorizer.yaml:3:28: ", "nowhere cannot be read"],
    ),
    (
        {"rules/a.yaml": RULES.replace("effect: allow", "efect: allow")},
        ["rules/a.yaml:9:5: unknown key `efect` (did you mean `effect`?)"],
    ),
    (
        {"rules/a.yaml": RULES.replace("${path.org}", "${path.organisation}")},
        ["rules/a.yaml:5:", "there is no `path.organisation`"],
    ),
    (
        {"rules/a.yaml": RULES.replace("    effect", "    profiles: [krato]\n    effect")},
        ["rules/a.yaml:7:9: route open is for the profile `krato`", "did you mean `kratos`?"],
    ),
    (
        {"rules/b.yaml": RULES},
        ["rules/a.yaml:3:", "rules/b.yaml:3:", "documents.item"],
    ),
    (
        {"policies/document.yaml": DOCUMENTS.replace("EFFECT_ALLOW", "EFFECT_PERHAPS")},
        ["policies/document.yaml:9:15: ", "EFFECT_PERHAPS"],
    ),
    (
        {"policies/document.yaml": DOCUMENTS.replace("P.attr.organization", "P.attr.(")},
        ["policies/document.yaml:13:11: Invalid expression"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("files", "said"), REFUSED)
def test_what_is_wrong_is_refused_in_its_place(
    folder: Path, files: dict[str, str], said: list[str]
) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)
    done = run(folder, "serve")
    assert done.returncode == 2
    assert "authorizer.ready" not in done.stdout
    for part in said:
        assert part in done.stderr
    assert "Traceback" not in done.stderr
    assert all(line.startswith("error: ") for line in done.stderr.splitlines())


@pytest.mark.parametrize(
    ("arguments", "environ", "said"),
    [
        (("--listen", "8080"), {}, "error: --listen: expected host:port"),
        ((), {"AUTHORIZER__SERVER__LISTEN": "x"}, "error: AUTHORIZER__SERVER__LISTEN: "),
        ((), {"AUTHORIZER__SERVER__LISEN": "x"}, "error: AUTHORIZER__SERVER__LISEN: "),
        (("--pdp", "http://a:1"), {}, "error: --pdp: "),
        (("--config", "other.yaml"), {}, "error: other.yaml: cannot be read"),
        (("--rules", "nowhere"), {}, "error: --rules: "),
        (("--cerbos", "no-such-cerbos"), {}, "no-such-cerbos is not an executable file"),
        (("--cerbos", "./authorizer.yaml"), {}, "error: --cerbos: "),
    ],
)
def test_a_wrong_flag_or_variable_is_refused_by_its_name(
    folder: Path, arguments: tuple[str, ...], environ: dict[str, str], said: str
) -> None:
    done = run(folder, "serve", *arguments, **environ)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


@pytest.mark.parametrize("key", ["server", "admin"])
def test_a_port_that_is_taken_is_told(folder: Path, key: str) -> None:
    """And nothing of what was started already is left."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        flag = {"server": "--listen", "admin": "--admin-listen"}[key]
        done = run(folder, "serve", flag, address)
    assert done.returncode == 2
    told = f"error: {flag}: `{key}.listen`: cannot listen on {address}: Address already in use ("
    assert told in done.stderr
    assert "free the address" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


# --- while it runs -----------------------------------------------------------------------------


def test_it_says_in_one_line_that_it_is_ready(shared: Served) -> None:
    assert shared.events("authorizer.ready") == [shared.ready]
    assert shared.ready.keys() == {
        "timestamp", "level", "event", "version", "listen", "admin", "routes", "rules",
        "enforcement",
    }  # fmt: skip
    assert (shared.ready["version"], shared.ready["routes"]) == (__version__, 2)
    assert shared.get("/health/ready").status == 200


@pytest.mark.parametrize("admin", [False, True])
def test_health(shared: Served, admin: bool) -> None:  # noqa: FBT001 - both listeners
    alive = shared.get("/health/alive", admin=admin)
    assert (alive.status, alive.json) == (200, {"status": "ok"})
    ready = shared.get("/health/ready", admin=admin)
    assert (ready.status, ready.json["status"]) == (200, "ok")
    assert [one["state"] for one in ready.json["pdp"]] == ["serving"]
    assert ready.json["rules"]["digest"] == shared.ready["rules"]
    assert ready.json["rules"]["last_error"] == []


def test_version_and_metrics(shared: Served) -> None:
    assert shared.get("/version").json == {"version": __version__}
    assert shared.metric("authorizer_rules_loaded") == 2
    assert shared.metric("authorizer_rules_last_reload_success") == 1
    assert shared.get("/metrics").status == 404  # not for Oathkeeper
    assert shared.get("/authorize", admin=True).status == 404


NO_CALL = ""
ANSWERS: list[tuple[bytes, int, str, str, bool]] = [
    # body, status, reason, route, was the PDP asked?
    (body(), 200, "policy_allow", "documents.item", True),
    (body("/orgs/globex/documents/1"), 403, "policy_deny", "documents.item", True),
    (body("/open"), 200, "route_allow", "open", False),
    (body("/nowhere"), 403, "no_route", "", False),
    (body(method="PUT"), 403, "method_not_mapped", "", False),
    (body("/orgs/acme/../documents"), 403, "ambiguous_url", "", False),
    (body(subject="bob"), 403, "principal_rejected", "documents.item", False),
    (body(extra=None), 403, "profile_mismatch", "documents.item", False),
    (body("/orgs/acme/documents/%EF%BF%BD"), 403, "mapping_failed", "documents.item", False),
    (b"{}", 400, "malformed_request", "", False),
]


@pytest.mark.parametrize(("asked", "status", "reason", "route", "called"), ANSWERS)
def test_each_answer_says_why_in_its_headers(
    shared: Served,
    asked: bytes,
    status: int,
    reason: str,
    route: str,
    called: bool,  # noqa: FBT001 - a table
) -> None:
    answer = shared.ask(asked)
    assert (answer.status, answer.reason) == (status, reason)
    assert answer.headers["X-Authorizer-Route"] == route
    assert bool(answer.headers["X-Cerbos-Call-Id"]) == called
    assert answer.headers["X-Decision-Id"]
    assert answer.json["decision_id"] == answer.headers["X-Decision-Id"]
    assert answer.json["reason"] == reason


def decision(served: Served, answer: Answer) -> dict[str, Any]:
    """Return the one event of the log that is about an answer."""
    identifier = answer.headers["X-Decision-Id"]

    def found() -> list[dict[str, Any]]:
        events = served.events("authorization.decision")
        return [event for event in events if event["decision_id"] == identifier]

    until(found)
    (event,) = found()
    return event


LOGGED = {
    "timestamp", "level", "event", "decision_id", "request_id", "route", "subject", "profile",
    "method", "host", "path", "checks", "outcome", "reason", "cerbos_call_id", "total_ms",
    "pdp_ms",
}  # fmt: skip


def test_a_decision_is_logged_with_these_keys_and_nothing_of_a_secret(shared: Served) -> None:
    mark = "zq7marker"
    extra = session(
        {"organization": "acme", "clearance": mark, "nested": {"deep": [mark]}, "auth": mark},
        identity={"metadata_public": {"note": mark}},
        expires_at="2099-01-01T00:00:00Z",
        id=mark,
        devices=[{"user_agent": mark}],
    )
    asked = body(
        f"/orgs/acme/documents/1?token={mark}",
        extra=extra,
        headers={"x-request-id": "request-1", "x-tenant": mark, "cookie": [mark]},
    )
    authorization = {"Authorization": f"Bearer {mark}", "Cookie": mark, "X-Other": mark}
    answer = shared.ask(asked, **authorization)
    assert answer.status == 200
    event = decision(shared, answer)
    assert event.keys() == LOGGED
    assert event["request_id"] == "request-1"
    assert (event["subject"], event["profile"], event["host"]) == ("ann", "kratos", "api.acme.test")
    assert event["path"] == "/orgs/acme/documents/1"
    assert event["checks"] == [{"kind": "document", "id": "1", "action": "view", "effect": "allow"}]
    assert (event["outcome"], event["reason"]) == ("allow", "policy_allow")
    assert event["cerbos_call_id"] == answer.headers["X-Cerbos-Call-Id"]
    assert event["total_ms"] >= event["pdp_ms"] > 0

    # The same marks where the answer is none: a session that is refused, a body that is none.
    said = [answer]
    for wrong in (
        body(extra={**extra, "active": False}),
        body(extra={**extra, "scope": mark}),
        body(extra={**extra, "expires_at": mark}),
        body(
            extra={**extra, "identity": {**extra["identity"], "metadata_public": {"roles": mark}}}
        ),
        body(unknown=mark),
        body(raw_path=[mark]),
        asked[:-1] + mark.encode(),
    ):
        said.append(shared.ask(wrong, **authorization))
        assert said[-1].status in (400, 403)
        assert decision(shared, said[-1]).keys() == LOGGED | {"detail"}
    for each in said:
        assert mark.encode() not in each.body
        assert mark not in str(each.headers)
    assert mark not in (shared.folder / "out").read_text()
    assert mark not in shared.stderr
    assert mark.encode() not in shared.get("/metrics", admin=True).body


def test_whatever_is_a_trait_is_no_pdp_error(shared: Served) -> None:
    """No name and no depth that a body may have makes the PDP refuse the question."""
    deep: Any = "x"
    for _ in range(28):
        deep = {"": deep}
    traits = {
        "organization": "acme",
        "auth": {"profile": "anonymous"},
        "": 1,
        " ": 2,
        "é\u2028": deep,
        "big": 10**300,
        "small": 5e-324,
        "nothing": None,
        "list": [[], {}, [None]],
    }
    extra = session(traits, expires_at="2099-01-01T00:00:00Z")
    assert shared.ask(body(extra=extra)).reason == "policy_allow"


# --- what it is told ---------------------------------------------------------------------------


def test_a_flag_wins_over_a_variable_and_that_over_the_file(start: Callable[..., Served]) -> None:
    by_file, by_variable, by_flag = (f"127.0.0.1:{free_port()}" for _ in range(3))
    config = EMBEDDED.replace("server: {listen: '127.0.0.1:0'}", f"server: {{listen: '{by_file}'}}")
    variable = {"AUTHORIZER__SERVER__LISTEN": by_variable}
    for arguments, environ, expected in (
        ((), {}, by_file),
        ((), variable, by_variable),
        (("--listen", by_flag), variable, by_flag),
    ):
        served = start(*arguments, config=config, **environ)
        assert served.ready["listen"] == expected
        assert served.get("/health/alive").status == 200
        assert served.stop() == 0


def test_rules_may_be_several_files_and_folders(start: Callable[..., Served], folder: Path) -> None:
    (folder / "more.yaml").write_text(
        "version: 1\nroutes: [{id: more, match: {path: /more, methods: [GET]}, effect: deny}]\n"
    )
    served = start("--rules", "rules", "--rules", "more.yaml")
    assert served.ready["routes"] == 3
    assert served.ask(body("/more")).reason == "route_deny"
    assert served.ask(body("/open")).reason == "route_allow"


@pytest.mark.parametrize("on_socket", [False, True])
def test_it_asks_a_pdp_that_runs_already(
    start: Callable[..., Served],
    pdp: Callable[..., CerbosServer],
    on_socket: bool,  # noqa: FBT001 - both kinds of target
) -> None:
    """A target on the command line displaces the embedded PDP of the file."""
    server = pdp(on_socket=on_socket)
    served = start("--pdp", server.address)
    assert served.ask().reason == "policy_allow"
    (health,) = served.get("/health/ready").json["pdp"]
    assert (health["endpoint"], health["state"]) == (server.address, "serving")
    server.kill()
    failed = served.ask()
    assert (failed.status, failed.reason) == (501, "pdp_unavailable")
    server.start()
    until(lambda: served.ask().reason == "policy_allow")
    assert served.get("/health/ready").status == 200


def test_a_pdp_on_another_machine_is_not_spoken_to_in_plaintext(folder: Path) -> None:
    done = run(folder, "serve", "--pdp", "192.0.2.1:3593")
    assert done.returncode == 2
    assert "error: --pdp: 192.0.2.1:3593 is on another machine" in done.stderr


def test_observing_everything_lets_a_deny_pass_and_says_so(start: Callable[..., Served]) -> None:
    served = start(AUTHORIZER__ENFORCEMENT="observe")
    for asked, would_be in (
        (body("/orgs/globex/documents/1"), "policy_deny"),
        (body("/nowhere"), "no_route"),
        (body("/a/../b"), "ambiguous_url"),
        (body(extra=None), "profile_mismatch"),
    ):
        answer = served.ask(asked)
        assert (answer.status, answer.reason) == (200, "observed")
        event = decision(served, answer)
        assert (event["would_be"]["outcome"], event["would_be"]["reason"]) == ("deny", would_be)
    assert served.ask(b"{}").status == 400


# --- what changes while it runs ----------------------------------------------------------------


def test_saved_rules_decide_and_broken_ones_do_not(
    start: Callable[..., Served], folder: Path
) -> None:
    served = start()
    rules = folder / "rules" / "a.yaml"
    before = served.get("/health/ready").json["rules"]
    assert served.ask(body("/open")).status == 200

    save(rules, RULES.replace("effect: allow", "effect: deny"))
    until(lambda: served.ask(body("/open")).reason == "route_deny")
    after = served.get("/health/ready").json["rules"]
    assert after["digest"] != before["digest"]
    assert after["loaded_at"] > before["loaded_at"]

    save(rules, RULES.replace("effect: allow", "efect: allow"))
    until(lambda: served.get("/health/ready").json["rules"]["last_error"])
    ready = served.get("/health/ready")
    assert ready.status == 200  # the last good ones decide
    (problem,) = ready.json["rules"]["last_error"]
    assert "a.yaml:9:5: unknown key `efect`" in problem
    assert ready.json["rules"]["digest"] == after["digest"]
    until(lambda: served.metric("authorizer_rules_last_reload_success") == 0)
    assert served.ask(body("/open")).reason == "route_deny"
    until(lambda: served.events("rules.reload_failed"))
    assert [event["line"] for event in served.events("rules.problem")] == [9]

    save(rules, RULES)
    until(lambda: served.ask(body("/open")).reason == "route_allow")
    until(lambda: served.metric("authorizer_rules_last_reload_success") == 1)
    assert served.get("/health/ready").json["rules"]["last_error"] == []


def test_hangup_is_a_reload_and_no_end(start: Callable[..., Served]) -> None:
    served = start()
    name = 'authorizer_rules_reloads_total{result="unchanged"}'
    before = served.metric(name)
    served.process.send_signal(signal.SIGHUP)
    until(lambda: served.metric(name) == before + 1)
    assert served.ask().reason == "policy_allow"


def test_a_changed_configuration_is_told_until_it_is_what_runs(
    start: Callable[..., Served], folder: Path
) -> None:
    served = start()
    config = folder / "authorizer.yaml"
    text = config.read_text()

    save(config, text + "enforcement: observe\n")
    until(lambda: served.get("/health/ready").json["config"]["changed"])
    assert served.metric("authorizer_config_changed") == 1
    until(lambda: served.events("config.changed"))
    assert served.get("/health/ready").status == 200

    save(config, text)
    until(lambda: not served.get("/health/ready").json["config"]["changed"])
    assert served.metric("authorizer_config_changed") == 0


def test_a_saved_policy_decides(start: Callable[..., Served], folder: Path) -> None:
    served = start()
    policy = folder / "policies" / "document.yaml"
    pid = served.embedded_pid
    assert served.ask().reason == "policy_allow"
    save(policy, DOCUMENTS.replace("EFFECT_ALLOW", "EFFECT_DENY"))
    until(lambda: served.ask().reason == "policy_deny")
    # A broken one does not: the last good one decides on.
    save(policy, DOCUMENTS.replace("EFFECT_ALLOW", "EFFECT_PERHAPS"))
    until(lambda: served.metric("authorizer_policies_last_reload_success") == 0)
    until(lambda: "EFFECT_PERHAPS" in (folder / "out").read_text())
    (problem,) = served.get("/health/ready").json["policies"]["last_error"]
    assert "document.yaml" in problem
    assert served.ask().reason == "policy_deny"
    save(policy, DOCUMENTS)
    until(lambda: served.ask().reason == "policy_allow")
    until(lambda: served.get("/health/ready").json["policies"]["last_error"] == [])
    assert served.metric("authorizer_policies_last_reload_success") == 1
    assert served.embedded_pid == pid


def test_an_embedded_pdp_that_dies_comes_back(start: Callable[..., Served]) -> None:
    served = start()
    pid = served.embedded_pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: gone(pid))
    until(lambda: served.ask().reason == "policy_allow")
    assert served.embedded_pid != pid


# --- how it ends -------------------------------------------------------------------------------


def test_a_question_in_flight_is_answered_before_it_ends(
    start: Callable[..., Served], pdp: Callable[..., CerbosServer]
) -> None:
    server = pdp()
    served = start("--pdp", server.address)
    assert served.ask().reason == "policy_allow"
    server.stop()
    answers: list[Answer] = []
    asking = threading.Thread(target=lambda: answers.append(served.ask()))
    asking.start()
    try:
        until(lambda: served.metric("authorizer_in_flight") == 1)
        served.process.send_signal(signal.SIGTERM)
        until(lambda: served.events("authorizer.draining"))
        until(lambda: served.get("/health/ready", admin=True).status == 503)
        # New questions are not taken; the one that is open is.
        until(lambda: not accepts(served))
        assert served.process.poll() is None
        assert answers == []
    finally:
        server.resume()
        asking.join(timeout=2 * PATIENCE)
    assert [(answer.status, answer.reason) for answer in answers] == [(200, "policy_allow")]
    assert served.process.wait(timeout=2 * PATIENCE) == 0
    assert served.events("authorizer.stopped")
    assert served.stderr == ""


def accepts(served: Served) -> bool:
    host, port = served.ready["listen"].rsplit(":", 1)
    with socket.socket() as client:
        return client.connect_ex((host, int(port))) == 0


def test_a_body_that_is_still_coming_is_waited_for(start: Callable[..., Served]) -> None:
    served = start(config=EMBEDDED.replace("0'}", "0', body_timeout: 30s}", 1))
    connection = served.connection()
    content = body()
    connection.putrequest("POST", "/authorize")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(content)))
    connection.endheaders(content[:10])
    # The next connection is served after this one was read.
    assert served.ask().status == 200
    served.process.send_signal(signal.SIGTERM)
    until(lambda: served.get("/health/ready", admin=True).status == 503)
    connection.send(content[10:])
    response = connection.getresponse()
    assert (response.status, response.getheader("X-Decision-Reason")) == (200, "policy_allow")
    assert response.getheader("Connection") == "close"
    response.read()
    connection.close()
    assert served.process.wait(timeout=2 * PATIENCE) == 0


def test_readiness_goes_down_before_the_port_does(start: Callable[..., Served]) -> None:
    served = start(config=EMBEDDED.replace("0'}", "0', drain_delay: 3s}", 1))
    served.process.send_signal(signal.SIGTERM)
    until(lambda: served.get("/health/ready").status == 503, within=2)
    assert "draining" in served.get("/health/ready").json["errors"]["server"]
    assert served.ask().reason == "policy_allow"
    assert served.get("/health/alive").status == 200
    assert served.process.wait(timeout=2 * PATIENCE) == 0
    assert not accepts(served)


@pytest.fixture
def signalling(folder: Path) -> Callable[[str], str]:
    """Return what makes a cerbos that sends its parent a signal before it starts."""

    def program(name: str) -> str:
        path = folder / "cerbos"
        path.write_text(f'#!/bin/sh\nkill -{name} $PPID\nexec "{find_cerbos()}" "$@"\n')
        path.chmod(0o700)
        return str(path)

    return program


def test_a_hangup_while_it_starts_is_not_its_end(
    start: Callable[..., Served], signalling: Callable[[str], str]
) -> None:
    served = start("--cerbos", signalling("HUP"))
    assert served.ask().reason == "policy_allow"


def test_asked_to_end_while_it_starts_it_ends_well(
    folder: Path, signalling: Callable[[str], str]
) -> None:
    done = run(folder, "serve", "--cerbos", signalling("TERM"))
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(folder.glob("authorizer-pdp-*"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_well_and_takes_its_pdp_along(
    start: Callable[..., Served], number: signal.Signals
) -> None:
    served = start()
    pid = served.embedded_pid
    served.process.send_signal(number)
    assert served.process.wait(timeout=2 * PATIENCE) == 0
    assert gone(pid)
    assert served.stderr == ""
    assert not list(served.folder.glob("authorizer-pdp-*"))


@pytest.mark.skipif(sys.platform != "linux", reason="its children are read from /proc")
def test_its_pdp_does_not_outlive_it(start: Callable[..., Served]) -> None:
    served = start()
    pid = served.embedded_pid
    served.kill()
    try:
        until(lambda: gone(pid))
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def test_what_it_writes_is_a_json_object_a_line(shared: Served) -> None:
    shared.ask(b"\xff\n{")
    lines = (shared.folder / "out").read_bytes().splitlines()
    assert lines
    for line in lines:
        event = json.loads(line)
        assert list(event)[:3] == ["timestamp", "level", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", event["timestamp"])
    assert shared.stderr == ""


def test_the_command_is_installed() -> None:
    assert os.access(COMMAND, os.X_OK)
