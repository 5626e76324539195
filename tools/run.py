"""`make run`: the authorizer with an embedded PDP on the example, and what to ask it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from authorizer.config.loading import load
from authorizer.errors import ConfigError

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 30.0

# What Oathkeeper sends for somebody who is logged in at Kratos: the session, whole.
ALICE: dict[str, Any] = {
    "id": "a-session",
    "active": True,
    "expires_at": "2099-01-01T00:00:00Z",
    "identity": {
        "id": "alice",
        "schema_id": "person",
        "traits": {"email": "alice@acme.example", "org": "acme", "department": "finance"},
        "metadata_public": {"roles": ["editor"]},
    },
}


def question(address: str, method: str, path: str) -> str:
    """Return a curl line that asks the authorizer at `address` whether Alice may do this."""
    body = {
        "profile": "kratos",
        "subject": "alice",
        "extra": ALICE,
        "method": method,
        "url": f"http://api.example{path}",
    }
    data = shlex.quote(json.dumps(body, separators=(",", ":")))
    return f"curl -si http://{address}/authorize -H 'Content-Type: application/json' -d {data}"


def main() -> int:
    """Serve until Ctrl-C; return the exit status of `authorizer serve`."""
    try:
        address = load(environ=os.environ, cwd=ROOT).settings.server.listen
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    if answers(address):
        # Its curl lines would ask that one, and editing these rules would change nothing.
        print(
            f"Something answers at {address} already: another `make run` or `make demo`? "
            "Stop it, or change server.listen in authorizer.yaml.",
            file=sys.stderr,
        )
        return 1
    command = [str(Path(sys.executable).parent / "authorizer"), "serve"]
    serving = subprocess.Popen(command, cwd=ROOT)
    try:
        if until_ready(serving, address):
            print(
                "\nThe authorizer answers. Paste these into another terminal.\n"
                "Alice of acme views a document of acme: 200, allowed\n\n  "
                + question(address, "GET", "/orgs/acme/documents/42")
                + "\n\nand one of another organisation: 403, denied\n\n  "
                + question(address, "GET", "/orgs/globex/documents/42")
                + "\n\nNow edit rules/documents.yaml or cerbos/policies/, save, and ask again."
                "\nCtrl-C stops it.\n",
                flush=True,
            )
        elif serving.poll() is None:
            print(f"It is not ready after {READY_SECONDS:g} s: see above.", file=sys.stderr)
        return serving.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        # A terminal has sent it Ctrl-C too; asked twice, it stops as well as asked once.
        if serving.poll() is None:
            serving.terminate()
            serving.wait()


def until_ready(serving: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until it answers; False when it ended, or did not in time."""
    end = time.monotonic() + READY_SECONDS
    while serving.poll() is None and time.monotonic() < end:
        if answers(address):
            return True
        time.sleep(0.1)
    return False


def answers(address: str) -> bool:
    """Say whether something that is ready listens there."""
    connection = HTTPConnection(address, timeout=1)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def interrupt(*_: object) -> None:
    """Stop as Ctrl-C does, so that nothing is left running."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    sys.exit(main())
