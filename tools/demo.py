#!/usr/bin/env python3
"""The whole chain here: Kratos, Hydra, Oathkeeper, the authorizer, Cerbos, an application.

Prints requests to paste, and stays until Ctrl-C. With --check it walks the example's story by
itself, prints a table, and exits with status 1 when something is not as expected.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chain import ChainError, PdpKind, Ports, running_chain
from chain.scenario import SHIPPED, Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType

    from chain import Chain, Credential
    from chain.scenario import Expectation, Row

_WORK: Final = Path(__file__).resolve().parents[1] / ".demo"
_COLUMNS: Final = "{:2} {:9}  {:70}  {:22}  {:22}  {}"

# The rows that are printed to be pasted: an allow and a deny of each kind.
_TO_PASTE: Final = (
    "members list",
    "another organisation's",
    "wrong role",
    "editors write",
    "public, by policy",
    "a service lists",
    "and not all that ed may do",
    "no session",
    "no route",
    "encoded traversal",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; return its exit status."""
    options = _parser().parse_args(arguments)
    for name in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(name, _interrupted)
    options.work.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="run-", dir=options.work))
    status = 1
    try:
        # A check may run beside a demo, and beside itself.
        ports = Ports.free() if options.check else Ports.shipped_where_free()
        print("demo: starting Kratos, Hydra, Oathkeeper, the authorizer, Cerbos, an application")
        with running_chain(
            work, ports=ports, pdp=options.pdp, authorizer_url=options.authorizer
        ) as chain:
            status = _check(chain, options.patience) if options.check else _stay(chain)
    except ChainError as error:
        print(f"demo: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        status = 130 if options.check else 0
    if status:
        print(f"demo: the logs are in {work / 'logs'}", file=sys.stderr)
    else:
        shutil.rmtree(work)
        print(f"demo: everything is stopped, and {work} is removed")
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tools/demo.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="walk the story, print a table")
    parser.add_argument(
        "--pdp",
        type=PdpKind,
        choices=list(PdpKind),
        default=PdpKind.EMBEDDED,
        help="who runs the PDP: the authorizer, or this demo (default: %(default)s)",
    )
    parser.add_argument(
        "--authorizer",
        metavar="URL",
        help="ask this authorizer, and start none; its reasons are then unknown",
    )
    parser.add_argument(
        "--patience",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="how long an edited policy may take to be in force (default: %(default)s)",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=_WORK,
        metavar="FOLDER",
        help="where copies and logs go; they stay there when something fails (default: .demo/)",
    )
    return parser


def _interrupted(_signal: int, _frame: FrameType | None) -> None:
    # As Ctrl-C does it: through every `finally`.
    raise KeyboardInterrupt


def _check(chain: Chain, patience: float) -> int:
    """Walk the story; return 0 when all of it is as expected, else 1."""
    print(_COLUMNS.format("", "who", "request", "expected", "got", "shows"))
    rows = []
    for row in Scenario(chain, patience=patience).walk():
        print(_line(row), flush=True)
        rows.append(row)
    wrong = sum(not row.as_expected for row in rows)
    print(f"{len(rows)} rows, {wrong} not as expected" if wrong else f"{len(rows)} rows, all right")
    return 1 if wrong else 0


def _line(row: Row) -> str:
    expectation = row.expectation
    return _COLUMNS.format(
        "ok" if row.as_expected else "NO",
        expectation.who,
        str(expectation.question),
        f"{expectation.expected.status} {expectation.expected.reason}",
        f"{row.got.status} {'?' if row.got.reason is None else row.got.reason}",
        expectation.why,
    )


def _stay(chain: Chain) -> int:
    """Print what there is to try, and wait for Ctrl-C."""
    for name, (shipped, port) in chain.ports.differences().items():
        print(f"demo: port {shipped} is taken, {name.replace('_', ' ')} is on {port}")
    credentials = Scenario(chain).enter()
    print("\n# Who there is, and what each of them shows, to paste first:")
    for name, credential in credentials.items():
        print(f"{_variable(name)}='{credential}'")
    chosen: dict[str, Expectation] = {}
    for expectation in SHIPPED:
        if expectation.why in _TO_PASTE:
            chosen.setdefault(expectation.why, expectation)
    for expectation in chosen.values():
        print(f"\n# {expectation.who}, {expectation.why}: {expectation.expected.status}")
        print(_curl(chain, expectation, credentials))
    print(
        f"""
# Policies, rules and the identity schema of this run are yours to edit; saving is enough.
# Ctrl-C removes this folder: copy out of it what you want to keep.
#   {chain.work}
# Decisions, as they are made:
#   tail -f {chain.work / "logs" / "authorizer.log"}
# Ctrl-C stops everything.""",
        flush=True,
    )
    while True:
        threading.Event().wait(3600)


def _curl(chain: Chain, expectation: Expectation, credentials: Mapping[str, Credential]) -> str:
    known = expectation.who in credentials
    shown = f'-H "${_variable(expectation.who)}" ' if known else ""
    question = expectation.question
    method = "" if question.method == "GET" else f"-X {question.method} "
    return f"curl -i --path-as-is {method}{shown}http://{chain.proxy}{question.path}"


def _variable(name: str) -> str:
    return name.upper().replace("-", "_")


if __name__ == "__main__":
    sys.exit(main())
