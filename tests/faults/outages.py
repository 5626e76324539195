"""Programs that are gone for a while: killed, or stopped."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol

from processes import resume, stop

if TYPE_CHECKING:
    from collections.abc import Iterator


class Program(Protocol):
    """A child of this process. `start` may return before it is ready."""

    @property
    def pid(self) -> int: ...

    def kill(self) -> None: ...

    def start(self) -> None: ...

    def wait_until_ready(self) -> None: ...


@contextmanager
def killed(*programs: Program) -> Iterator[None]:
    """Kill them; start them again when the context is left, whatever happened in it."""
    with ExitStack() as stack:
        for program in programs:
            program.kill()
            # The last one is called first.
            stack.callback(program.wait_until_ready)
            stack.callback(program.start)
        yield


@contextmanager
def stopped(*programs: Program) -> Iterator[None]:
    """Stop them; let them go on when the context is left, whatever happened in it."""
    with ExitStack() as stack:
        for pid in [program.pid for program in programs]:
            stack.callback(resume, pid)
            stop(pid)
        yield
