"""`authorizer serve`: answer Oathkeeper."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Coroutine
    from typing import Any

_REFUSED: Final = 2
_FAILED: Final = 1
_EPILOG: Final = """\
TARGET is host:port or unix:/path. Flags win over the environment (AUTHORIZER__SERVER__LISTEN and
so on), and that over the file. docs/configuration.md has every setting.
"""


def register(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Add the command to the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve",
        help="answer Oathkeeper's questions",
        description="Answer Oathkeeper's questions until SIGTERM.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--config", type=Path, metavar="FILE", help="default: authorizer.yaml, where there is one")
    add("--listen", metavar="HOST:PORT", help="where Oathkeeper asks; default 127.0.0.1:8080")
    add("--admin-listen", metavar="HOST:PORT", help="metrics, health; default 127.0.0.1:8081")
    add("--rules", action="append", metavar="PATH", help="route rules, a file or a folder; repeat")
    add("--pdp", action="append", metavar="TARGET", help="a Cerbos PDP that runs already; repeat")
    add("--embedded-pdp", metavar="POLICIES_DIR", help="run a Cerbos PDP on these policies")
    add("--cerbos", metavar="FILE", help="the cerbos program, for --embedded-pdp")
    add("--workers", type=int, metavar="N", help="processes that decide; default 1")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve; return the exit status."""
    from authorizer.config.loading import load  # noqa: PLC0415 - `--help` need not wait for it

    flags = {
        "--listen": options.listen,
        "--admin-listen": options.admin_listen,
        "--workers": options.workers,
        "--rules": options.rules,
        "--pdp": options.pdp,
        "--embedded-pdp": options.embedded_pdp,
        "--cerbos": options.cerbos,
    }

    async def serve_as_said() -> None:
        loaded = load(options.config, flags, os.environ)
        if loaded.settings.server.workers > 1:
            from authorizer.supervisor.supervise import supervise  # noqa: PLC0415 - the same

            await supervise(loaded)
        else:
            from authorizer.wiring.service import serve  # noqa: PLC0415 - the same

            await serve(loaded)

    return run_to_its_end(serve_as_said)


def run_to_its_end(serve: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run what serves on an event loop; say what is wrong, and return the exit status."""
    import uvloop  # noqa: PLC0415 - `--help` need not wait for it

    from authorizer.errors import PdpError, SourceError, WorkersFailed  # noqa: PLC0415 - the same

    try:
        uvloop.run(serve())
    except SourceError as error:
        for problem in error.problems:
            print(f"error: {problem}", file=sys.stderr)
        return _REFUSED
    except (PdpError, WorkersFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return _FAILED
    return 0
