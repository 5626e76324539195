"""Reading a target, and where plaintext may go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from authorizer.pdp.target import (
    LONGEST_SOCKET_PATH,
    TcpTarget,
    UnixTarget,
    parse_target,
    plaintext_permitted,
)

if TYPE_CHECKING:
    import ipaddress

PORTS = st.integers(min_value=1, max_value=65_535)


@pytest.mark.parametrize(
    ("text", "target", "local", "grpc"),
    [
        ("127.0.0.1:3593", TcpTarget("127.0.0.1", 3593), True, "ipv4:127.0.0.1:3593"),
        ("127.8.9.10:1", TcpTarget("127.8.9.10", 1), True, "ipv4:127.8.9.10:1"),
        ("10.0.0.1:3593", TcpTarget("10.0.0.1", 3593), False, "ipv4:10.0.0.1:3593"),
        ("0.0.0.0:3593", TcpTarget("0.0.0.0", 3593), False, "ipv4:0.0.0.0:3593"),  # noqa: S104 - read, not bound
        ("[::1]:3593", TcpTarget("::1", 3593), True, "ipv6:[::1]:3593"),
        ("[::ffff:127.0.0.1]:9", TcpTarget("::ffff:127.0.0.1", 9), True, None),
        ("[::ffff:10.0.0.1]:9", TcpTarget("::ffff:10.0.0.1", 9), False, None),
        ("[2001:db8::1]:9", TcpTarget("2001:db8::1", 9), False, "ipv6:[2001:db8::1]:9"),
        ("localhost:3593", TcpTarget("localhost", 3593), True, "dns:///localhost:3593"),
        ("LocalHost.:3593", TcpTarget("LocalHost.", 3593), True, "dns:///LocalHost.:3593"),
        ("localhost.evil.test:1", TcpTarget("localhost.evil.test", 1), False, None),
        ("cerbos:3593", TcpTarget("cerbos", 3593), False, "dns:///cerbos:3593"),
        ("my_pdp.ns.svc:65535", TcpTarget("my_pdp.ns.svc", 65_535), False, None),
        ("unix:/run/c.sock", UnixTarget("/run/c.sock"), True, "unix:/run/c.sock"),
        ("unix:///run/c.sock", UnixTarget("/run/c.sock"), True, "unix:/run/c.sock"),
        ("unix:/a b/%.sock", UnixTarget("/a b/%.sock"), True, "unix:/a%20b/%25.sock"),
    ],
)
def test_a_target_is_read_with_its_meaning(
    text: str, target: TcpTarget | UnixTarget, *, local: bool, grpc: str | None
) -> None:
    assert parse_target(text) == target
    assert target.local is local
    assert grpc is None or target.grpc == grpc


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no port"),
        ("cerbos", "has no port"),
        (":3593", "has no host"),
        ("cerbos:", "no port from 1"),
        ("cerbos:0", "no port from 1"),
        ("cerbos:65536", "no port from 1"),
        ("cerbos:grpc", "no port from 1"),
        ("cerbos:\u0663", "no port from 1"),
        ("cerbos:-1", "no port from 1"),
        ("::1:3593", "in brackets"),
        ("[::1]", "in brackets"),
        ("[127.0.0.1]:1", "no IPv6 address"),
        ("[fe80::1%eth0]:1", "without a zone"),
        ("999.0.0.1:1", "IPv4 address that is none"),
        ("2130706433:1", "IPv4 address that is none"),
        ("127.1:1", "IPv4 address that is none"),
        ("http://cerbos:3592", "without a scheme"),
        ("dns:///cerbos:3593", "without a scheme"),
        ("cerbos:3593/", "without a scheme"),
        ("user@cerbos:3593", "cannot have"),
        ("cer bos:3593", "cannot have"),
        ("-cerbos:3593", "cannot have"),
        ("a..b:3593", "cannot have"),
        ("unix:", "names no socket"),
        ("unix:/", "names no socket"),
        ("unix:c.sock", "names no socket"),
        ("unix:/a\0b", "names no socket"),
        ("unix:/" + "x" * LONGEST_SOCKET_PATH, "bytes long"),
    ],
)
def test_what_is_no_target_is_refused_with_what_was_expected(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=r"target|expected|write|holds") as caught:
        parse_target(text)
    assert why in str(caught.value)


@given(st.ip_addresses(), PORTS)
def test_an_address_is_read_back_as_it_was_written(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int
) -> None:
    target = TcpTarget(str(address), port)
    if "%" not in str(address):
        assert parse_target(str(target)) == target


@given(st.text())
def test_anything_else_is_a_valueerror_and_nothing_worse(text: str) -> None:
    try:
        target = parse_target(text)
    except ValueError:
        return
    assert parse_target(str(target)) == target


def test_plaintext_stays_on_this_machine_unless_told_otherwise() -> None:
    here, there = parse_target("[::1]:1"), parse_target("cerbos:1")
    assert plaintext_permitted(here, insecure_plaintext=False)
    assert plaintext_permitted(parse_target("unix:/c.sock"), insecure_plaintext=False)
    assert not plaintext_permitted(there, insecure_plaintext=False)
    assert plaintext_permitted(there, insecure_plaintext=True)
