"""`authorizer kratos`: what Kratos's identity schemas mean for policies."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from authorizer.cli.common import FAILED, OK, telling

if TYPE_CHECKING:
    import argparse

    from authorizer.kratos.added import Added
    from authorizer.kratos.identity_schema import IdentitySchema

_SCHEMA_HELP: Final = "an identity schema: a path, file://... or base64://..., as Kratos has it"
_CHECK_EPILOG: Final = """\
Exit status: 0, with --check when FILE is what would be printed; 1 when it is not;
2 when a schema was refused. docs/kratos-schemas.md has more.
"""
_ATTRIBUTES_EPILOG: Final = """\
Written by: self-service (people themselves: a claim, no authority), administrator,
session (by logging in), issuer (of the token), nobody. docs/kratos-schemas.md has more.
"""


def register(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Add the commands to the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "kratos",
        help="make the principal schema of Kratos's identity schemas, list attributes",
        description="Show what Kratos's identity schemas mean for Cerbos policies.",
        allow_abbrev=False,
    )
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _register_principal_schema(verbs)
    _register_attributes(verbs)


def _register_principal_schema(verbs: Any) -> None:  # noqa: ANN401 - the same
    parser: argparse.ArgumentParser = verbs.add_parser(
        "principal-schema",
        help="print the JSON Schema of Cerbos principals",
        description="Print the JSON Schema (draft 2020-12) of the Cerbos principals that "
        "identities of these schemas become.",
        epilog=_CHECK_EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("schemas", nargs="+", metavar="SCHEMA", help=_SCHEMA_HELP)
    add("--closed", action="store_true", help="refuse traits that no schema declares")
    add("--check", type=Path, metavar="FILE", help="print how FILE differs; fail if it does")
    parser.set_defaults(run=run_principal_schema)


def _register_attributes(verbs: Any) -> None:  # noqa: ANN401 - the same
    parser: argparse.ArgumentParser = verbs.add_parser(
        "attributes",
        help="list the attributes that policies can read",
        description="List the attributes of principals: type, schema, and who can write each.",
        epilog=_ATTRIBUTES_EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("schemas", nargs="+", metavar="SCHEMA", help=_SCHEMA_HELP)
    add("--config", type=Path, metavar="FILE", help="default: authorizer.yaml, where there is one")
    add("--kratos-config", type=Path, metavar="FILE", help="kratos.yml: says who can write traits")
    add("--format", choices=("text", "markdown", "json"), default="text", help="default: text")
    parser.set_defaults(run=run_attributes)


@telling
def run_principal_schema(options: argparse.Namespace) -> int:
    """Print the schema, or how a file differs from it; return the exit status."""
    from authorizer.kratos.principal_schema import (  # noqa: PLC0415 - `--help` need not wait
        principal_schema,
        rendered,
    )

    text = rendered(principal_schema(_read(options.schemas), closed=options.closed))
    if options.check is None:
        sys.stdout.write(text)
        return OK
    difference = _difference(options.check, text)
    sys.stdout.write(difference)
    return FAILED if difference else OK


@telling
def run_attributes(options: argparse.Namespace) -> int:
    """Print the table; return the exit status."""
    from authorizer.kratos.attributes import attributes  # noqa: PLC0415 - `--help` need not wait
    from authorizer.kratos.report import as_json, as_markdown, as_text  # noqa: PLC0415
    from authorizer.kratos.writers import Writers, read_writers  # noqa: PLC0415

    config = options.kratos_config
    writers = Writers() if config is None else read_writers(config)
    table = attributes(_read(options.schemas), writers, _added(options.config))
    forms = {"text": as_text, "markdown": as_markdown, "json": as_json}
    sys.stdout.write(forms[options.format](table))
    return OK


def _added(config: Path | None) -> tuple[Added, ...]:
    """Return what the configuration's profiles add; raises SourceError."""
    from authorizer.config.loading import (  # noqa: PLC0415 - `--help` need not wait for them
        DEFAULT_FILE,
        load,
    )
    from authorizer.config.origin import Part  # noqa: PLC0415 - the same
    from authorizer.lint.profile_attr import added_by  # noqa: PLC0415 - the same
    from authorizer.principals.profiles import compile_profiles  # noqa: PLC0415 - the same

    if config is None and not DEFAULT_FILE.exists():
        # Not even its defaults: who writes policies may have no rules here.
        return ()
    loaded = load(config, None, os.environ)
    principals = loaded.settings.principals
    profiles = compile_profiles(
        Part(loaded.origin, ("principals", "profiles"), principals.profiles),
        Part(loaded.origin, ("principals", "default"), principals.default),
    )
    return added_by(profiles.by_name.values())


def _read(sources: list[str]) -> list[IdentitySchema]:
    from authorizer.kratos.identity_schema import read_identity_schema  # noqa: PLC0415 - the same

    return [read_identity_schema(source, number) for number, source in enumerate(sources, 1)]


def _difference(path: Path, expected: str) -> str:
    """Return how the file at `path` differs, as a unified diff; raises SourceError."""
    import difflib  # noqa: PLC0415 - `--help` need not wait for it

    from authorizer.errors import Problem, SourceError  # noqa: PLC0415 - the same

    try:
        # What is not UTF-8 differs, and no byte is lost to a line break's translation.
        found = path.read_bytes().decode(errors="replace")
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise SourceError([Problem(str(path), 0, 0, f"cannot be read: {reason}")]) from error
    if found == expected:
        return ""
    lines = list(
        difflib.unified_diff(
            found.splitlines(), expected.splitlines(), str(path), "as it should be", lineterm=""
        )
    )
    return "\n".join(lines or [f"{path}: its line breaks differ"]) + "\n"
