"""A real PDP of our own: it starts, follows its policies, comes back, and goes when we go."""

# ruff: noqa: ANN401, ASYNC240 - plain data of any shape; a test's own files are quick

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from pdpquestions import ask, document, effects, until_it_says
from polling import PATIENCE, eventually, until
from processes import gone

from authorizer.backoff import Backoff
from authorizer.config.addresses import UnixAddress
from authorizer.errors import ConfigError, PdpError, PdpUnavailable
from authorizer.model import Effect
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.pdp.embedded import EmbeddedPdp, PoliciesState
from authorizer.pdp.interface import PdpState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

pytestmark = pytest.mark.integration

Running = tuple[EmbeddedPdp, CerbosPdp]


@pytest.fixture(autouse=True)
def private(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory in which the private one of each embedded PDP is made."""
    directory = folder / "t"
    directory.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(directory))
    return directory


@pytest.fixture
def log() -> Any:
    with structlog.testing.capture_logs() as entries:
        yield entries


@asynccontextmanager
async def run(policies: Path, cerbos: Path, **options: Any) -> AsyncIterator[Running]:
    async with (
        EmbeddedPdp(policies, cerbos=cerbos, **options) as embedded,
        CerbosPdp(embedded.target) as pdp,
    ):
        yield embedded, pdp


def save(path: Path, text: str) -> None:
    """Save as editors do: beside it, then over it."""
    beside = path.with_suffix(".tmp")
    beside.write_text(text)
    beside.replace(path)


def swap_effect(policies: Path) -> None:
    """Allow what was denied, and deny what was allowed."""
    path = policies / "document.yaml"
    text = path.read_text()
    allows = "EFFECT_ALLOW" in text
    old, new = ("EFFECT_ALLOW", "EFFECT_DENY") if allows else ("EFFECT_DENY", "EFFECT_ALLOW")
    save(path, text.replace(old, new))


def listening_on(pid: int) -> list[str]:
    """Return the TCP addresses on which the process listens, as /proc has them."""
    mine = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            mine.add(str(entry.readlink()))
        except OSError:
            continue
    found = []
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            columns = row.split()
            if columns[3] == "0A" and f"socket:[{columns[9]}]" in mine:
                found.append(columns[1])
    return found


async def test_it_decides_when_start_returns(cerbos: Path, policies: Path) -> None:
    async with run(policies, cerbos) as (embedded, pdp):
        assert await effects(pdp) == [Effect.ALLOW]
        (health,) = await pdp.health(timeout=PATIENCE)
        assert health.state is PdpState.SERVING
        assert embedded.has_been_serving
        assert embedded.policies.ok
        assert embedded.policies.loaded_at > 0
        assert embedded.restarts == 0


@pytest.mark.parametrize(
    ("lenient", "effect"), [(False, Effect.DENY), (True, Effect.ALLOW)], ids=["strict", "lenient"]
)
async def test_a_scope_without_a_policy_is_decided_above_it_only_where_that_is_asked_for(
    cerbos: Path, policies: Path, *, lenient: bool, effect: Effect
) -> None:
    async with run(policies, cerbos, lenient_scope_search=lenient) as (_, pdp):
        assert await effects(pdp, document(scope="acme.north")) == [effect]


async def test_only_we_can_reach_it(cerbos: Path, policies: Path, private: Path) -> None:
    """No TCP port, and sockets that are ours alone in a directory that is ours alone."""
    async with run(policies, cerbos) as (embedded, _):
        (directory,) = private.iterdir()
        assert embedded.target == UnixAddress(str(directory / "grpc.sock"))
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        for name in ("grpc.sock", "http.sock"):
            assert stat.S_IMODE((directory / name).stat().st_mode) == 0o600
        assert embedded.pid is not None
        if sys.platform == "linux":
            assert listening_on(embedded.pid) == []
            with socket.create_server(("127.0.0.1", 0)):  # the check can see a listener
                assert len(listening_on(os.getpid())) == 1


async def test_nothing_is_left_after_close(cerbos: Path, policies: Path, private: Path) -> None:
    async with run(policies, cerbos) as (embedded, _):
        pid = embedded.pid
    assert pid is not None
    assert gone(pid)
    assert list(private.iterdir()) == []
    assert embedded.pid is None
    await embedded.close()


def script(folder: Path, text: str) -> Path:
    path = folder / "wrapper"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return path


async def test_what_a_wrapper_runs_ends_with_it(cerbos: Path, policies: Path, folder: Path) -> None:
    """A script in place of `cerbos` need not `exec`: nothing that it started is left."""
    pid_file = folder / "pid"
    # The compiler is run through the script too; only the server goes into the background.
    text = (
        f'[ "$1" = server ] || exec "{cerbos}" "$@"\n"{cerbos}" "$@" & echo $! > {pid_file}; wait'
    )
    async with run(policies, script(folder, text)) as (_, pdp):
        assert await effects(pdp) == [Effect.ALLOW]
        pid = int(pid_file.read_text())
        assert not gone(pid)
    await eventually(lambda: gone(pid))


async def test_a_program_that_never_serves_is_given_up(policies: Path, folder: Path) -> None:
    """Though what it started holds its pipes open."""
    pid_file = folder / "pid"
    wrapper = script(folder, f"sleep 600 & echo $! > {pid_file}; wait")
    embedded = EmbeddedPdp(policies, cerbos=wrapper)
    async with asyncio.timeout(15):
        with pytest.raises(PdpUnavailable, match="did not serve within"):
            await embedded.start(timeout=0.5)
    await eventually(lambda: gone(int(pid_file.read_text())))


async def test_a_saved_policy_decides_the_next_request(cerbos: Path, policies: Path) -> None:
    heard: list[PoliciesState] = []
    async with run(policies, cerbos, on_policies=heard.append) as (embedded, pdp):
        loaded = embedded.policies.loaded_at
        pid = embedded.pid
        swap_effect(policies)
        await until_it_says(pdp, Effect.DENY)
        swap_effect(policies)
        await until_it_says(pdp, Effect.ALLOW)
        # It decides with the new set a moment before we have heard so.
        await eventually(lambda: len(heard) >= 3)
        assert embedded.policies.loaded_at > loaded
        assert embedded.pid == pid
        assert all(state.ok for state in heard)


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ("bad: [\n", "sequence end"),
        (
            # Cerbos's own reload answers OK to this one, and goes on with what it had.
            """
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: folder
  rules:
    - actions: [view]
      effect: EFFECT_ALLOW
      roles: [user]
      condition: {match: {expr: "nope(1)"}}
""",
            "nope",
        ),
    ],
)
async def test_a_broken_policy_leaves_the_last_good_set_deciding_and_is_seen(
    cerbos: Path, policies: Path, log: list[Any], broken: str, why: str
) -> None:
    heard: list[PoliciesState] = []
    async with run(policies, cerbos, on_policies=heard.append) as (embedded, pdp):
        loaded = embedded.policies.loaded_at
        save(policies / "broken.yaml", broken)
        await eventually(lambda: not embedded.policies.ok)
        (problem,) = embedded.policies.problems
        assert problem.source == str(policies / "broken.yaml")
        assert problem.line > 0
        assert why in problem.message
        assert embedded.policies.loaded_at == loaded
        assert not heard[-1].ok
        assert await effects(pdp) == [Effect.ALLOW]
        (refused,) = [entry for entry in log if entry["event"] == "pdp.policies_refused"]
        assert refused["log_level"] == "error"
        assert refused["problems"] == [str(problem)]
        (policies / "broken.yaml").unlink()
        await eventually(lambda: embedded.policies.ok)
        assert await effects(pdp) == [Effect.ALLOW]


async def test_what_cerbos_refuses_after_it_said_yes_is_seen_too(
    cerbos: Path, policies: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is saved between our check and its reading is found by its own complaint."""

    async def no_problems(*_: Any, **__: Any) -> tuple[()]:
        return ()

    monkeypatch.setattr("authorizer.pdp.embedded.compile_policies", no_problems)
    async with run(policies, cerbos) as (embedded, pdp):
        path = policies / "document.yaml"
        text = path.read_text()
        save(path, text.replace("R.attr.organization", "nope()"))
        await eventually(lambda: not embedded.policies.ok)
        assert "nope" in embedded.policies.problems[0].message
        assert await effects(pdp) == [Effect.ALLOW]


async def test_a_configmaps_swap_is_a_saved_policy(cerbos: Path, folder: Path) -> None:
    """Kubernetes swaps a symbolic link beside links that go through it."""
    mounted = folder / "mounted"
    for name, effect in (("..one", "EFFECT_ALLOW"), ("..two", "EFFECT_DENY")):
        (mounted / name).mkdir(parents=True)
        (mounted / name / "document.yaml").write_text(DOCUMENT.format(effect=effect))
    (mounted / "..data").symlink_to("..one")
    (mounted / "document.yaml").symlink_to("..data/document.yaml")
    async with run(mounted, cerbos) as (_, pdp):
        assert await effects(pdp) == [Effect.ALLOW]
        (mounted / "..new").symlink_to("..two")
        (mounted / "..new").replace(mounted / "..data")
        await until_it_says(pdp, Effect.DENY)


DOCUMENT = """
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  version: default
  resource: document
  rules:
    - {{actions: [view], effect: {effect}, roles: [user]}}
"""


async def test_a_directory_that_goes_and_comes_back_is_followed(
    cerbos: Path, folder: Path, policies: Path
) -> None:
    aside = folder / "aside"
    async with run(policies, cerbos) as (embedded, pdp):
        policies.rename(aside)
        await eventually(lambda: not embedded.policies.ok)
        assert await effects(pdp) == [Effect.ALLOW]
        swap_effect(aside)
        shutil.copytree(aside, policies)
        await until_it_says(pdp, Effect.DENY)
        await eventually(lambda: embedded.policies.ok)
        swap_effect(policies)
        await until_it_says(pdp, Effect.ALLOW)


async def test_a_schema_that_a_policy_names_is_enforced(cerbos: Path, policies: Path) -> None:
    schemas = policies / "_schemas"
    schemas.mkdir()
    schema = {"type": "object", "properties": {"organization": {"type": "number"}}}
    (schemas / "document.json").write_text(json.dumps(schema))
    named = "  schemas: {resourceSchema: {ref: cerbos:///document.json}}\n"
    path = policies / "document.yaml"
    path.write_text(path.read_text() + named)
    async with run(policies, cerbos) as (_, pdp):
        (result,) = (await ask(pdp)).results
        assert result.effect is Effect.DENY
        assert result.validation_errors == ("resource /organization",)


async def test_a_path_with_odd_characters_is_a_path(cerbos: Path, folder: Path) -> None:
    odd = folder / "a $HOME ${x} 'é"
    odd.mkdir()
    (odd / "document.yaml").write_text(DOCUMENT.format(effect="EFFECT_ALLOW"))
    async with run(odd, cerbos) as (_, pdp):
        assert await effects(pdp) == [Effect.ALLOW]


async def test_a_child_that_dies_is_started_again_where_it_was(
    cerbos: Path, policies: Path, log: list[Any]
) -> None:
    async with run(policies, cerbos) as (embedded, pdp):
        target, pid = embedded.target, embedded.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: embedded.restarts == 1)
        await until_it_says(pdp, Effect.ALLOW)
        assert embedded.target == target
        assert embedded.pid not in {None, pid}
        assert [e["status"] for e in log if e["event"] == "pdp.exited"] == [-signal.SIGKILL]
        swap_effect(policies)
        await until_it_says(pdp, Effect.DENY)


async def test_after_a_death_with_broken_policies_it_waits_for_good_ones(
    cerbos: Path, policies: Path
) -> None:
    # By the clock alone it would not be tried again before the test ends.
    patient = Backoff(first=3600, cap=3600)
    async with run(policies, cerbos, backoff=patient) as (embedded, pdp):
        save(policies / "broken.yaml", "bad: [\n")
        await eventually(lambda: not embedded.policies.ok)
        assert embedded.pid is not None
        os.kill(embedded.pid, signal.SIGKILL)
        await eventually(lambda: embedded.pid is None)
        with pytest.raises(PdpError):
            await ask(pdp)
        (policies / "broken.yaml").unlink()
        await until_it_says(pdp, Effect.ALLOW)
        await eventually(lambda: embedded.policies.ok)


async def test_a_broken_policy_at_start_is_a_configuration_error_with_its_place(
    cerbos: Path, policies: Path, private: Path
) -> None:
    path = policies / "document.yaml"
    path.write_text(path.read_text().replace("R.attr.organization", "nope()"))
    embedded = EmbeddedPdp(policies, cerbos=cerbos)
    with pytest.raises(ConfigError, match="nope") as caught:
        await embedded.start()
    assert caught.value.problems[0].source == str(path)
    assert caught.value.problems[0].line == 13
    assert not embedded.has_been_serving
    assert list(private.iterdir()) == []


async def test_a_directory_that_is_not_there_is_a_configuration_error(
    cerbos: Path, folder: Path
) -> None:
    with pytest.raises(ConfigError, match="no such file"):
        await EmbeddedPdp(folder / "nowhere", cerbos=cerbos).start()


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


async def test_a_program_that_fails_is_quoted(folder: Path, policies: Path) -> None:
    failing = program(
        folder / "cerbos", '[ "$1" = compile ] && exit 0; echo "out of cheese" >&2; exit 9'
    )
    with pytest.raises(PdpUnavailable, match="exited with status 9: out of cheese"):
        await EmbeddedPdp(policies, cerbos=failing).start()


async def test_a_program_that_fails_without_a_word_is_blamed_rather_than_the_policies(
    folder: Path, policies: Path
) -> None:
    failing = program(folder / "cerbos", "exit 1")
    with pytest.raises(ConfigError, match="without a word") as caught:
        await EmbeddedPdp(policies, cerbos=failing).start()
    assert [problem.source for problem in caught.value.problems] == [str(failing)]


async def test_what_the_error_says_of_policies_is_not_said_before_it(
    cerbos: Path, policies: Path, log: list[Any]
) -> None:
    (policies / "document.yaml").write_text("bad: [\n")
    with pytest.raises(ConfigError):
        await EmbeddedPdp(policies, cerbos=cerbos).start()
    assert log == []


async def test_what_it_warns_of_before_it_serves_is_told_once_it_does(
    cerbos: Path, policies: Path, folder: Path, log: list[Any]
) -> None:
    warning = program(folder / "cerbos", f'echo "out of cheese" >&2; exec {cerbos} "$@"')
    async with run(policies, warning):
        told = [entry["event"] for entry in log if entry["component"] == "cerbos"]
        assert "out of cheese" in told


async def test_a_program_that_never_serves_is_given_up_and_ended(
    folder: Path, policies: Path
) -> None:
    pid_file = folder / "pid"
    hanging = program(folder / "cerbos", f"trap '' TERM; echo $$ > {pid_file}; exec sleep 600")
    with pytest.raises(PdpUnavailable, match=r"did not serve within 0.3 s"):
        await EmbeddedPdp(policies, cerbos=hanging).start(timeout=0.3)
    if pid_file.exists():
        assert gone(int(pid_file.read_text()))


async def test_its_log_lines_are_ours(folder: Path, policies: Path, log: list[Any]) -> None:
    line = json.dumps(
        {"log.level": "error", "log.logger": "cerbos.x", "message": "m", "error": "e"}
    )
    long = "head -c 1200000 /dev/zero | tr '\\0' x; echo"
    talking = program(
        folder / "cerbos",
        f"[ $1 = compile ] && exit 0; {long}; echo '{line}'; echo plain >&2; exit 3",
    )
    with pytest.raises(PdpUnavailable):
        await EmbeddedPdp(policies, cerbos=talking).start()
    told = {entry["event"]: entry for entry in log if entry["component"] == "cerbos"}
    assert told["m"] == {
        "event": "m",
        "log_level": "error",
        "component": "cerbos",
        "part": "cerbos.x",
        "error": "e",
    }
    assert told["plain"]["log_level"] == "warning"
    assert any("mebibyte" in event for event in told)


async def test_no_room_for_a_socket_says_what_to_do(
    folder: Path, policies: Path, cerbos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = folder / ("x" * 100)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with pytest.raises(ConfigError, match="set TMPDIR"):
        await EmbeddedPdp(policies, cerbos=cerbos).start()
    assert list(deep.iterdir()) == []


SERVE = """
import asyncio, sys
from pathlib import Path
from authorizer.pdp.embedded import EmbeddedPdp

async def main(policies, cerbos, pid_file):
    async with EmbeddedPdp(Path(policies), cerbos=Path(cerbos)) as pdp:
        Path(pid_file).write_text(str(pdp.pid))
        await asyncio.sleep(600)

if sys.argv.pop(1) == "uvloop":
    import uvloop
    uvloop.run(main(*sys.argv[1:]))
else:
    asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_it_does_not_outlive_us_when_we_are_killed(
    cerbos: Path, folder: Path, policies: Path, loop: str
) -> None:
    pid_file = folder / "pid"
    arguments = [str(policies), str(cerbos), str(pid_file)]
    environment = {**os.environ, "TMPDIR": str(folder)}
    us = subprocess.Popen([sys.executable, "-c", SERVE, loop, *arguments], env=environment)
    try:
        until(lambda: pid_file.exists() and pid_file.read_text())
        pid = int(pid_file.read_text())
        assert not gone(pid)
    finally:
        us.kill()
        us.wait()
    until(lambda: gone(pid))
