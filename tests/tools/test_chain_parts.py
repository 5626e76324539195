"""The parts of the chain that need no real program."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

import chain.answers
import chain.program
import pytest
from chain import ChainError, Ports, Program
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from pathlib import Path


def program(folder: Path, script: str, *, ready: bool = False) -> Program:
    return Program(
        "part",
        [sys.executable, "-c", script],
        folder=folder,
        log=folder / "part.log",
        environment={},
        ready=lambda: ready,
    )


def test_a_program_that_dies_says_so_with_the_end_of_its_log(tmp_path: Path) -> None:
    part = program(tmp_path, "print('no such key'); raise SystemExit(3)")
    part.start()
    with pytest.raises(ChainError, match=r"(?s)part does not run \(exit status 3\).*no such key"):
        part.wait_until_ready()


def test_a_program_that_never_answers_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain.program, "_READY_WITHIN", 0.2)
    part = program(tmp_path, "import time; time.sleep(60)")
    part.start()
    try:
        with pytest.raises(ChainError, match="not ready within"):
            part.wait_until_ready()
    finally:
        part.kill()


def test_a_program_that_ignores_the_request_to_stop_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain.program, "_STOPPED_WITHIN", 0.3)
    script = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\n"
        "time.sleep(60)"
    )
    part = program(tmp_path, script)
    part.start()
    deadline = time.monotonic() + 10
    while "deaf" not in part.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    pid = part.pid
    chain.program.stop_all([part])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert part.wait_until_stopped() == -signal.SIGKILL


def test_stopping_what_never_ran_is_no_error(tmp_path: Path) -> None:
    chain.program.stop_all([program(tmp_path, "")])


def test_a_taken_port_is_replaced() -> None:
    with socket.socket() as listener, contextlib.suppress(OSError):
        listener.bind(("127.0.0.1", Ports().upstream))  # or somebody else has it already
        listener.listen()
        assert Ports.shipped_where_free().upstream != Ports().upstream


def test_free_ports_are_all_different_and_not_the_shipped_ones() -> None:
    ports = Ports.free()
    assert len(set(dataclasses.astuple(ports))) == len(dataclasses.fields(Ports))
    assert len(ports.differences()) == len(dataclasses.fields(Ports))


def test_rendering_changes_whole_numbers_only() -> None:
    ports = Ports(proxy=20_001, api=20_002)
    text = "url: http://<127\\.0\\.0\\.1|localhost>:4455/x # 44550 1.4455 api 4456\nport: 4456"
    assert ports.render(text) == (
        "url: http://<127\\.0\\.0\\.1|localhost>:20001/x # 44550 1.4455 api 20002\nport: 20002"
    )


@given(st.text())
def test_the_shipped_ports_change_nothing(text: str) -> None:
    assert Ports().render(text) == text


def test_ports_that_trade_places_are_rendered_once() -> None:
    assert Ports(proxy=4456, api=4455).render("4455 4456") == "4456 4455"


def test_a_decision_is_found_by_request_id_among_other_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    lines = [
        "not JSON, but r-1",
        json.dumps({"event": "started", "note": "r-1"}),
        json.dumps({"event": "authorization.decision", "request_id": "r-1", "reason": "no_route"}),
        '{"event": "authorization.decision", "request_id": "r-2", "rea',
    ]
    log.write_text("\n".join(lines))
    assert chain.answers.DecisionLog(log).find("r-1")["reason"] == "no_route"


def test_a_decision_that_was_never_logged_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain.answers, "_LOGGED_WITHIN", 0.05)
    (tmp_path / "log").touch()
    assert chain.answers.DecisionLog(tmp_path / "log").find("r-1") == {}
