"""No text that is shown can move a cursor, end a line, or carry a value out of an exception."""

from __future__ import annotations

import errno
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.errors import Problem, RulesError
from authorizer.instrumentation.safe_text import describe_exception, printable


def caught(error: BaseException, cause: BaseException | None = None) -> BaseException:
    secret = "local-variable-5f1c"  # noqa: F841, S105 - a local that must not be shown
    try:
        raise error from cause  # noqa: TRY301 - the test wants a traceback
    except BaseException as raised:  # noqa: BLE001 - of any kind
        return raised


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("/städte/北京", "/städte/北京"),
        ("a\r\nb", r"a\r\nb"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\u2028b", r"a\u2028b"),
        ("a\u202eb", r"a\u202eb"),
        ("a\x9b31mb", r"a\x9b31mb"),
        ("\ud800", r"\ud800"),
    ],
)
def test_escapes_what_would_not_show_as_itself(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_is_left_that_controls_anything(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert not [c for c in shown if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    if text.isprintable():
        assert shown == text


def test_an_exception_is_told_without_locals_and_without_foreign_messages() -> None:
    text = describe_exception(caught(ValueError("trait-9a2b"), KeyError("cookie-77d0")))
    assert "trait-9a2b" not in text
    assert "cookie-77d0" not in text
    assert "local-variable-5f1c" not in text.replace('secret = "local-variable-5f1c"', "")
    assert "builtins.ValueError" in text
    assert "builtins.KeyError" in text
    assert "in caught" in text


def test_the_message_of_a_foreign_exception_is_not_shown() -> None:
    cookie = f"session={8 * 9}f"
    assert "72f" not in describe_exception(caught(RuntimeError(cookie)))


def test_messages_of_our_own_errors_are_told_and_cannot_end_the_line() -> None:
    text = describe_exception(caught(RulesError([Problem("a.yaml", 3, 1, "odd\nforged line")])))
    assert text.splitlines()[-1].endswith(r"RulesError: a.yaml:3:1: odd\nforged line")


def test_the_operating_system_may_say_what_failed() -> None:
    error = caught(PermissionError(errno.EACCES, "Permission denied", "/etc/rules.yaml"))
    assert "PermissionError: Permission denied: /etc/rules.yaml" in describe_exception(error)


def test_a_group_names_what_it_holds() -> None:
    text = describe_exception(caught(ExceptionGroup("g", [KeyError("value")])))
    assert "which holds:" in text
    assert "  builtins.KeyError" in text


def test_a_chain_that_leads_back_ends() -> None:
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    assert describe_exception(one).count("which led to") == 1
