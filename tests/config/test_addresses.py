"""One grammar says what an address is, for what we listen on and for what we connect to."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.config.addresses import (
    LONGEST_SOCKET_PATH,
    DnsName,
    TcpAddress,
    UnixAddress,
    parse_endpoint,
    parse_listener,
    parse_target,
)


@pytest.mark.parametrize(
    ("text", "address", "local"),
    [
        ("127.0.0.1:3593", TcpAddress("127.0.0.1", 3593), True),
        ("127.8.9.1:1", TcpAddress("127.8.9.1", 1), True),
        ("localhost:65535", TcpAddress("localhost", 65535), True),
        ("LOCALHOST.:1", TcpAddress("LOCALHOST.", 1), True),
        ("[::1]:3593", TcpAddress("::1", 3593), True),
        ("[::ffff:127.0.0.1]:1", TcpAddress("::ffff:127.0.0.1", 1), True),
        ("0.0.0.0:80", TcpAddress("0.0.0.0", 80), False),  # noqa: S104 - the example
        ("[::]:80", TcpAddress("::", 80), False),
        ("cerbos.internal:3593", TcpAddress("cerbos.internal", 3593), False),
        ("localhost.evil.test:1", TcpAddress("localhost.evil.test", 1), False),
        ("pdp_1:3593", TcpAddress("pdp_1", 3593), False),
        ("unix:/run/cerbos.sock", UnixAddress("/run/cerbos.sock"), True),
        ("unix:///run/cerbos.sock", UnixAddress("/run/cerbos.sock"), True),
    ],
)
def test_what_is_an_address_is_read_and_known_to_be_local_or_not(
    text: str, address: object, *, local: bool
) -> None:
    found = parse_target(text)
    assert found == address
    assert found.local is local
    assert parse_target(str(found)) == found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "has no port"),
        ("localhost", "has no port"),
        (":3593", "has no host"),
        ("localhost:", "has no port from 1 to 65535"),
        ("localhost:0", "has no port from 1 to 65535"),
        ("localhost:65536", "has no port from 1 to 65535"),
        ("localhost:\uff11", "has no port from 1 to 65535"),
        ("localhost:" + "9" * 5000, "has no port from 1 to 65535"),
        ("::1:3593", "in brackets"),
        ("[::1%eth0]:1", "without a zone"),
        ("[localhost]:1", "has no IPv6 address"),
        ("999.1.1.1:1", "has an IPv4 address that is none"),
        ("127.1:1", "has an IPv4 address that is none"),
        ("-x:1", "has a host that is no name"),
        ("a b:1", "has a host that is no name"),
        (f"{'a' * 64}:1", "has a host that is no name"),
        ("http://localhost:1", "without a scheme"),
        ("unix:relative.sock", "names no socket"),
        ("unix:/", "names no socket"),
        ("unix:/" + "x" * LONGEST_SOCKET_PATH, "holds at most"),
    ],
)
def test_what_is_no_address_is_refused_with_what_was_expected(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        parse_target(text)


@pytest.mark.parametrize(
    ("text", "name", "local"),
    [
        ("dns:///cerbos.internal:3593", DnsName("cerbos.internal", 3593), False),
        ("dns:///localhost:1", DnsName("localhost", 1), True),
        ("dns:///[::1]:1", DnsName("::1", 1), True),
    ],
)
def test_a_name_may_stand_for_all_its_addresses(text: str, name: DnsName, *, local: bool) -> None:
    found = parse_endpoint(text)
    assert found == name
    assert found.local is local
    assert parse_endpoint(str(found)) == found


@pytest.mark.parametrize("text", ["dns://8.8.8.8/a:1", "dns:a:1", "dns:///a", "dns:////a:1"])
def test_no_other_way_to_write_a_name_is_taken(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected host:port|is ambiguous"):
        parse_endpoint(text)


@pytest.mark.parametrize("text", ["127.0.0.1:3593", "unix:/run/cerbos.sock", "cerbos:3593"])
def test_an_endpoint_may_be_any_address_too(text: str) -> None:
    assert parse_endpoint(text) == parse_target(text)


def test_a_listener_may_take_any_free_port_but_is_no_socket() -> None:
    assert parse_listener("127.0.0.1:0") == TcpAddress("127.0.0.1", 0)
    for text in ("unix:/run/a.sock", "127.0.0.1", ":8080", "127.0.0.1:65536"):
        with pytest.raises(ValueError, match=r"expected host:port|no port from 0"):
            parse_listener(text)


@given(st.text("[]:./0123456789abcfux_-% ", max_size=20) | st.text(max_size=10))
def test_any_text_is_an_address_that_survives_a_round_trip_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_target(str(parse_target(text))) == parse_target(text)
