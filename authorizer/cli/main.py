"""The command `authorizer`. Each subcommand is a file; nothing is imported before it is needed."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from authorizer import __version__
from authorizer.cli import cache, explain, kratos, lint, rules, schema, serve, test

if TYPE_CHECKING:
    from collections.abc import Sequence

# Exit status: what was asked for cannot be done as it was asked for.
USAGE = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status: 0, 1 for a failure, 2 for wrong input."""
    parser = argparse.ArgumentParser(
        prog="authorizer",
        description="The remote authorizer that puts a Cerbos PDP behind Ory Oathkeeper.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"authorizer {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve.register(commands)
    explain.register(commands)
    test.register(commands)
    rules.register(commands)
    lint.register(commands)
    kratos.register(commands)
    schema.register(commands)
    cache.register(commands)
    options = parser.parse_args(arguments)
    status: int = options.run(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
