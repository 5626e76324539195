"""`authorizer serve --workers 2`, as processes, with a real PDP that both ask."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import socket
import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import pytest
import trustme
from polling import PATIENCE, eventually, until
from processes import children, gone
from served import EMBEDDED, RULES, Served, body, prepare, run, save
from serving import Wire, post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.integration

CALLERS: Final = 8
DECISIONS: Final = (
    'authorizer_decisions_total{outcome="allow",reason="policy_allow",route="documents.item"}'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return prepare(tmp_path, with_keys())


def with_keys(keys: str = "", config: str = EMBEDDED) -> str:
    """Return a configuration with two workers and more keys of `server`."""
    more = f"'127.0.0.1:0', workers: 2{', ' if keys else ''}{keys}}}"
    return config.replace("'127.0.0.1:0'}", more, 1)


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Served]]:
    started = []

    def start(config: str = "") -> Served:
        if config:
            (folder / "authorizer.yaml").write_text(config)
        served = Served(folder)
        started.append(served)
        served.start()
        return served

    yield start
    for served in started:
        if served.process.poll() is None:
            served.end()


@dataclass
class Load:
    """What came of asking all the time."""

    statuses: list[int] = field(default_factory=list)
    lost: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


async def connect(served: Served) -> Wire:
    host, port = served.ready["listen"].rsplit(":", 1)
    return Wire(*await asyncio.open_connection(host, int(port)))


async def ask_on(served: Served, load: Load) -> None:
    """Ask on one connection, until it is over or the answer says that the connection is."""
    question = post(body())
    async with await connect(served) as wire:
        while not load.over.is_set():
            wire.send(question)
            answer = await wire.answer()
            load.statuses.append(answer.status)
            if answer.headers.get("connection") == "close":
                return


async def ask(served: Served, load: Load) -> None:
    """Ask on a connection, and on a new one where that breaks."""
    while not load.over.is_set():
        try:
            await ask_on(served, load)
        except (OSError, EOFError):
            load.lost += 1


@contextlib.asynccontextmanager
async def loaded(served: Served, caller: Callable[..., object] = ask) -> AsyncIterator[Load]:
    """Have several callers ask all the time, each on connections that it keeps."""
    load = Load()
    async with asyncio.TaskGroup() as callers:
        for _ in range(CALLERS):
            callers.create_task(caller(served, load))  # type: ignore[arg-type] # a coroutine
        await asked(load, 100)
        yield load
        load.over.set()


async def asked(load: Load, more: int) -> None:
    enough = len(load.statuses) + more
    await eventually(lambda: len(load.statuses) >= enough)


def test_two_processes_decide_and_ask_one_pdp(start: Callable[..., Served]) -> None:
    served = start()
    assert served.ready["workers"] == 2
    pids = served.worker_pids()
    assert set(pids) == {1, 2}
    others = set(children(served.process.pid)) - set(pids.values())
    assert len(others) == 1  # the PDP
    until(lambda: served.ask().status == 200 and served.decisions_of(1) and served.decisions_of(2))
    ready = served.get("/health/ready", admin=True)
    assert ready.json["workers"] == {"ready": 2, "wanted": 2}
    assert len(ready.json["pdp"]) == 1
    assert served.get("/health/alive", admin=True).status == 200
    assert served.get("/health/ready").status == 200
    until(lambda: served.metric(DECISIONS) == served.decisions_of(1) + served.decisions_of(2))
    assert served.metric("authorizer_workers_ready") == 2
    assert served.metric("authorizer_rules_loaded") == 2
    assert served.stop() == 0
    until(lambda: all(gone(pid) for pid in (*pids.values(), *others)))
    assert served.stderr == ""


async def test_one_that_is_killed_under_load_is_replaced_and_takes_only_its_own_requests(
    start: Callable[..., Served],
) -> None:
    """And what it had counted is not taken back."""
    served = await asyncio.to_thread(start)
    pid = served.worker_pids()[1]
    async with loaded(served) as load:
        before = await asyncio.to_thread(served.metric, DECISIONS)
        served.kill_one(pid)
        await eventually(lambda: gone(pid))
        counted = [before]
        while len(served.events("worker.ready")) < 3:
            counted.append(await asyncio.to_thread(served.metric, DECISIONS))
            assert await asyncio.to_thread(is_ready, served)
        await asked(load, 300)
        counted.append(await asyncio.to_thread(served.metric, DECISIONS))
    assert counted == sorted(counted)
    assert set(load.statuses) == {200}
    assert load.lost <= CALLERS
    (exited,) = served.events("worker.exited")
    assert (exited["number"], exited["pid"], exited["status"]) == (1, pid, -signal.SIGKILL)
    assert served.metric("authorizer_worker_exits_total") == 1
    assert served.worker_pids()[1] != pid
    assert served.stop() == 0


def is_ready(served: Served) -> bool:
    return served.get("/health/ready", admin=True).status == 200


async def ask_until_turned_away(served: Served, load: Load) -> None:
    """Ask, on a new connection where the answer says so, until none is to be had.

    One is lost where an answer said that its connection is kept, and the next does not come. A new
    one that is reset was at the address when it was closed: nobody has read what it asks.
    """
    while True:
        kept = False
        try:
            async with await connect(served) as wire:
                while True:
                    wire.send(post(body()))
                    answer = await wire.answer()
                    load.statuses.append(answer.status)
                    if answer.headers.get("connection") == "close":
                        break
                    kept = True
        except (ConnectionError, EOFError):
            load.lost += kept
            return


async def test_sigterm_under_load_loses_no_request(start: Callable[..., Served]) -> None:
    """Whoever comes back is answered until the address is closed, and is turned away after that."""
    served = await asyncio.to_thread(start, with_keys("drain_delay: 500ms"))
    async with loaded(served, ask_until_turned_away) as load:
        served.process.send_signal(signal.SIGTERM)
        await eventually(lambda: served.events("authorizer.draining"))
        assert not await asyncio.to_thread(is_ready, served)
    assert await asyncio.to_thread(served.process.wait, 2 * PATIENCE) == 0
    assert load.lost == 0
    assert set(load.statuses) == {200}
    assert served.events("authorizer.stopped")
    assert served.stderr == ""


async def test_nobody_new_is_let_in_while_what_is_open_is_answered(
    start: Callable[..., Served],
) -> None:
    """A connection that is accepted and never answered would be a hang instead of a refusal."""
    keys = with_keys("body_timeout: 30s, drain_timeout: 30s")
    served = await asyncio.to_thread(start, keys)
    question = post(body())
    async with await connect(served) as wire:
        wire.send(question[:-1])
        await eventually(lambda: served.metric("authorizer_connections") == 1)
        served.process.send_signal(signal.SIGTERM)
        await eventually(lambda: refused(served))
        assert served.process.poll() is None
        wire.send(question[-1:])
        assert (await wire.answer()).status == 200
    assert await asyncio.to_thread(served.process.wait, 2 * PATIENCE) == 0
    assert not served.events("workers.killed")


def refused(served: Served) -> bool:
    host, port = served.ready["listen"].rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE).close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # at the address when it was closed
        return False
    return False


async def test_one_that_is_told_to_end_loses_no_request_and_is_replaced(
    start: Callable[..., Served],
) -> None:
    """The address is the other one's, too: who is told to come back is answered there.

    Whoever asks is told so before it goes.
    """
    served = await asyncio.to_thread(start, with_keys("drain_delay: 1s"))
    pid = served.worker_pids()[2]
    async with loaded(served) as load:
        served.kill_one(pid, signal.SIGTERM)
        await eventually(lambda: len(served.events("worker.ready")) == 3)
        await asked(load, 300)
    assert load.lost == 0
    assert set(load.statuses) == {200}
    assert served.stop() == 0


def test_a_second_signal_ends_it_at_once(start: Callable[..., Served]) -> None:
    served = start(with_keys("drain_delay: 60s"))
    pids = children(served.process.pid)
    served.process.send_signal(signal.SIGINT)
    until(lambda: served.events("authorizer.draining"))
    assert served.stop() == 0
    assert served.events("workers.killed")
    assert all(gone(pid) for pid in pids)


def test_rules_are_read_again_by_all(start: Callable[..., Served], folder: Path) -> None:
    """A saved set, a broken one, which is told of once, and SIGHUP."""
    served = start()
    rules = folder / "rules" / "a.yaml"

    def told(event: str) -> set[int]:
        return {told["worker"] for told in served.events(event)}

    save(rules, RULES.replace("effect: allow", "effect: deny"))
    until(lambda: told("rules.reloaded") == {1, 2})
    assert {served.ask(body("/open")).status for _ in range(8)} == {403}
    served.process.send_signal(signal.SIGHUP)
    until(lambda: told("rules.unchanged") == {1, 2})
    save(rules, RULES.replace("effect: allow", "efect: allow"))
    until(lambda: told("rules.reload_failed") == {1, 2})
    ready = served.get("/health/ready", admin=True)
    assert ready.status == 200
    assert len(ready.json["rules"]["last_error"]) == 1
    assert served.metric("authorizer_rules_last_reload_success") == 0
    assert {served.ask(body("/open")).status for _ in range(8)} == {403}
    assert served.stop() == 0


def test_what_the_supervisor_sees_the_workers_know(
    start: Callable[..., Served], folder: Path
) -> None:
    """Policies and the configuration are followed by one; each one's detail says what it knows."""
    served = start()
    policy = folder / "policies" / "document.yaml"
    policy.write_text("no policy")
    config = folder / "authorizer.yaml"
    save(config, config.read_text() + "enforcement: observe\n")

    def known(*, admin: bool) -> bool:
        detail = served.get("/health/ready", admin=admin).json
        return bool(detail["policies"]["last_error"]) and detail["config"]["changed"]

    until(lambda: known(admin=True) and all(known(admin=False) for _ in range(8)))
    assert served.metric("authorizer_policies_last_reload_success") == 0
    assert served.metric("authorizer_config_changed") == 1
    # One that comes later has the same settings, and knows the same.
    served.kill_one(served.worker_pids()[1], signal.SIGKILL)
    until(lambda: len(served.events("worker.ready")) == 3)
    assert all(known(admin=False) for _ in range(16))  # by whichever of the two
    assert served.ask(body("/nowhere")).status == 403
    assert served.stop() == 0


def test_nothing_is_left_of_it_when_it_is_killed(start: Callable[..., Served]) -> None:
    served = start()
    pids = children(served.process.pid)
    assert len(pids) == 3
    served.kill()
    until(lambda: all(gone(pid) for pid in pids))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("authorizer.yaml", with_keys("deadlin: 1s"), "unknown key `deadlin`"),
        ("rules/a.yaml", RULES.replace("effect: allow", "efect: allow"), "unknown key `efect`"),
        ("policies/document.yaml", "no policy", "policies/document.yaml"),
    ],
)
def test_what_is_wrong_is_told_once(folder: Path, file: str, text: str, said: str) -> None:
    (folder / file).write_text(text)
    done = run(folder, "serve")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: ")
    assert said in line
    assert "worker" not in done.stdout


@pytest.mark.parametrize("key", ["server", "admin"])
def test_a_port_that_is_taken_is_told_once(folder: Path, key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        flag = {"server": "--listen", "admin": "--admin-listen"}[key]
        done = run(folder, "serve", flag, address)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"`{key}.listen`: cannot listen on {address}: Address already in use" in line


def test_tls_is_spoken_by_all(start: Callable[..., Served], folder: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    certificate.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    certificate.private_key_pem.write_to_path(folder / "tls.key")
    (folder / "tls.key").chmod(0o600)
    served = start(with_keys("tls: {certificate: tls.crt, key: tls.key}"))
    context = ssl.create_default_context()
    authority.configure_trust(context)
    host, port = served.ready["listen"].rsplit(":", 1)

    def ask_once() -> None:
        with (
            socket.create_connection((host, int(port))) as plain,
            context.wrap_socket(plain, server_hostname=host) as wire,
        ):
            wire.sendall(post(body()))
            assert wire.recv(12) == b"HTTP/1.1 200"

    def asked_both() -> bool:
        ask_once()
        return bool(served.decisions_of(1) and served.decisions_of(2))

    until(asked_both)
    with socket.create_connection((host, int(port))) as no_tls:
        no_tls.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert no_tls.recv(1) == b""
    ask_once()
    assert served.stop() == 0
    assert served.stderr == ""


def test_every_line_of_the_log_says_whose_it_is(start: Callable[..., Served]) -> None:
    served = start()
    until(lambda: served.ask().status == 200 and served.decisions_of(1) and served.decisions_of(2))
    assert served.stop() == 0
    events = list(map(json.loads, (served.folder / "out").read_text().splitlines()))
    ours = [event for event in events if event["event"].startswith(("authorizer.", "worker."))]
    assert not any("worker" in event for event in ours)
    assert {event["worker"] for event in events if event not in ours} == {1, 2}


async def test_who_is_dealt_to_one_that_is_stopped_is_answered_by_the_other(
    start: Callable[..., Served],
) -> None:
    """A connection each time, of which the kernel gives every other one to either."""
    served = await asyncio.to_thread(start)
    pid = served.worker_pids()[1]
    served.kill_one(pid, signal.SIGSTOP)
    try:
        for _ in range(16):
            assert (await asyncio.to_thread(served.ask)).status == 200
    finally:
        served.kill_one(pid, signal.SIGCONT)
    assert served.decisions_of(1) == 0
    assert await asyncio.to_thread(served.stop) == 0


async def test_a_cache_is_not_said_to_be_empty_while_one_that_decides_has_not_heard(
    start: Callable[..., Served], folder: Path
) -> None:
    served = await asyncio.to_thread(start)
    pids = served.worker_pids()
    clear = "cache", "clear", "--admin-listen", served.ready["admin"]
    served.kill_one(pids[1], signal.SIGSTOP)
    try:
        served.kill_one(pids[2])  # the one that takes its place answers, and is no answer of 1's
        await eventually(lambda: gone(pids[2]))
        unsure = await asyncio.to_thread(run, folder, *clear)
        assert (unsure.returncode, unsure.stdout) == (1, "")
        assert "not every worker" in unsure.stderr
    finally:
        served.kill_one(pids[1], signal.SIGCONT)
    cleared = await asyncio.to_thread(run, folder, *clear)
    assert (cleared.returncode, cleared.stdout) == (0, "forgotten\n")
    assert await asyncio.to_thread(served.stop) == 0
