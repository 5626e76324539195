"""Durations and sizes are exact, and nothing without a unit is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.source.units import seconds, size


@pytest.mark.parametrize(
    ("text", "value"),
    [("500ms", 0.5), ("2s", 2.0), ("1.5m", 90.0), ("1h", 3600.0), ("0s", 0.0), ("0.1s", 0.1)],
)
def test_a_duration_is_its_seconds(text: str, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(("text", "value"), [("1B", 1), ("64KiB", 65536), ("1MiB", 1048576)])
def test_a_size_is_its_bytes(text: str, value: int) -> None:
    assert size(text) == value


@pytest.mark.parametrize(
    "text", ["", "5", "s", "5 s", "5S", "-1s", "1e3s", "1s\n", "1d", "1KiB", "01s", "1000000s"]
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        seconds(text)


@pytest.mark.parametrize("text", ["", "5", "1kb", "1MB", "1s", "0.5KiB", "0B", "1MiB\n"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a size"):
        size(text)


@given(st.integers(0, 999_999))
def test_milliseconds_are_a_thousandth(number: int) -> None:
    assert seconds(f"{number}ms") == number / 1000
