"""`authorizer cache clear`: have the service that runs forget the answers it has kept."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from authorizer.cli.common import FAILED, OK, REFUSED, telling

if TYPE_CHECKING:
    import argparse

_SECONDS: Final = 10.0
_OK: Final = 200
_HINTS: Final = {503: "not every worker has said that it forgot; try again"}
# Where to reach who listens on every interface.
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound to


def register(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Add the command to the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "cache", help="forget kept answers", description="Kept answers.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    clearing = verbs.add_parser(
        "clear",
        help="have the service that runs forget the answers it has kept",
        description=(
            "Have the service that runs here forget the answers that it has kept for routes with"
            " `cache`. It is asked at its admin.listen."
        ),
        allow_abbrev=False,
    )
    add = clearing.add_argument
    add("--config", type=Path, metavar="FILE", help="default: authorizer.yaml, where there is one")
    add("--admin-listen", metavar="HOST:PORT", help="where it listens; default: as configured")
    clearing.set_defaults(run=run)


@telling
def run(options: argparse.Namespace) -> int:
    """Ask the service; return the exit status."""
    import http.client  # noqa: PLC0415 - `--help` need not wait for any of these
    import os  # noqa: PLC0415

    from authorizer.config.addresses import parse_listener  # noqa: PLC0415
    from authorizer.config.loading import load  # noqa: PLC0415

    flags = {"--admin-listen": options.admin_listen}
    settings = load(options.config, flags, os.environ).settings
    address = parse_listener(settings.admin.listen)
    if not address.port:
        hint = "give the port that it logged (`authorizer.ready`): --admin-listen HOST:PORT"
        print(f"error: admin.listen is any free port; {hint}", file=sys.stderr)
        return REFUSED
    host = _ANYWHERE.get(address.host, address.host)
    connection = http.client.HTTPConnection(host, address.port, timeout=_SECONDS)
    try:
        connection.request("POST", "/cache/clear")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        hint = "is `authorizer serve` running, with this admin.listen?"
        print(f"error: {address} does not answer: {why}; {hint}", file=sys.stderr)
        return FAILED
    finally:
        connection.close()
    if status != _OK:
        hint = _HINTS.get(status, "is that the admin.listen of an authorizer of this version?")
        print(f"error: {address} answers {status}; {hint}", file=sys.stderr)
        return FAILED
    print("forgotten")
    return OK
