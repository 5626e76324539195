"""Who asks the questions of the faults measures the service, and not itself."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

import pytest
from faults.asking import Asker, to_authorize
from polling import until

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.integration, pytest.mark.alone]

# Seconds: of thought for each answer, and without a processor for who asks.
THOUGHT: Final = 0.1
GONE: Final = 0.5


class Thinker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(THOUGHT)
        self.send_response(200)
        self.send_header("X-Decision-Reason", "thought")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def thinking() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Thinker) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_asker_that_is_late_itself_says_so_and_makes_no_answer_late() -> None:
    """It is stopped for half a second, and reads only then what had come all the while."""
    with thinking() as address, Asker(address, [to_authorize(b"{}")], rate=50) as asker:
        until(lambda: len(asker.answers) > 10)
        asker.settled()
        stopped = time.monotonic()
        os.kill(asker.pid, signal.SIGSTOP)
        time.sleep(GONE)
        os.kill(asker.pid, signal.SIGCONT)
        went_on = time.monotonic()
        asker.settled()
    open_meanwhile = asker.between(stopped - THOUGHT / 2, stopped)
    assert len(open_meanwhile.answers) >= 1
    assert {answer.reason for answer in open_meanwhile.answers} == {"thought"}
    assert THOUGHT <= open_meanwhile.percentile(1) < GONE
    assert asker.lag(stopped, went_on) > GONE / 2


def test_nobody_there_is_an_answer_that_says_so() -> None:
    with thinking() as address:
        pass
    with Asker(address, [to_authorize(b"{}")]) as asker:
        until(lambda: len(asker.answers) > 1)
    assert {(answer.status, answer.reason) for answer in asker.answers} == {(0, "cut off")}
