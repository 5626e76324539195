"""What the commands share that work on rules: options, loading, how an error is told."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Callable

    from authorizer.config.loading import Loaded
    from authorizer.pdp.interface import Pdp

OK: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
_STDERR: Final = 2


def add_source_options(parser: argparse.ArgumentParser) -> None:
    """Add where the configuration and the rules are."""
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="default: authorizer.yaml, where there is one")
    add("--rules", action="append", metavar="PATH", help="route rules, a file or a folder; repeat")


def add_pdp_options(parser: argparse.ArgumentParser) -> None:
    """Add which PDP is asked."""
    group = parser.add_argument_group(
        "PDP", "By default the one that `serve` would ask; an embedded one is run meanwhile."
    )
    only = group.add_mutually_exclusive_group()
    only.add_argument(
        "--pdp", action="append", metavar="TARGET", help="a Cerbos PDP that runs already; repeat"
    )
    only.add_argument(
        "--embedded-pdp", metavar="POLICIES_DIR", help="run a Cerbos PDP on these policies"
    )
    only.add_argument(
        "--no-pdp", action="store_true", help="ask none: what policies decide stays open"
    )
    group.add_argument("--cerbos", metavar="FILE", help="the cerbos program, for an embedded PDP")


def load_options(options: argparse.Namespace) -> Loaded:
    """Return the configuration that the options name; raises ConfigError."""
    from authorizer.config.loading import load  # noqa: PLC0415 - `--help` need not wait for it

    named = vars(options)
    flags = {
        "--rules": named.get("rules"),
        "--pdp": named.get("pdp"),
        "--embedded-pdp": named.get("embedded_pdp"),
        "--cerbos": named.get("cerbos"),
    }
    return load(options.config, flags, os.environ)


def has_pdp(options: argparse.Namespace, loaded: Loaded) -> bool:
    """Say whether there is a PDP to ask, and whether it may be asked."""
    pdp = loaded.settings.pdp
    return not options.no_pdp and (bool(pdp.endpoints) or pdp.embedded is not None)


@contextlib.asynccontextmanager
async def pdp_to_ask(
    options: argparse.Namespace, loaded: Loaded, *, descriptor: int = _STDERR
) -> AsyncIterator[Pdp | None]:
    """Have the PDP that the options and the configuration name, or None.

    What it logs goes to `descriptor`, and only from warnings on.
    """
    from authorizer.config.settings import Log, LogFormat, LogLevel  # noqa: PLC0415 - the same
    from authorizer.instrumentation import logging as log  # noqa: PLC0415 - the same
    from authorizer.wiring.pdp import running_pdp  # noqa: PLC0415 - the same

    if not has_pdp(options, loaded):
        yield None
        return
    running_log = log.start(
        Log(format=LogFormat.CONSOLE, level=LogLevel.WARNING), descriptor=descriptor
    )
    try:
        async with running_pdp(loaded) as pdp:
            yield pdp
    finally:
        running_log.close()


def telling(run: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
    """Make a command tell on standard error what it could not do, with the status for that."""

    @functools.wraps(run)
    def told(options: argparse.Namespace) -> int:
        from authorizer.errors import AuthorizerError, SourceError  # noqa: PLC0415 - the same

        try:
            return run(options)
        except SourceError as error:
            for problem in error.problems:
                print(f"error: {problem}", file=sys.stderr)
        except AuthorizerError as error:
            print(f"error: {error}", file=sys.stderr)
        return REFUSED

    return told
