"""`authorizer schema`: the JSON Schemas, for editors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from authorizer.cli.common import OK

if TYPE_CHECKING:
    import argparse

# What is described, and where its schema is.
SCHEMAS: Final = {
    "rules": ("authorizer.routing", "rules.schema.json"),
    "config": ("authorizer.config", "config.schema.json"),
    "request": ("authorizer.contract", "request.schema.json"),
    "tests": ("authorizer.suites", "tests.schema.json"),
    "identities": ("authorizer.suites", "identities.schema.json"),
}
_EPILOG: Final = """\
rules: files under rules/ · config: authorizer.yaml · request: the body of POST /authorize ·
tests: suites in rules/tests/ · identities: rules/tests/identities.yaml
"""


def register(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Add the command to the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "schema",
        help="print a JSON Schema, for an editor",
        description="Print the JSON Schema (draft 2020-12) of what you write.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("of", choices=SCHEMAS, help="what the schema describes")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the schema as it is shipped; return the exit status."""
    import importlib.resources  # noqa: PLC0415 - `--help` need not wait for it

    package, name = SCHEMAS[options.of]
    print(importlib.resources.files(package).joinpath(name).read_text("utf-8"), end="")
    return OK
