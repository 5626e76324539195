"""Whoever logs never waits for whoever reads the log, and what was lost is counted."""

from __future__ import annotations

import os
import resource
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from polling import until

from authorizer.instrumentation.writer import LineWriter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from logpipe import Pipe


def writer(descriptor: int, *, limit: int = 1000) -> LineWriter:
    return LineWriter(
        descriptor,
        lambda event: str(event["text"]),
        limit=limit,
        on_loss=lambda count: {"text": f"lost {count}"},
    )


def test_writes_lines_in_order_and_all_of_them_before_it_closes(pipe: Pipe) -> None:
    log = writer(pipe.write_end)
    for number in range(500):
        log.put({"text": number})
    assert log.close(5)
    assert pipe.read().split() == [str(number).encode() for number in range(500)]
    assert log.dropped == 0


def test_a_full_queue_drops_and_counts_and_nobody_waits(pipe: Pipe) -> None:
    pipe.fill()
    log = writer(pipe.write_end, limit=10)
    for number in range(5000):
        log.put({"text": number})  # would hang here, were it to wait for the pipe
    assert log.dropped >= 5000 - 10 - 32 - 1
    assert not log.close(0.05), "a reader that never reads does not hold up the end"


def test_says_how_much_was_lost_as_soon_as_it_can_write_again(pipe: Pipe) -> None:
    pipe.fill()
    log = writer(pipe.write_end, limit=5)
    for number in range(500):
        log.put({"text": number})
    lost = log.dropped
    pipe.read()
    assert log.close(5)
    written = pipe.read().decode().splitlines()
    assert f"lost {lost}" in written
    assert len([line for line in written if not line.startswith("lost")]) == 500 - lost


def test_a_reader_that_goes_away_is_survived(pipe: Pipe) -> None:
    log = writer(pipe.write_end)
    pipe.close_reader()
    for _ in range(100):
        log.put({"text": "unheard"})
    until(lambda: log.dropped == 100)
    assert log.close(5)


def test_a_full_disk_loses_lines_but_tears_none_of_those_that_follow(tmp_path: Path) -> None:
    # A limit to the size of a file stands in for a full disk: a write comes short, then fails.
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    log = writer(descriptor)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        log.put({"text": "whole"})
        log.put({"text": "cut off here"})
        until(lambda: log.dropped == 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    log.put({"text": "next"})
    assert log.close(5)
    os.close(descriptor)
    assert path.read_text() == "whole\ncut \nlost 1\nnext\n"


def test_a_pipe_that_someone_made_non_blocking_is_waited_for(pipe: Pipe) -> None:
    pipe.fill()
    os.set_blocking(pipe.write_end, False)
    log = writer(pipe.write_end)
    log.put({"text": "patient"})
    pipe.read()
    assert log.close(5)
    assert pipe.read() == b"patient\n"


def test_a_line_that_cannot_be_rendered_is_counted_and_the_next_is_written(pipe: Pipe) -> None:
    log = writer(pipe.write_end)
    log.put({})
    log.put({"text": "fine"})
    assert log.close(5)
    assert b"fine\n" in pipe.read()
    assert log.dropped == 1


def test_what_comes_after_closing_is_counted_as_lost(pipe: Pipe) -> None:
    log = writer(pipe.write_end)
    assert log.close(5)
    assert log.close(5)
    log.put({"text": "late"})
    assert log.dropped == 1
    assert pipe.read() == b""


def test_many_threads_may_log_at_once(pipe: Pipe) -> None:
    log = writer(pipe.write_end, limit=10_000)
    events: list[dict[str, Any]] = [{"text": "x" * 9}] * 250

    def put_all() -> None:
        for event in events:
            log.put(event)

    threads = [threading.Thread(target=put_all) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert log.close(5)
    assert pipe.read() == b"xxxxxxxxx\n" * 2000


def test_closing_the_original_descriptor_does_not_redirect_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    log = writer(descriptor)
    os.close(descriptor)
    log.put({"text": "still here"})
    assert log.close(5)
    assert path.read_text() == "still here\n"


@pytest.fixture(autouse=True)
def _no_thread_is_left(pipe: Pipe) -> Iterator[None]:
    yield
    pipe.close_reader()
    until(lambda: not any(thread.name == "log-writer" for thread in threading.enumerate()))
