"""`authorizer lint`: look for mistakes in rules, and in what stands around them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from authorizer.cli.common import FAILED, OK, telling

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from authorizer.config.settings import EmbeddedPdp
    from authorizer.lint.finding import Finding

_EPILOG: Final = """\
Exit status: 0 nothing found, 1 errors (with --strict, warnings too), 2 it could not run.
docs/lint.md explains each code.
"""
# What stands around the rules, by the option that gives it.
_AROUND: Final = {
    "policies": "Cerbos policies",
    "access_rules": "Oathkeeper's access rules",
    "oathkeeper_config": "Oathkeeper's configuration",
    "identity_schema": "identity schemas",
    "kratos_config": "Kratos's configuration",
}


def register(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Add the command to the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "lint",
        help="look for mistakes in rules and around them",
        description="Report what `serve` would refuse, and what is probably a mistake in the "
        "chain from Oathkeeper to Cerbos. Only what is given is looked at.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    _add_inputs(parser)
    add = parser.add_argument
    add(
        "--cerbos",
        metavar="FILE",
        help="the cerbos program, which compiles the policies; default: that of an embedded PDP",
    )
    add("--format", choices=("text", "json", "github"), default="text", help="default: text")
    add("--strict", action="store_true", help="let warnings fail too")
    parser.set_defaults(run=run)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the options that name what is looked at."""
    add = parser.add_argument
    add(
        "paths",
        nargs="*",
        type=Path,
        metavar="PATH",
        help="route rules, files or folders; default: those that the configuration names",
    )
    add("--config", type=Path, metavar="FILE", help="default: authorizer.yaml, where there is one")
    add(
        "--policies",
        type=Path,
        metavar="DIR",
        help="Cerbos policies; default: those of `pdp.embedded` in the configuration",
    )
    add(
        "--access-rules",
        type=Path,
        metavar="PATH",
        help="Oathkeeper's access rules, or Kubernetes Rule resources; a file or a folder",
    )
    add("--oathkeeper-config", type=Path, metavar="FILE", help="Oathkeeper's configuration")
    add(
        "--identity-schema",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="an identity schema of Kratos; repeat",
    )
    add(
        "--kratos-config",
        type=Path,
        metavar="FILE",
        help="Kratos's configuration: says whether people write their own traits",
    )


@telling
def run(options: argparse.Namespace) -> int:
    """Look for mistakes and print them; return the exit status."""
    from authorizer.lint.codes import Severity  # noqa: PLC0415 - `--help` need not wait for them
    from authorizer.lint.gather import Inputs  # noqa: PLC0415 - the same
    from authorizer.lint.run import lint  # noqa: PLC0415 - the same

    policies = options.policies or _configured_policies(options.config)
    findings = lint(
        Inputs(
            rules=tuple(options.paths),
            config=options.config,
            policies=policies,
            access_rules=options.access_rules,
            oathkeeper_config=options.oathkeeper_config,
            identity_schemas=tuple(options.identity_schema),
            kratos_config=options.kratos_config,
            cerbos=_cerbos(options) if policies is not None else None,
            environ=os.environ,
        )
    )
    sys.stdout.write(_rendered(findings, options.format))
    _note_what_was_not_given({**vars(options), "policies": policies})
    failing = {Severity.ERROR, Severity.WARNING} if options.strict else {Severity.ERROR}
    return FAILED if any(finding.severity in failing for finding in findings) else OK


def _embedded(config: Path | None) -> EmbeddedPdp | None:
    """Return the settings of the embedded PDP, where the configuration has one."""
    from authorizer.config.loading import load  # noqa: PLC0415 - `--help` need not wait for them
    from authorizer.errors import SourceError  # noqa: PLC0415 - the same

    try:
        return load(config, None, os.environ).settings.pdp.embedded
    except SourceError:
        return None  # lint says itself what is wrong with the configuration


def _cerbos(options: argparse.Namespace) -> Path | None:
    """Return the cerbos program, or None where there is none; raises ConfigError.

    One that was named, and is not there, is an error.
    """
    from authorizer.errors import ConfigError  # noqa: PLC0415 - as above
    from authorizer.pdp.binary import find_cerbos  # noqa: PLC0415 - as above

    if options.cerbos is not None:
        return find_cerbos(options.cerbos)
    embedded = _embedded(options.config)
    try:
        return find_cerbos(embedded.cerbos if embedded is not None else None)
    except ConfigError as error:
        print(f"note: the policies were not compiled: {error.problems[0].message}", file=sys.stderr)
        return None


def _configured_policies(config: Path | None) -> Path | None:
    """Return the embedded PDP's policies, where the configuration names them."""
    embedded = _embedded(config)
    if embedded is None:
        return None
    path, here = Path(embedded.policies), Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _note_what_was_not_given(given: dict[str, Any]) -> None:
    """Say on standard error what nothing was found in only because nobody looked."""
    missing = [
        f"{what} (--{name.replace('_', '-')})" for name, what in _AROUND.items() if not given[name]
    ]
    missing += _schemas_left_out(given["kratos_config"], given["identity_schema"])
    if missing:
        print(f"note: not looked at, as not given: {', '.join(missing)}", file=sys.stderr)


def _schemas_left_out(kratos_config: Path | None, schemas: list[Path]) -> list[str]:
    """Return the identity schemas that Kratos has beside those that were given, as one item."""
    from authorizer.kratos.configured import schemas_left_out  # noqa: PLC0415 - as above

    if kratos_config is None or not schemas:
        return []
    names = ", ".join(f"`{name}`" for name in schemas_left_out(kratos_config, schemas))
    return [f"Kratos's identity schema {names} (--identity-schema)"] if names else []


def _rendered(findings: tuple[Finding, ...], form: str) -> str:
    from authorizer.lint.places import Sources  # noqa: PLC0415 - `--help` need not wait for them
    from authorizer.lint.report.machine import render_github, render_json  # noqa: PLC0415
    from authorizer.lint.report.text import render_text  # noqa: PLC0415

    match form:
        case "json":
            return render_json(findings)
        case "github":
            return render_github(findings)
        case _:
            return render_text(findings, Sources())
