"""What becomes of a call that has no answer."""

from __future__ import annotations

import grpc
import pytest

from authorizer.rpc.status import CallFailed, Code, ErrorCode, named, of_http, of_reset


def test_the_codes_are_those_of_grpc() -> None:
    assert {code.name: code.value for code in Code} == {
        code.name: code.value[0] for code in grpc.StatusCode
    }


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("400", Code.INTERNAL), ("401", Code.UNAUTHENTICATED), ("403", Code.PERMISSION_DENIED),
        ("404", Code.UNIMPLEMENTED), ("429", Code.UNAVAILABLE), ("502", Code.UNAVAILABLE),
        ("503", Code.UNAVAILABLE), ("504", Code.UNAVAILABLE),
        ("200", Code.UNKNOWN), ("201", Code.UNKNOWN), ("302", Code.UNKNOWN),
        ("500", Code.UNKNOWN), ("418", Code.UNKNOWN), ("", Code.UNKNOWN), ("abc", Code.UNKNOWN),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_grpcs_fails_by_its_http_status(status: str, code: Code) -> None:
    failure = of_http(status)
    assert (failure.code, failure.local, failure.unseen) == (code, True, False)


@pytest.mark.parametrize("status", ["", "2", "2000", "s3cret", "20\n", "٢٠٠", "200 s3cret"])
def test_a_status_that_is_none_is_not_quoted(status: str) -> None:
    assert of_http(status).details == "it answered without an HTTP status"


def test_an_http_status_is_told() -> None:
    assert of_http("503").details == "it answered with HTTP status 503, not with gRPC"


@pytest.mark.parametrize("code", range(16))
def test_a_reset_is_what_grpc_says_it_is(code: int) -> None:
    expected = {
        ErrorCode.REFUSED_STREAM: Code.UNAVAILABLE,
        ErrorCode.CANCEL: Code.CANCELLED,
        ErrorCode.ENHANCE_YOUR_CALM: Code.RESOURCE_EXHAUSTED,
        ErrorCode.INADEQUATE_SECURITY: Code.PERMISSION_DENIED,
    }
    failure = of_reset(code)
    assert failure.code is expected.get(ErrorCode(code) if code < 14 else ErrorCode.NO_ERROR,
                                        Code.INTERNAL)  # fmt: skip
    # Only that was not begun, and may be made again.
    assert failure.unseen is (code == ErrorCode.REFUSED_STREAM)


def test_an_error_has_its_name_or_its_number() -> None:
    assert named(0) == "NO_ERROR"
    assert named(0xD) == "HTTP_1_1_REQUIRED"
    assert named(2**32 - 1) == "error 4294967295"


def test_a_failure_says_its_code_and_why() -> None:
    assert str(CallFailed(Code.UNAVAILABLE, "gone")) == "UNAVAILABLE: gone"
    assert str(CallFailed(Code.UNAVAILABLE, "")) == "UNAVAILABLE"
