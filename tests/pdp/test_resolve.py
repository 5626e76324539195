"""Names that stand for several PDPs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from polling import eventually

from authorizer.config.addresses import DnsName, TcpAddress
from authorizer.errors import ConfigError
from authorizer.pdp.resolve import Resolver, lookup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME: Final = DnsName("pdps.test", 3593)


class Dns:
    """Answers what it is told to, and remembers what it was told of it."""

    def __init__(self) -> None:
        self.addresses: Sequence[str] | OSError = []
        self.told: list[list[str]] = []
        self.asked = 0
        self.refuse = False

    async def lookup(self, name: DnsName) -> Sequence[TcpAddress]:
        self.asked += 1
        if isinstance(self.addresses, OSError):
            raise self.addresses
        return [TcpAddress(address, name.port) for address in self.addresses]

    def on_change(self, found: Mapping[DnsName, Sequence[TcpAddress]]) -> None:
        if self.refuse:
            raise ConfigError([])
        self.told.append([address.host for address in found[NAME]])


async def test_changes_are_told_and_nothing_else_is() -> None:
    dns = Dns()
    resolver = Resolver([NAME], on_change=dns.on_change, lookup=dns.lookup)
    for addresses in ([], ["10.0.0.1"], ["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.2"]):
        dns.addresses = addresses
        await resolver.refresh()
    assert dns.told == [["10.0.0.1"], ["10.0.0.1", "10.0.0.2"], ["10.0.0.2"]]


async def test_a_name_that_cannot_be_looked_up_keeps_its_addresses() -> None:
    dns = Dns()
    resolver = Resolver([NAME], on_change=dns.on_change, lookup=dns.lookup)
    dns.addresses = ["10.0.0.1"]
    await resolver.refresh()
    dns.addresses = OSError("Temporary failure in name resolution")
    await resolver.refresh()
    assert dns.told == [["10.0.0.1"]]


async def test_what_could_not_be_taken_is_told_again() -> None:
    dns = Dns()
    resolver = Resolver([NAME], on_change=dns.on_change, lookup=dns.lookup)
    dns.addresses, dns.refuse = ["10.0.0.1"], True
    await resolver.refresh()
    dns.refuse = False
    await resolver.refresh()
    assert dns.told == [["10.0.0.1"]]


async def test_it_looks_again_and_again() -> None:
    dns = Dns()
    resolver = Resolver([NAME], on_change=dns.on_change, lookup=dns.lookup, every=0.001)
    task = asyncio.create_task(resolver.run())
    dns.addresses = ["10.0.0.1"]
    await eventually(lambda: dns.told == [["10.0.0.1"]])
    dns.addresses = ["10.0.0.2"]
    await eventually(lambda: dns.told[1:] == [["10.0.0.2"]])
    task.cancel()
    await asyncio.wait([task])


async def test_the_system_is_asked_for_all_addresses_of_a_name() -> None:
    found = await lookup(DnsName("localhost", 3593))
    assert TcpAddress("127.0.0.1", 3593) in found
    assert all(address.local for address in found)
