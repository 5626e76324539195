"""`authorizer explain`: why a request is decided as it is."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from authorizer.cli.common import (
    OK,
    add_pdp_options,
    add_source_options,
    load_options,
    pdp_to_ask,
    telling,
)

if TYPE_CHECKING:
    import argparse

    from authorizer.config.loading import Loaded
    from authorizer.explain.trace import Explanation
    from authorizer.model import AccessRequest
    from authorizer.suites.identities import Identity

_EPILOG: Final = """\
The exit status is 0 whatever the decision is, and 2 for what could not be explained. Without --as
and --extra nobody in particular asks: the profile `anonymous`, without subject.
"""


def register(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Add the command to the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "explain",
        help="say why a request is decided as it is",
        description="Say how a URL is read, which route owns it and why others do not, who asks,"
        " what the PDP is asked, and what it decides by which policy.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("method", metavar="METHOD")
    add("url", metavar="URL", help="a whole URL, or a path: then http://localhost is in front")
    who = parser.add_argument_group("who asks")
    known = who.add_mutually_exclusive_group()
    known.add_argument(
        "--as", dest="name", metavar="NAME", help="an identity of rules/tests/identities.yaml"
    )
    known.add_argument(
        "--extra", metavar="FILE", help="what the authenticator knows: JSON or YAML; - is stdin"
    )
    who.add_argument("--profile", action="append", metavar="NAME", help="as the payload's; repeat")
    who.add_argument("--subject", metavar="ID", help="default: the identity's id in --extra")
    what = parser.add_argument_group("what else the payload says")
    what.add_argument("--raw-path", metavar="PATH", help="the path as the caller wrote it")
    what.add_argument("--header", action="append", metavar="'NAME: VALUE'", help="repeat")
    what.add_argument("--forwarded-uri", action="append", metavar="URI", help="X-Forwarded-Uri")
    add_source_options(parser)
    add_pdp_options(parser)
    add("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


@telling
def run(options: argparse.Namespace) -> int:
    """Print the explanation; return the exit status."""
    import asyncio  # noqa: PLC0415 - `--help` need not wait for any of these
    import json  # noqa: PLC0415

    from authorizer.explain.data import as_data  # noqa: PLC0415
    from authorizer.explain.text import as_text  # noqa: PLC0415

    loaded = load_options(options)
    explanation = asyncio.run(_explain(options, loaded, _request(options, loaded)))
    if options.format == "json":
        print(json.dumps(as_data(explanation), indent=2, ensure_ascii=False))
    else:
        print(as_text(explanation), end="")
    _note_on_method(options.method)
    return OK


def _note_on_method(method: str) -> None:
    """Say that a method was probably meant in capitals; as a note, as callers may send it too."""
    from http import HTTPMethod  # noqa: PLC0415 - `--help` need not wait for it

    meant = method.upper()
    if meant != method and meant in HTTPMethod.__members__:
        print(f"note: methods tell case apart: {method} is not {meant}", file=sys.stderr)


async def _explain(
    options: argparse.Namespace, loaded: Loaded, request: AccessRequest
) -> Explanation:
    import time  # noqa: PLC0415 - `--help` need not wait for any of these

    from authorizer.explain.trace import explain  # noqa: PLC0415
    from authorizer.wiring.snapshot import build_snapshot  # noqa: PLC0415

    snapshot = build_snapshot(loaded)
    async with pdp_to_ask(options, loaded) as pdp:
        return await explain(request, snapshot, pdp, now=time.time())


def _request(options: argparse.Namespace, loaded: Loaded) -> AccessRequest:
    from authorizer.errors import Problem, SourceError  # noqa: PLC0415 - as above
    from authorizer.suites.question import pose  # noqa: PLC0415

    headers: dict[str, list[str]] = {}
    for line in options.header or ():
        name, colon, value = line.partition(":")
        if not colon:
            raise SourceError([Problem("--header", 0, 0, "expected 'name: value'")])
        headers.setdefault(name.strip().lower(), []).append(value.strip())
    more: dict[str, Any] = {}
    if options.raw_path is not None:
        more["raw_path"] = options.raw_path
    if options.forwarded_uri is not None:
        more["forwarded_uri"] = options.forwarded_uri
    identity = _identity(options, loaded)
    return pose(identity, options.method, options.url, headers=headers, more=more)


def _identity(options: argparse.Namespace, loaded: Loaded) -> Identity:
    from dataclasses import replace  # noqa: PLC0415 - `--help` need not wait for any of these

    from authorizer.suites.files import find_suites  # noqa: PLC0415
    from authorizer.suites.identities import (  # noqa: PLC0415
        NOBODY,
        find_identity,
        make_identity,
        read_identities,
    )

    identity = NOBODY
    if options.name is not None:
        files = find_suites([Path(path) for path in loaded.settings.rules.paths])
        identity = find_identity(options.name, read_identities(files.identities))
    elif options.extra is not None:
        identity = make_identity({"extra": _extra(options.extra)})
    if options.profile is not None:
        identity = replace(identity, profiles=tuple(options.profile))
    if options.subject is not None:
        identity = replace(identity, subject=options.subject)
    return identity


def _extra(name: str) -> Any:  # noqa: ANN401 - what the file says; the decoder looks at it
    import sys  # noqa: PLC0415 - `--help` need not wait for any of these

    from authorizer.source.yaml import load_yaml, read_yaml  # noqa: PLC0415

    if name == "-":
        return load_yaml(sys.stdin.buffer.read(), "standard input").value
    return read_yaml(Path(name)).value
