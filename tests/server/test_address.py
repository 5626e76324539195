from __future__ import annotations

import pytest

from authorizer.server.address import ListenAddress, parse_listen


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.9.9.9:0", "127.9.9.9", 0, True),
        ("localhost:1", "localhost", 1, True),
        ("[::1]:8080", "::1", 8080, True),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False),  # noqa: S104 - the point of the test
        ("[::]:8080", "::", 8080, False),
        ("10.0.0.1:65535", "10.0.0.1", 65535, False),
        ("localhost.acme.test:1", "localhost.acme.test", 1, False),
    ],
)
def test_an_address_is_read_and_written_back(
    text: str,
    host: str,
    port: int,
    loopback: bool,  # noqa: FBT001 - a column of the table
) -> None:
    address = parse_listen(text)
    assert address == ListenAddress(host, port)
    assert address.is_loopback is loopback
    assert str(address) == text


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "a:", "a:b", "a:65536", "::1:80", "http://a:80", "a:80\n", "a b:1"],
)
def test_what_is_not_host_and_port_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="expected, say"):
        parse_listen(text)
