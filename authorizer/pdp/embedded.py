"""A Cerbos PDP as our child process, on a Unix socket in a private directory."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import bcrypt
import structlog
from cerbos.request.v1 import request_pb2

from authorizer import tether
from authorizer.backoff import Backoff
from authorizer.config.addresses import parse_target
from authorizer.errors import ConfigError, PdpUnavailable, Problem
from authorizer.pdp.channel import ask_health, describe, open_channel
from authorizer.pdp.childlog import ChildLine, read_line
from authorizer.pdp.compilation import NO_CERBOS, compile_policies
from authorizer.pdp.interface import PdpState
from authorizer.pdp.privatefolder import PrivateFolder
from authorizer.pdp.serverconfig import child_environment, server_config
from authorizer.rpc.status import CallFailed, Code
from authorizer.source.watch import changes, fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from authorizer.config.addresses import Address
    from authorizer.rpc.channel import Channel
    from authorizer.source.watch import Fingerprint

_ADMIN: Final = "authorizer"
# bcrypt's least, 1 ms: the password is random and long, and every reload pays for the hash.
_BCRYPT_ROUNDS: Final = 4
_LONGEST_LINE: Final = 1024 * 1024
_START_SECONDS: Final = 20.0
_STOP_SECONDS: Final = 3.0
_RELOAD: Final = "/cerbos.svc.v1.CerbosAdminService/ReloadStore"
_RELOAD_SECONDS: Final = 30.0
_PROBE_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.01
# The part of Cerbos that says that policies which it took do not work after all.
_RULE_TABLE: Final = "cerbos.ruletable"


@dataclass(frozen=True, slots=True)
class PoliciesState:
    """What became of the newest attempt to load the policies.

    `loaded_at` is the Unix time in seconds of the last good one (0.0: none yet); `problems` say
    why the newest was refused, and are empty when it was not.
    """

    loaded_at: float = 0.0
    problems: tuple[Problem, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether what is on disk is what decides."""
        return not self.problems


class EmbeddedPdp:
    """Runs `cerbos` on a directory of policies, for as long as we live and no longer.

    Saved policies are compiled aside and then loaded, all or nothing: a broken set leaves the last
    good one deciding, is logged as an error and stays in `policies`. A child that dies is started
    again; it can only load what is on disk then, and while that is broken nothing decides.

    The PDP is strict (an error in a condition denies) and rejects what does not fit the schema that
    a policy names. Whoever wants to configure more runs a PDP of his own.
    """

    def __init__(
        self,
        policies: Path,
        *,
        cerbos: Path,
        lenient_scope_search: bool = False,
        key_sets: Mapping[str, str] | None = None,
        backoff: Backoff = Backoff(),  # noqa: B008 - immutable
        on_policies: Callable[[PoliciesState], None] = lambda _: None,
    ) -> None:
        """Prepare; nothing runs before `start`. `on_policies` hears of every attempt to load.

        With `lenient_scope_search`, a scope without a policy is decided by the nearest above it.
        `key_sets` has the URL or the path of the JWKS by the id that verifies `AuxData`.
        """
        self.policies = PoliciesState()
        self.has_been_serving = False
        self.restarts = 0
        self._directory: Final = policies.absolute()
        self._cerbos: Final = cerbos
        self._lenient_scope_search: Final = lenient_scope_search
        self._key_sets: Final = key_sets or {}
        self._backoff: Final = backoff
        self._on_policies: Final = on_policies
        self._log: Final = structlog.get_logger(component="pdp")
        self._cerbos_log: Final = structlog.get_logger(component="cerbos")
        self._environment: Final = child_environment(dict(os.environ))
        self._last_words: Final[deque[str]] = deque(maxlen=5)
        # What it says before it serves for the first time: not told where it is about policies
        # that a ConfigError tells of.
        self._first_words: Final[list[ChildLine]] = []
        self._saved_while_down: Final = asyncio.Event()
        self._reloading: Final = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._private: PrivateFolder | None = None
        self._target: Address | None = None
        self._child: _Child | None = None
        self._channel: Channel | None = None
        self._authorization = ""
        self._complaints = 0

    @property
    def target(self) -> Address:
        """Where it listens; known once `start` was called, and the same after a restart."""
        if self._target is None:
            msg = "the embedded PDP has not been started"
            raise RuntimeError(msg)
        return self._target

    @property
    def pid(self) -> int | None:
        """The process id of the child; None where there is none now."""
        return self._child.pid if self._child is not None else None

    async def start(self, *, timeout: float = _START_SECONDS) -> None:  # noqa: ASYNC109 - a bound
        """Return once it decides.

        Raises ConfigError with every problem of a broken set of policies, and PdpUnavailable with
        Cerbos's own words where it did not start for another reason or in time.
        """
        try:
            self._prepare()
            before = fingerprint([self._directory])
            await self._spawn()
            await self._until_serving(timeout)
        except ConfigError:
            await self.close()
            raise  # with all that Cerbos said of the policies, each line in its place
        except BaseException:
            await self.close()
            self._pass_on_first_words()
            raise
        self._tasks = [
            self._in_background(self._supervise(), "supervise"),
            self._in_background(self._watch(before), "watch"),
        ]

    async def close(self) -> None:
        """Stop the child and remove its private directory. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        channel, self._channel = self._channel, None
        if channel is not None:
            await channel.close()
        child, self._child = self._child, None
        if child is not None:
            await child.stop()
        private, self._private = self._private, None
        if private is not None:
            private.remove()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _prepare(self) -> None:
        try:
            # Whoever cannot enter it cannot reach the sockets.
            self._private = PrivateFolder("authorizer-pdp-")
            private = self._private.path
            self._target = parse_target(f"unix:{private / 'grpc.sock'}")
        except (OSError, ValueError) as error:
            message = f"the embedded PDP has no place for its socket: {error}"
            hint = "set TMPDIR to a directory that is writable and has a short name"
            raise ConfigError([Problem("TMPDIR", 0, 0, message, hint)]) from error
        password = secrets.token_urlsafe(32)
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(_BCRYPT_ROUNDS))
        basic = base64.b64encode(f"{_ADMIN}:{password}".encode()).decode()
        self._authorization = f"Basic {basic}"
        config = server_config(
            policies=self._directory,
            grpc_socket=private / "grpc.sock",
            http_socket=private / "http.sock",
            admin=_ADMIN,
            password_hash=base64.b64encode(hashed).decode(),
            lenient_scope_search=self._lenient_scope_search,
            key_sets=self._key_sets,
        )
        (private / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
        self._channel = open_channel(self._target)

    async def _spawn(self) -> None:
        if self._private is None:
            msg = "the embedded PDP is closed"
            raise RuntimeError(msg)
        private = self._private.path
        # A killed child leaves its socket behind; a new one is there when the new child listens.
        (private / "grpc.sock").unlink(missing_ok=True)
        self._last_words.clear()
        command = (
            str(self._cerbos),
            "server",
            f"--config={private / 'config.yaml'}",
            # At `info` it writes two lines for every request; our own log has the decisions.
            "--log-level=warn",
        )
        self._child = await _Child.spawn(command, self._environment, self._heard)

    async def _until_serving(self, timeout: float) -> None:  # noqa: ASYNC109 - a bound
        child, channel = self._child, self._channel
        if child is None or channel is None:
            return
        socket = Path(str(self.target).removeprefix("unix:"))
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if child.exit_status is not None:
                await self._explain_exit(child)
            # Dialled only when it is there: a failed attempt would have the channel wait.
            if socket.exists():  # noqa: ASYNC240 - a file of this machine's memory or disk
                health = await ask_health(channel, str(self.target), timeout=_PROBE_SECONDS)
                if health.state is PdpState.SERVING:
                    self.has_been_serving = True
                    self._pass_on_first_words()
                    self._tell(PoliciesState(loaded_at=time.time()))
                    return
            await asyncio.sleep(_POLL_SECONDS)
        raise PdpUnavailable(str(self.target), self._failed(f"did not serve within {timeout:g} s"))

    async def _explain_exit(self, child: _Child) -> None:
        await child.stop()
        problems = await self._problems()
        if problems:
            self._tell(PoliciesState(self.policies.loaded_at, problems))
            raise ConfigError(problems)
        how = f"exited with status {child.exit_status}"
        raise PdpUnavailable(str(self.target), self._failed(how))

    def _failed(self, how: str) -> str:
        return f"{self._cerbos} {how}: {'; '.join(self._last_words) or 'it said nothing'}"

    async def _supervise(self) -> None:
        delay: float | None = None
        serving_since = time.monotonic()
        while True:
            child = self._child
            if child is not None:
                status = await child.wait()
                await child.stop()
                self._child = None
                self._log.error("pdp.exited", status=status, said=list(self._last_words))
            delay = self._backoff.next(delay, worked_for=time.monotonic() - serving_since)
            self._saved_while_down.clear()
            # Its policies may be what it failed for: when they are saved, it is tried at once.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._saved_while_down.wait(), delay)
            serving_since = time.monotonic()
            try:
                await self._spawn()
                await self._until_serving(_START_SECONDS)
            except (ConfigError, PdpUnavailable, OSError) as error:
                self._log.error("pdp.restart_failed", error=str(error))
                if self._child is not None:
                    await self._child.stop()
                    self._child = None
                continue
            serving_since = time.monotonic()
            self.restarts += 1
            self._log.warning("pdp.restarted", restarts=self.restarts)
            if self._saved_while_down.is_set():
                # It may have read what was there before.
                await self._reload()

    async def _watch(self, before: Fingerprint) -> None:
        async with aclosing(changes([self._directory], since=before)) as saved:
            async for _ in saved:
                await self._reload()

    async def _reload(self) -> None:
        async with self._reloading:
            problems = await self._problems()
            if problems:
                self._refuse(problems)
            else:
                await self._load()

    async def _load(self) -> None:
        channel = self._channel
        if channel is None:
            return
        method = channel.method(_RELOAD, secrets={"authorization": self._authorization})
        request = request_pb2.ReloadStoreRequest(wait=True).SerializeToString()
        complaints = self._complaints
        try:
            await channel.call(method, request, seconds=_RELOAD_SECONDS)
        except CallFailed as error:
            if error.code is Code.UNAVAILABLE:
                self._saved_while_down.set()
                self._log.warning("pdp.reload_postponed", error=describe(error))
                return
            message = f"cerbos did not load the policies: {describe(error)}"
            self._refuse((Problem(str(self._directory), 0, 0, message),))
            return
        # The log may already have told of a failure that this answer does not know of; or it will.
        if self._complaints == complaints:
            self._log.info("pdp.policies_loaded", directory=str(self._directory))
            self._tell(PoliciesState(loaded_at=time.time()))

    async def _problems(self) -> tuple[Problem, ...]:
        try:
            return await compile_policies(
                self._cerbos, self._directory, environment=self._environment
            )
        except OSError as error:
            message = f"cannot be run to check the policies: {error.strerror}"
            return (Problem(str(self._cerbos), 0, 0, message, NO_CERBOS),)

    def _refuse(self, problems: Sequence[Problem]) -> None:
        self._log.error(
            "pdp.policies_refused",
            directory=str(self._directory),
            problems=[str(problem) for problem in problems],
            deciding="the last good set",
        )
        self._tell(PoliciesState(self.policies.loaded_at, tuple(problems)))

    def _tell(self, state: PoliciesState) -> None:
        self.policies = state
        self._on_policies(state)

    def _heard(self, line: ChildLine) -> None:
        if self.has_been_serving:
            self._pass_on(line)
        else:
            self._first_words.append(line)
        if line.level >= logging.WARNING:
            self._last_words.append(": ".join(filter(None, (line.message, line.error))))
            if line.logger == _RULE_TABLE:
                self._complaints += 1
                self._refuse((Problem(str(self._directory), 0, 0, line.error or line.message),))

    def _pass_on_first_words(self) -> None:
        for line in self._first_words:
            self._pass_on(line)
        self._first_words.clear()

    def _pass_on(self, line: ChildLine) -> None:
        told = {"error": line.error} if line.error else {}
        if line.problems:
            told["problems"] = "; ".join(line.problems)
        self._cerbos_log.log(line.level, line.message, part=line.logger, **told)

    def _in_background(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=f"embedded-pdp-{name}")

        def ended(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._log.critical("pdp.task_failed", task=task.get_name(), exc_info=error)

        task.add_done_callback(ended)
        return task


class _Child:
    """A process that cannot outlive us, and the reading of what it writes."""

    def __init__(
        self, process: asyncio.subprocess.Process, heard: Callable[[ChildLine], None]
    ) -> None:
        self._process = process
        self._readers = [
            asyncio.create_task(_read_lines(stream, heard))
            for stream in (process.stdout, process.stderr)
            if stream is not None
        ]

    @classmethod
    async def spawn(
        cls,
        command: Sequence[str],
        environment: dict[str, str],
        heard: Callable[[ChildLine], None],
    ) -> Self:
        """Start `command` tethered to this process. Raises OSError."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-I",
            "-S",
            tether.__file__,
            str(os.getpid()),
            *command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            limit=_LONGEST_LINE,
            env=environment,
            # Ctrl-C at a terminal is for us: the PDP still answers while we drain.
            start_new_session=True,
        )
        return cls(process, heard)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        return self._process.returncode

    async def wait(self) -> int:
        return await self._process.wait()

    async def stop(self) -> None:
        """End the process, kindly and then not, and read its last lines. Idempotent."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            if not await self._ended_within(_STOP_SECONDS):
                self._close_input()  # which ends a program that the tether watches
                self._signal(signal.SIGKILL)
        await self._process.wait()
        self._close_input()
        # What it started itself may hold the pipes open for longer than we want to wait.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*self._readers), _STOP_SECONDS)

    def _signal(self, number: signal.Signals) -> None:
        # The whole session: `cerbos` may be a script that runs the program.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    async def _ended_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            return False
        return True

    def _close_input(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()


async def _read_lines(stream: asyncio.StreamReader, heard: Callable[[ChildLine], None]) -> None:
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            # Read on all the same: a pipe that nobody empties would stop the PDP.
            line = b"a line of more than a mebibyte was left out\n"
        if not line:
            return
        text = line.decode(errors="replace").strip()
        if text:
            heard(read_line(text))
