"""One program of the chain: started, watched until it is ready, stopped by its pid."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING, Final

from chain import wire
from chain.errors import ChainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

_READY_WITHIN: Final = 60.0  # seconds; two busy cores take ten
_STOPPED_WITHIN: Final = 15.0  # seconds; more than any of them drains
_LOOK_EVERY: Final = 0.05
_TAIL: Final = 25  # log lines in an error


class Program:
    """A program with a log file; standard output and error go there, appended."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        folder: Path,
        log: Path,
        environment: Mapping[str, str],
        ready: Callable[[], bool],
    ) -> None:
        """Describe a program; `ready` says whether it answers (an exception: not yet)."""
        self.name = name
        self.log = log
        self._command = command
        self._folder = folder
        self._environment = environment
        self._ready = ready
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id; ChainError when it does not run."""
        if self._process is None or self._process.poll() is not None:
            message = f"{self.name} does not run"
            raise ChainError(message)
        return self._process.pid

    def start(self) -> None:
        """Start it, and return at once."""
        # In a session of its own: Ctrl-C is for us, and we stop the parts in order.
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> None:
        """Return when it answers; ChainError with the end of its log when it dies or does not."""
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                status = self._process and self._process.returncode
                message = f"{self.name} does not run (exit status {status})\n{self.log_tail()}"
                raise ChainError(message)
            with contextlib.suppress(OSError, ChainError):
                if self._ready():
                    return
            time.sleep(_LOOK_EVERY)
        message = f"{self.name} was not ready within {_READY_WITHIN:.0f} s\n{self.log_tail()}"
        raise ChainError(message)

    def terminate(self) -> None:
        """Ask it to stop; nothing happens when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def kill(self) -> None:
        """End it at once; nothing happens when it does not run."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def wait_until_stopped(self) -> int | None:
        """Wait for the end, with force after a while; return the exit status, None if never run."""
        if self._process is None:
            return None
        try:
            return self._process.wait(_STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def log_tail(self) -> str:
        """Return the end of the log, each line marked with the program's name."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        lines = text.splitlines()[-_TAIL:] or ["(no log)"]
        return "\n".join(f"  {self.name} | {line}" for line in lines)


def answers(address: str, target: str) -> Callable[[], bool]:
    """Return a check that `GET target` at `address` gives 200."""
    return lambda: wire.send(address, "GET", target, timeout=2.0).status == 200  # noqa: PLR2004 - HTTP


def stop_all(programs: Iterable[Program]) -> None:
    """Stop programs at the same time; return when all are gone."""
    stopping = list(programs)
    try:
        for program in stopping:
            program.terminate()
        for program in stopping:
            program.wait_until_stopped()
    except BaseException:
        # A second Ctrl-C: at once, then.
        for program in stopping:
            program.kill()
        raise
