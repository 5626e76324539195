"""How the chain's callers come by what they show, without any real program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from chain import ChainError, basic, bearer, cookie, totp
from chain.browser import Browser
from chain.wire import Api
from httpstub import Handler, serving
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Iterator

# The key of RFC 6238, appendix B: the ASCII text 12345678901234567890.
RFC_KEY = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("now", "code"),
    [
        # Its table has eight digits; an authenticator app shows the last six.
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ],
)
def test_a_code_is_that_of_the_rfc(now: int, code: str) -> None:
    assert totp.code(RFC_KEY, now) == code


@given(st.floats(0, 4e9), st.integers(1, 20))
def test_a_code_holds_for_its_half_minute_whatever_the_secrets_length(
    now: float, length: int
) -> None:
    secret = RFC_KEY[:length] if length % 8 not in (1, 3, 6) else RFC_KEY
    begin = now // 30 * 30
    assert totp.code(secret, begin) == totp.code(secret, now) == totp.code(secret, begin + 29.9)


def test_a_credential_is_one_header() -> None:
    assert str(bearer("t")) == "Authorization: Bearer t"
    assert str(cookie("s")) == "Cookie: ory_kratos_session=s"
    # The example of RFC 7617, section 2.
    assert (
        str(basic("Aladdin", "open sesame")) == "Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    )


class Pages(Handler):
    """Sets cookies, redirects, and says which cookies it was sent."""

    def do_GET(self) -> None:
        body = self.headers.get("Cookie", "").encode()
        self.send_response(303 if self.path.startswith("/away") else 200)
        if self.path.startswith("/away"):
            self.send_header("Location", "/there?x=1")
        if self.path.startswith("/set"):
            self.send_header("Set-Cookie", "a=1; Path=/; HttpOnly")
            self.send_header("Set-Cookie", "b=2; Expires=Thu, 01 Jan 2998 00:00:00 GMT")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def address() -> Iterator[str]:
    with serving(Pages) as address:
        yield address


def test_a_browser_sends_the_cookies_that_it_was_given(address: str) -> None:
    browser = Browser()
    assert browser.request("GET", f"http://{address}/first").body == b""
    browser.request("GET", f"http://{address}/set")
    assert browser.request("GET", f"http://{address}/next").body == b"a=1; b=2"


def test_a_browser_says_where_it_is_sent_and_does_not_go(address: str) -> None:
    assert Browser().redirected(f"http://{address}/away") == "/there?x=1"
    with pytest.raises(ChainError, match="/first: expected a redirect, got 200"):
        Browser().redirected(f"http://{address}/first?secret=1")


def test_an_unexpected_answer_names_the_program_and_no_query(address: str) -> None:
    with pytest.raises(ChainError, match=r"^GET /x: Pages answered 200: ") as error:
        Api("Pages", address).ask("GET", "/x?challenge=c", expected=201)
    assert "challenge" not in str(error.value)
