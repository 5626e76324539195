"""One log for the whole process, in which no caller can write a line."""

from __future__ import annotations

import asyncio
import datetime as dt
import io
import json
import logging
import os
import pty
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from logpipe import Pipe
from polling import until

from authorizer.config.settings import Log, LogFormat, LogLevel
from authorizer.instrumentation import logging as process_log
from authorizer.instrumentation.decision_log import DecisionLog
from authorizer.model import CheckRecord, DecisionRecord, Deny, Reason

if TYPE_CHECKING:
    from collections.abc import Iterator

    from authorizer.instrumentation.logging import RunningLog

NASTY = "a\r\nb\x1b[2J\x9b31m\u2028\u202e\x85\x7f\x00\ud800\"'\\"
FORMATS = pytest.mark.parametrize("log_format", [LogFormat.JSON, LogFormat.CONSOLE])


def configured(pipe: Pipe, **keys: Any) -> RunningLog:  # noqa: ANN401 - settings
    keys.setdefault("format", LogFormat.JSON)
    return process_log.start(Log(**keys), descriptor=pipe.write_end)


@pytest.fixture
def log(pipe: Pipe) -> Iterator[RunningLog]:
    log = configured(pipe)
    yield log
    log.close()


def controls(text: str) -> list[str]:
    return [c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


def test_an_event_is_one_line_of_json_with_time_level_and_name(pipe: Pipe, log: RunningLog) -> None:
    structlog.get_logger().warning("rules.reloaded", routes=3, where="städte")
    assert log.close()
    (event,) = pipe.events()
    stamp = event.pop("timestamp")
    assert event == {"level": "warning", "event": "rules.reloaded", "routes": 3, "where": "städte"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", stamp)
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(stamp)
    assert dt.timedelta() <= age < dt.timedelta(minutes=1)


def test_what_is_below_the_level_is_not_written(pipe: Pipe) -> None:
    log = configured(pipe, level=LogLevel.WARNING)
    structlog.get_logger().info("quiet")
    logging.getLogger("aiohttp.server").info("quiet")
    structlog.get_logger().error("loud")
    logging.getLogger("aiohttp.server").error("loud")
    log.close()
    assert [event["event"] for event in pipe.events()] == ["loud", "loud"]


def test_the_standard_library_s_loggers_end_up_in_the_same_log(pipe: Pipe, log: RunningLog) -> None:
    logging.getLogger("grpc").warning("lost %s", "a connection")
    logging.getLogger("aiohttp.web").log(35, "between two levels")
    log.close()
    first, second = pipe.events()
    assert (first["logger"], first["event"], first["level"]) == (
        "grpc", "lost a connection", "warning",
    )  # fmt: skip
    assert second["level"] == "warning"


def test_arguments_that_do_not_fit_cost_the_arguments_only(
    pipe: Pipe, log: RunningLog, capsys: pytest.CaptureFixture[str]
) -> None:
    record = logging.makeLogRecord(
        {"name": "grpc", "levelno": 40, "msg": "two: %s %s", "args": ("value-4711",)}
    )
    # Ours only: the handlers of pytest make an exception of it.
    log._handler.handle(record)
    log.close()
    assert [event["event"] for event in pipe.events()] == ["two: %s %s"]
    assert "value-4711" not in capsys.readouterr().err


def test_asyncio_s_report_of_a_lost_exception_tells_no_value(pipe: Pipe, log: RunningLog) -> None:
    loop = asyncio.new_event_loop()
    loop.call_exception_handler(
        {"message": "Task failed", "exception": KeyError("trait-1f"), "what": "trait-2f"}
    )
    loop.close()
    log.close()
    text = pipe.read().decode()
    assert '"event": "Task failed"' in text
    assert "KeyError" in text
    assert "trait-" not in text


@FORMATS
def test_an_exception_is_told_without_locals_and_foreign_messages(
    pipe: Pipe, log_format: LogFormat
) -> None:
    log = configured(pipe, format=log_format)

    def fails(token: str) -> None:
        raise ValueError(token)

    for complain in (structlog.get_logger().exception, logging.getLogger("aiohttp").exception):
        try:
            fails(f"token-{6 * 7}")
        except ValueError:
            complain("broken")
    log.close()
    text = pipe.read().decode()
    assert text.count("builtins.ValueError") == 2
    assert "in fails" in text
    assert "token-42" not in text


def forged(text: str) -> DecisionRecord:
    return DecisionRecord(
        decision_id="d",
        outcome=Deny(Reason.NO_ROUTE, text),
        request_id=text,
        route=text,
        subject=text,
        profile=text,
        method=text,
        host=text,
        path=text,
        checks=(CheckRecord(text, text, text, text),),
        cerbos_call_id=text,
    )


FIELDS = st.dictionaries(
    st.text("abc_", min_size=1),
    st.recursive(
        st.none() | st.text() | st.integers(-(2**53), 2**53) | st.integers(0, 10**9).map(float),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    ),
)


@FORMATS
@settings(max_examples=50, deadline=None)
@given(FIELDS, st.sampled_from(["info", "warning", "error"]))
def test_what_is_written_past_structlog_is_the_same_line(
    log_format: LogFormat, fields: dict[str, Any], level: str
) -> None:
    pipe = Pipe()
    log = configured(pipe, format=log_format)
    log.write(level, "a.b", fields)
    getattr(structlog.get_logger().bind(**fields), level)("a.b")
    assert log.close()
    ours, theirs = pipe.read().decode().splitlines()
    pipe.close()
    stamp = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
    if log_format is LogFormat.JSON:
        ours, theirs = (json.dumps(json.loads(line), sort_keys=True) for line in (ours, theirs))
    assert stamp.sub("T", ours, 1) == stamp.sub("T", theirs, 1)


def test_what_is_below_the_level_is_not_written_past_structlog_either(pipe: Pipe) -> None:
    log = configured(pipe, level=LogLevel.WARNING)
    log.write("info", "quiet", {})
    log.write("error", "loud", {})
    log.close()
    assert [event["event"] for event in pipe.events()] == ["loud"]


@FORMATS
@settings(max_examples=30, deadline=None)
@given(st.text().map(lambda text: text + NASTY))
def test_a_caller_can_neither_forge_a_line_nor_command_a_terminal(
    log_format: LogFormat, text: str
) -> None:
    pipe = Pipe()
    log = configured(pipe, format=log_format)
    DecisionLog(log).record(forged(text))
    structlog.get_logger().info(text, key=text)
    logging.getLogger("aiohttp.server").error(text)
    assert log.close()
    assert log.dropped == 0
    written = pipe.read().decode()
    pipe.close()
    lines = written.split("\n")
    assert lines.pop() == ""
    assert len(lines) == 3
    assert not controls("".join(lines))
    if log_format is LogFormat.JSON:
        first = json.loads(lines[0])
        assert first["path"] == first["checks"][0]["id"] == text


@FORMATS
@pytest.mark.parametrize("character", list("\r\n\x1b\x00\x7f\x85\x9b\u2028\u202e\u2066\ud800"))
def test_each_of_them_is_escaped_even_where_it_stands_alone(
    pipe: Pipe, log_format: LogFormat, character: str
) -> None:
    # structlog's console quotes a text that holds a space, and a quoted text is escaped anyway.
    log = configured(pipe, format=log_format)
    structlog.get_logger().info("odd", path=f"/a{character}b")
    assert log.close()
    line = pipe.read().decode()
    assert line.endswith("\n")
    assert not controls(line[:-1])


def test_a_terminal_gets_the_console_s_form_and_a_pipe_gets_json(pipe: Pipe) -> None:
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    try:
        log = process_log.start(Log(), descriptor=theirs)
        structlog.get_logger().info("hello", subject=NASTY)
        assert log.close()
        text = os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert "hello" in text
    assert "\x1b[2J" not in text  # colours there are, but none of the caller's commands
    assert not text.lstrip().startswith("{")

    log = process_log.start(Log(), descriptor=pipe.write_end)
    structlog.get_logger().info("hello")
    log.close()
    assert [event["event"] for event in pipe.events()] == ["hello"]


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    ours, theirs = pty.openpty()
    try:
        log = process_log.start(Log(), descriptor=theirs)
        structlog.get_logger().info("hello")
        assert log.close()
        assert b"\x1b" not in os.read(ours, 1 << 16)
    finally:
        os.close(ours)
        os.close(theirs)


async def test_a_blocked_output_holds_up_no_decision(pipe: Pipe) -> None:
    pipe.fill()
    log = configured(pipe, queue=20)
    decisions = DecisionLog(log)
    for number in range(2000):
        decisions.record(forged(f"/{number}"))  # would hang here, were it to wait
        await asyncio.sleep(0)
    assert log.dropped > 0
    pipe.read()
    assert log.close()


def test_lost_lines_are_told_in_the_log_itself(pipe: Pipe) -> None:
    pipe.fill()
    log = configured(pipe, queue=5)
    for _ in range(200):
        structlog.get_logger().info("many")
    lost = log.dropped
    pipe.read()
    until(lambda: log.close(0.05))
    told = [event for event in pipe.events() if event["event"] == "log.dropped"]
    assert [event["lines"] for event in told] == [lost]
    assert told[0]["level"] == "warning"
    assert "timestamp" in told[0]


def test_closing_leaves_logging_as_it_was(pipe: Pipe) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, structlog.get_config())
    configured(pipe).close()
    assert (list(root.handlers), root.level) == before[:2]
    assert not structlog.is_configured()


def test_a_logger_from_before_the_start_writes_into_the_running_log(pipe: Pipe) -> None:
    early = structlog.get_logger()
    log = configured(pipe)
    early.info("heard")
    log.close()
    assert [event["event"] for event in pipe.events()] == ["heard"]


def test_values_that_json_does_not_know_are_told_all_the_same(pipe: Pipe, log: RunningLog) -> None:
    structlog.get_logger().info("odd", value=io.SEEK_SET, kind=LogLevel.INFO, many=(1, 2))
    log.close()
    (event,) = pipe.events()
    assert event["many"] == [1, 2]
    assert log.dropped == 0


@given(st.integers(min_value=0, max_value=4_000_000_000), st.just(0) | st.integers(0, 999_999))
def test_a_line_has_the_time_as_structlog_writes_it(second: int, microsecond: int) -> None:
    nanoseconds = (second * 1_000_000 + microsecond) * 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("authorizer.instrumentation.logging.time.time_ns", lambda: nanoseconds)
        said = process_log._now()
    there = dt.datetime.fromtimestamp(second, dt.UTC).replace(microsecond=microsecond)
    assert said == there.isoformat().replace("+00:00", "Z")
