"""`make run`: the authorizer with an embedded PDP on the example, and what to ask it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import time
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ADDRESS = "127.0.0.1:8080"
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


def question(method: str, path: str) -> str:
    """Return a curl line that asks whether Alice may do this."""
    body = {
        "profile": "kratos",
        "subject": "alice",
        "extra": ALICE,
        "method": method,
        "url": f"http://api.example{path}",
    }
    data = shlex.quote(json.dumps(body, separators=(",", ":")))
    return f"curl -si http://{ADDRESS}/authorize -H 'Content-Type: application/json' -d {data}"


def main() -> int:
    """Serve until Ctrl-C; return the exit status of `authorizer serve`."""
    command = [str(Path(sys.executable).parent / "authorizer"), "serve"]
    serving = subprocess.Popen(command, cwd=ROOT)
    try:
        if until_ready(serving):
            print(
                "\nThe authorizer answers. Paste these into another terminal.\n"
                "Alice of acme views a document of acme: 200, allowed\n\n  "
                + question("GET", "/orgs/acme/documents/42")
                + "\n\nand one of another organisation: 403, denied\n\n  "
                + question("GET", "/orgs/globex/documents/42")
                + "\n\nNow edit rules/documents.yaml or cerbos/policies/, save, and ask again."
                "\nCtrl-C stops it.\n",
                flush=True,
            )
        return serving.wait()
    except KeyboardInterrupt:
        # The terminal has sent it the same signal.
        return serving.wait()
    finally:
        if serving.poll() is None:
            serving.terminate()
            serving.wait()


def until_ready(serving: subprocess.Popen[bytes]) -> bool:
    """Wait until it answers; False when it ended, or did not in time."""
    end = time.monotonic() + READY_SECONDS
    while serving.poll() is None and time.monotonic() < end:
        connection = HTTPConnection(ADDRESS, timeout=1)
        try:
            connection.request("GET", "/health/ready")
            if connection.getresponse().status == HTTPStatus.OK:
                return True
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    return False


if __name__ == "__main__":
    sys.exit(main())
