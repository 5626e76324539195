from __future__ import annotations

import asyncio
import socket
import ssl
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec
import pytest
import trustme
from freeports import is_free
from polling import PATIENCE, eventually
from serving import BODY, assemble, post, serving, settings

from authorizer.errors import ConfigError
from authorizer.model import AccessRequest, Allow, DecisionRecord, Reason
from authorizer.server import listening

if TYPE_CHECKING:
    from serving import Service

    from authorizer.pdp.interface import Deadline


class Gate:
    """A decision that is made when the test says so."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.release = asyncio.Event()

    async def __call__(self, _: AccessRequest, __: Deadline) -> DecisionRecord:
        self.entered.set()
        await self.release.wait()
        return DecisionRecord(decision_id="d", outcome=Allow(Reason.POLICY_ALLOW))


async def test_draining_answers_what_is_open_and_accepts_nothing_more() -> None:
    async with serving(deadline=30.0, drain_timeout=10.0) as service:
        gate = Gate()
        service.decision.rule = gate
        port = service.listeners.address.port
        async with await service.connect() as wire:
            wire.send(post())
            await gate.entered.wait()
            draining = asyncio.create_task(service.listeners.drain())
            await eventually(lambda: is_free(port))
            # Operators still see what happens.
            ready = await service.get("/health/ready", admin=True)
            assert ready.status == 503
            assert set(ready.json["errors"]) == {"server"}
            gate.release.set()
            answer = await wire.answer()
            assert answer.status == 200
            assert answer.headers["connection"] == "close"
            assert await wire.is_closed()
            await draining


async def test_bodies_that_are_coming_are_read_to_their_end_while_draining(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listening, "_SETTLE", 0.0)
    async with serving(deadline=30.0, drain_timeout=10.0) as service:
        port = service.listeners.address.port
        async with await service.connect() as first, await service.connect() as second:
            for wire in (first, second):
                wire.send(post(BODY, ["Expect: 100-continue"])[:-5])
                assert (await wire.head())[0] == 100
            draining = asyncio.create_task(service.listeners.drain())
            await eventually(lambda: is_free(port))
            for wire in (first, second):
                wire.send(BODY[-5:])
                assert (await wire.answer()).status == 200
            await draining


async def test_during_the_delay_requests_are_answered_and_connections_told_to_close() -> None:
    async with serving(drain_delay=0.5) as service, await service.connect() as wire:
        wire.send(post())
        assert "connection" not in (await wire.answer()).headers
        draining = asyncio.create_task(service.listeners.drain())
        await eventually(lambda: service.collaborators.readiness.draining)
        assert (await service.get("/health/ready")).status == 503
        assert (await service.get("/health/alive")).status == 200
        wire.send(post())
        answer = await wire.answer()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        await draining


async def test_what_hangs_is_cut_off_after_drain_timeout() -> None:
    async def hang(_: AccessRequest, __: Deadline) -> NoReturn:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(deadline=60.0, drain_timeout=0.6) as service:
        service.decision.rule = hang
        async with await service.connect() as wire:
            wire.send(post())
            await eventually(lambda: service.decision.asked)
            before = time.monotonic()
            await service.listeners.drain()
            assert time.monotonic() - before < 5
            assert await wire.is_closed()
    assert service.collaborators.places.taken == 0


async def test_idle_connections_do_not_hold_draining_up() -> None:
    async with serving(drain_timeout=60.0) as service, await service.connect() as wire:
        wire.send(post())
        await wire.answer()
        async with asyncio.timeout(PATIENCE):
            await service.listeners.drain()
        assert await wire.is_closed()


async def test_draining_twice_is_draining_once_also_at_the_same_time(service: Service) -> None:
    ports = service.listeners.address.port, service.listeners.admin_address.port
    await asyncio.gather(service.listeners.drain(), service.listeners.drain())
    await service.listeners.drain()
    assert all(map(is_free, ports))


@pytest.mark.parametrize("key", ["server", "admin"])
async def test_an_address_in_use_is_refused_by_its_key_and_nothing_stays_open(key: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = f"127.0.0.1:{taken.getsockname()[1]}"
        free = settings()
        group = msgspec.structs.replace(getattr(free, key), listen=busy)
        service = assemble(msgspec.structs.replace(free, **{key: group}))
        with pytest.raises(ConfigError, match=f"`{key}.listen`: cannot listen on {busy}"):
            await service.listeners.start()
        await service.listeners.drain()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "api.acme.test:0"])
async def test_plaintext_that_others_can_reach_is_refused_unless_it_is_named_insecure(
    listen: str,
) -> None:
    with pytest.raises(ConfigError, match="insecure_plaintext"):
        await assemble(settings(listen=listen)).listeners.start()


async def test_to_let_others_reach_the_one_listener_does_not_open_the_other() -> None:
    told = settings(listen="0.0.0.0:0", insecure_plaintext=True)
    admin = msgspec.structs.replace(told.admin, listen="0.0.0.0:0")
    service = assemble(msgspec.structs.replace(told, admin=admin))
    with pytest.raises(ConfigError, match=r"`admin.listen`: .* say `admin.insecure_plaintext"):
        await service.listeners.start()


async def test_insecure_plaintext_may_be_said() -> None:
    everywhere = "0.0.0.0:0"
    async with serving(listen=everywhere, insecure_plaintext=True, drain_delay=0.0) as service:
        port = service.listeners.address.port
        assert port
        assert not is_free(port)


async def test_an_address_that_is_none_is_refused_by_its_key() -> None:
    with pytest.raises(ConfigError, match=r"`server\.listen`: '8080' has no port"):
        await assemble(settings(listen="8080")).listeners.start()


# --- TLS -------------------------------------------------------------------------------------


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> dict[str, str]:
    issued = authority.issue_cert("127.0.0.1")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    key.write_bytes(issued.private_key_pem.bytes())
    key.chmod(0o640)
    return {"certificate": str(chain), "key": str(key)}


async def test_with_a_certificate_it_speaks_tls_and_only_that(
    authority: trustme.CA, certificate: dict[str, str]
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with serving(tls=certificate) as service:
        async with await service.connect(ssl=context) as wire:
            wire.send(post())
            assert (await wire.answer()).status == 200
        async with await service.connect() as wire:
            wire.send(post())
            assert await wire.is_closed()


async def test_tls_before_1_2_is_refused(
    authority: trustme.CA, certificate: dict[str, str]
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    with warnings.catch_warnings():
        # That it is deprecated is why it is tested.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    async with serving(tls=certificate) as service:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await service.connect(ssl=context)


async def test_a_certificate_that_cannot_be_used_is_refused_by_its_key(
    certificate: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.touch(0o640)
    for key, said in (
        (tmp_path / "missing.pem", r"missing\.pem: cannot be read: No such file"),
        (other, r"server\.tls: cannot serve with .*chain\.pem and .*other\.pem"),
        (Path(certificate["certificate"]), r"chain\.pem: everyone on this machine may read"),
    ):
        with pytest.raises(ConfigError, match=said):
            await assemble(settings(tls={**certificate, "key": str(key)})).listeners.start()
