"""A plain scalar means what JSON says, or text; all that readers of YAML disagree on is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from authorizer.source.scalars import Surprise, read_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("False", False),
        ("0", 0),
        ("-7", -7),
        ("9223372036854775807", 2**63 - 1),
        ("0.5", 0.5),
        ("-1.5e-3", -0.0015),
        ("1e3", 1000.0),
        ("text", "text"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("/orgs/{org}", "/orgs/{org}"),
        ("500ms", "500ms"),
        ("1MiB", "1MiB"),
        ("1.2.3", "1.2.3"),
        ("2024-1", "2024-1"),
        ("nothing", "nothing"),
        ("only", "only"),
        ("-", "-"),
        ("8080:99", "8080:99"),
    ],
)
def test_what_everyone_reads_alike_is_accepted(text: str, value: object) -> None:
    found = read_plain(text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        *((text, "false") for text in ("NO", "no", "No", "n", "N", "off", "Off", "OFF")),
        *((text, "true") for text in ("YES", "yes", "y", "Y", "on", "On", "ON")),
        ("010", ""),
        ("007", ""),
        ("08", ""),
        ("0o10", ""),
        ("0x1F", ""),
        ("0b11", ""),
        ("1_000", "1000"),
        ("1_0.5", "10.5"),
        ("+49", "49"),
        (".5", "0.5"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("1:30", ""),
        ("190:20:30", ""),
        ("1:30.5", ""),
        ("2024-01-01", ""),
        ("2001-12-14t21:59:43.10-05:00", ""),
        ("2001-12-15 2:59:43.10", ""),
        (".inf", ""),
        ("-.INF", ""),
        (".NaN", ""),
        ("=", ""),
        ("<<", ""),
        ("9223372036854775808", ""),
        ("1e999", ""),
        ("9" * 5000, ""),
    ],
)
def test_a_surprise_is_refused_with_what_to_write_instead(text: str, instead: str) -> None:
    found = read_plain(text)
    assert isinstance(found, Surprise)
    assert found.instead == instead


@given(st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False))
def test_every_json_scalar_keeps_its_meaning(value: float | None) -> None:
    found = read_plain(json.dumps(value))
    if isinstance(value, float) and math.isinf(value):
        assert found in {"Infinity", "-Infinity"}  # as YAML reads Python's own invention
    else:
        assert found == value
        assert type(found) is type(value)


# What looks like a number, a date or a word that means something.
_CLOSE = st.text("0123456789abcefoxEX+-._:~=<yYnNtTrRuUlLsS ", max_size=12).map(str.strip)


@given(_CLOSE)
def test_nothing_is_text_here_that_pyyaml_reads_as_something_else(text: str) -> None:
    """PyYAML's own YAML 1.1 resolver is a second opinion: what it resolves is never a string."""
    resolve: Any = yaml.SafeLoader("").resolve
    tag = resolve(yaml.ScalarNode, text, (True, False))
    if tag != "tag:yaml.org,2002:str":
        assert not isinstance(read_plain(text), str)
