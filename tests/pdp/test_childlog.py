"""Cerbos's log lines, folded into ours."""

from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.pdp.childlog import ChildLine, read_line


def line(**fields: object) -> str:
    return json.dumps({"log.level": "info", "log.logger": "cerbos.grpc", "message": "m"} | fields)


@pytest.mark.parametrize(
    ("named", "level"),
    [
        ("debug", logging.DEBUG),
        ("info", logging.INFO),
        ("warn", logging.WARNING),
        ("error", logging.ERROR),
        ("panic", logging.CRITICAL),
        ("unheard of", logging.WARNING),
    ],
)
def test_levels_are_ours(named: str, level: int) -> None:
    assert read_line(line(**{"log.level": named})).level == level


def test_which_file_is_broken_is_kept() -> None:
    failures = [{"file": "bad.yaml", "error": "sequence end token ']' not found"}]
    read = read_line(line(message="Index build failed", load_failures=failures, error="e"))
    assert read.message == "Index build failed"
    assert read.error == "e"
    assert read.problems == ("bad.yaml: sequence end token ']' not found",)


def test_what_may_hold_a_callers_values_is_left_out() -> None:
    read = read_line(line(**{"grpc.request.meta": {"request_id": "secret"}, "peer": "secret"}))
    assert "secret" not in repr(read)


def test_an_error_about_a_question_names_the_expression_and_quotes_no_value() -> None:
    """What Cerbos 0.55 writes for a condition that reads a map by one of the caller's traits."""
    expression = "R.attr.members[P.attr.email]"
    read = read_line(
        line(
            **{"log.level": "warn", "grpc.method": "CheckResources"},
            message="Error evaluating CEL expression",
            expression=expression,
            error="no such key: anna@acme.test",
        )
    )
    assert read.error == expression
    assert "anna" not in repr(read)


def test_that_nobody_collects_traces_is_no_warning() -> None:
    text = "Disabling OTLP traces because neither OTEL_EXPORTER_OTLP_ENDPOINT nor ... is defined"
    assert read_line(line(message=text, **{"log.level": "warn"})).level == logging.DEBUG


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_line_at_all_is_read(text: str) -> None:
    """Go's own panics are not JSON."""
    assert read_line(text) == ChildLine(logging.WARNING, "cerbos", text.strip())


@given(st.dictionaries(st.sampled_from(["log.level", "message", "load_failures"]), st.text()))
def test_any_object_is_read(fields: dict[str, str]) -> None:
    read_line(json.dumps(fields))
