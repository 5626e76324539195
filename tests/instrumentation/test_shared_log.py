"""Several processes that write to one log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Final

from polling import PATIENCE

WRITER: Final = """\
import sys
from authorizer.config.settings import Log
from authorizer.instrumentation.logging import Shared, start
worker, lock = map(int, sys.argv[1:])
log = start(Log(queue=1000), shared=Shared(lock, worker))
for number in range(200):
    log.write("info", "test.line", {"number": number, "text": "x" * 3000})
assert log.close(60)
"""


def test_lines_of_several_processes_stay_whole_and_bear_the_number_of_theirs() -> None:
    """Also in a pipe that is full most of the time, which takes 4 KiB at once and no more."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as lock, os.fdopen(reading, "rb") as log:
        writers = [
            subprocess.Popen(
                [sys.executable, "-c", WRITER, str(number), str(lock.fileno())],
                stdout=writing,
                pass_fds=[lock.fileno()],
            )
            for number in (1, 2, 3)
        ]
        os.close(writing)
        events = [json.loads(line) for line in log]
        assert [writer.wait(PATIENCE) for writer in writers] == [0, 0, 0]
    for worker in (1, 2, 3):
        numbers = [event["number"] for event in events if event["worker"] == worker]
        assert numbers == list(range(200))
