"""`authorizer test`: run the suites of the rules."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from authorizer.cli.common import (
    FAILED,
    OK,
    REFUSED,
    add_pdp_options,
    add_source_options,
    load_options,
    pdp_to_ask,
    telling,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from authorizer.config.loading import Loaded
    from authorizer.snapshot import Snapshot
    from authorizer.suites.case import Case, Result

_EPILOG: Final = """\
The exit status is 0 when all passed, 1 when a case failed or too little is covered, and 2 when the
suites could not be run, or a case wants a policy's decision and there is no PDP (--no-pdp says
that this is meant). docs/testing-rules.md shows how to write a suite.
"""
_ALL: Final = 100.0


def register(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Add the command to the command line."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "test",
        help="run the suites of the rules",
        description="Hold the rules (and with a PDP the policies) to what suites expect of them.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("paths", nargs="*", type=Path, metavar="PATH", help="suites; default: each tests/ in rules")
    add_source_options(parser)
    add_pdp_options(parser)
    add("-k", dest="text", metavar="TEXT", help="only cases whose file or name has this in it")
    add("--junit", type=Path, metavar="FILE", help="write JUnit XML too")
    add("--fail-under", type=_percent, metavar="PERCENT", help="the least share of methods touched")
    parser.set_defaults(run=run)


def _percent(text: str) -> float:
    value = float(text)
    if not 0 <= value <= _ALL:
        msg = "expected 0 to 100"
        raise argparse.ArgumentTypeError(msg)
    return value


@telling
def run(options: argparse.Namespace) -> int:
    """Run the suites; return the exit status."""
    import asyncio  # noqa: PLC0415 - `--help` need not wait for any of these
    import contextlib  # noqa: PLC0415
    import tempfile  # noqa: PLC0415
    import time  # noqa: PLC0415

    from authorizer.suites.case import Status  # noqa: PLC0415
    from authorizer.suites.coverage import measure  # noqa: PLC0415
    from authorizer.suites.junit import junit  # noqa: PLC0415
    from authorizer.suites.report import report  # noqa: PLC0415
    from authorizer.wiring.snapshot import build_snapshot  # noqa: PLC0415

    loaded = load_options(options)
    snapshot = build_snapshot(loaded)
    cases = _cases(options, loaded, snapshot)
    started = time.perf_counter()
    # What the PDP logs would stand between the dots. It is told where something failed.
    with tempfile.TemporaryFile() as log, contextlib.ExitStack() as at_failure:
        at_failure.callback(_tell, log)
        results = asyncio.run(_run(options, loaded, snapshot, cases, log.fileno()))
        # Of a part of the cases it would say nothing.
        coverage = measure(snapshot.routes, results) if options.text is None else None
        for line in report(results, coverage, time.perf_counter() - started):
            print(line)
        if all(result.status is not Status.FAILED for result in results):
            at_failure.pop_all()
    if options.junit is not None:
        _write(options.junit, junit(results))
    percent = coverage.percent if coverage is not None else _ALL
    return _status(results, options, is_covered=percent >= (options.fail_under or 0))


def _cases(options: argparse.Namespace, loaded: Loaded, snapshot: Snapshot) -> list[Case]:
    from authorizer.errors import Problem, SourceError  # noqa: PLC0415 - as above
    from authorizer.source.names import short_name  # noqa: PLC0415
    from authorizer.suites.files import find_suites  # noqa: PLC0415
    from authorizer.suites.identities import read_identities  # noqa: PLC0415
    from authorizer.suites.loading import read_suites  # noqa: PLC0415

    rules = [Path(path) for path in loaded.settings.rules.paths]
    files = find_suites(rules, options.paths)
    cases = read_suites(files.suites, read_identities(files.identities), snapshot.routes)
    if options.text is not None:
        wanted = options.text.casefold()
        cases = [
            case
            for case in cases
            if wanted in f"{short_name(case.place.source)}::{case.name}".casefold()
        ]
    if not cases:
        where = ", ".join(short_name(str(path)) for path in options.paths or rules)
        message = "has no case of a test" if options.text is None else "has no case with this text"
        raise SourceError([Problem(where, 0, 0, message, "suites are in rules/tests/*.yaml")])
    return cases


def _tell(log: BinaryIO) -> None:
    import sys  # noqa: PLC0415 - as above

    log.seek(0)
    print(log.read().decode(errors="replace"), end="", file=sys.stderr)


async def _run(
    options: argparse.Namespace,
    loaded: Loaded,
    snapshot: Snapshot,
    cases: Sequence[Case],
    descriptor: int,
) -> list[Result]:
    import time  # noqa: PLC0415 - as above

    from authorizer.suites.report import Progress  # noqa: PLC0415
    from authorizer.suites.run import run_cases  # noqa: PLC0415

    progress = Progress()
    results = []
    async with pdp_to_ask(options, loaded, descriptor=descriptor) as pdp:
        try:
            async for result in run_cases(cases, snapshot, pdp, now=time.time()):
                print(progress.after(result), end="", flush=True)
                results.append(result)
        finally:
            print()
    return results


def _status(results: Sequence[Result], options: argparse.Namespace, *, is_covered: bool) -> int:
    import sys  # noqa: PLC0415 - as above

    from authorizer.suites.case import Status  # noqa: PLC0415

    statuses = {result.status for result in results}
    if not is_covered:
        print(f"error: less than {options.fail_under:g} % is covered", file=sys.stderr)
    if Status.FAILED in statuses or not is_covered:
        return FAILED
    if Status.UNDECIDED in statuses and not options.no_pdp:
        hint = "give --pdp or --embedded-pdp, or leave the decisions out with --no-pdp"
        print(f"error: cases expect decisions of policies, without a PDP ({hint})", file=sys.stderr)
        return REFUSED
    return OK


def _write(path: Path, content: bytes) -> None:
    from authorizer.errors import Problem, SourceError  # noqa: PLC0415 - as above

    try:
        path.write_bytes(content)
    except OSError as error:
        message = f"cannot be written: {error.strerror or type(error).__name__}"
        raise SourceError([Problem(str(path), 0, 0, message)]) from error
