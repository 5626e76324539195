"""The check of the demo checks: an authorizer that decides nothing does not pass it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from httpstub import Handler, serving
from polling import until
from processes import children, gone

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

DEMO = Path(__file__).parents[2] / "tools" / "demo.py"


@pytest.fixture
def stub(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of an authorizer that answers one status, whatever it is asked."""
    status = request.param

    class Deaf(Handler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

    with serving(Deaf) as address:
        yield f"http://{address}/authorize"


def demo(*arguments: str) -> list[str]:
    return [sys.executable, str(DEMO), *arguments]


@pytest.mark.parametrize(("stub", "refuted"), [(200, "403"), (403, "200")], indirect=["stub"])
def test_an_authorizer_that_always_answers_the_same_fails_the_check(
    stub: str, refuted: str, tmp_path: Path
) -> None:
    check = demo("--check", "--authorizer", stub, "--patience", "0.2", "--work", str(tmp_path))
    done = subprocess.run(check, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line[:3] in ("ok ", "NO ")]
    assert len(rows) >= 14
    for mark, _who, _method, _path, expected, *_ in rows:
        assert (mark == "NO") == (expected == refuted)


@pytest.mark.parametrize("stub", [200], indirect=True)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_demo_stops_all_that_it_started(stub: str, how: signal.Signals, tmp_path: Path) -> None:
    with subprocess.Popen(
        demo("--authorizer", stub, "--work", str(tmp_path)), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        printed = []
        for line in running.stdout:
            printed.append(line)
            if "Ctrl-C stops everything" in line:
                break
        started = children(running.pid)
        assert len(started) == 4, printed  # Kratos, Hydra, the application, Oathkeeper
        assert any("curl" in line for line in printed)
        running.send_signal(how)
        assert running.wait(60) == 0
    until(lambda: all(map(gone, started)))
    assert list(tmp_path.iterdir()) == []
