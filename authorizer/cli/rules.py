"""`authorizer rules list`: the table of routes as the matcher sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from authorizer.cli.common import OK, add_source_options, load_options, telling

if TYPE_CHECKING:
    import argparse


def register(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Add the command to the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "rules", help="show the routes", description="Show the routes.", allow_abbrev=False
    )
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = verbs.add_parser(
        "list",
        help="list all routes, the most specific first",
        description="List all routes as the matcher sees them, the most specific first.",
        allow_abbrev=False,
    )
    add_source_options(listing)
    listing.add_argument("--format", choices=("text", "json"), default="text")
    listing.set_defaults(run=run)


@telling
def run(options: argparse.Namespace) -> int:
    """Print the table; return the exit status."""
    import json  # noqa: PLC0415 - `--help` need not wait for any of these

    from authorizer.explain.table import table_data, table_text  # noqa: PLC0415
    from authorizer.wiring.snapshot import build_snapshot  # noqa: PLC0415

    table = build_snapshot(load_options(options)).routes
    if options.format == "json":
        print(json.dumps(table_data(table), indent=2, ensure_ascii=False))
    else:
        print(table_text(table), end="")
    return OK
