"""TLS with a certificate that is renewed while it is served, over real sockets."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from polling import eventually
from server.credentials import save_pair, save_private, trusting
from serving import post, serving
from structlog.testing import capture_logs

from authorizer.server import renewal
from authorizer.source import watch

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from serving import Service, Wire


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def serial(wire: Wire) -> str:
    """Return what tells one certificate from another."""
    certificate = wire.writer.get_extra_info("ssl_object").getpeercert()
    return str(certificate["serialNumber"])


async def served_now(service: Service, context: ssl.SSLContext) -> str:
    """Return the serial of the certificate that a new connection gets."""
    async with await service.connect(ssl=context) as wire:
        wire.send(post())
        assert (await wire.answer()).status == 200
        return serial(wire)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_renewed_certificate_is_for_new_connections_and_old_ones_go_on(
    authority: trustme.CA, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    context = trusting(authority)
    context.maximum_version = version
    async with (
        serving(tls=save_pair(tmp_path, authority)) as service,
        await service.connect(ssl=context) as old,
    ):
        before = serial(old)
        assert await served_now(service, context) == before
        save_pair(tmp_path, authority)
        # Two files, saved one after the other: the moment between them is a broken pair.
        await eventually(
            lambda: service.renewed[1:] and service.renewed[-1] == ("server.tls", True)
        )
        assert await served_now(service, context) != before
        old.send(post())
        assert (await old.answer()).status == 200


async def test_a_broken_pair_leaves_the_old_one_and_is_told_loudly(
    authority: trustme.CA, tmp_path: Path
) -> None:
    context = trusting(authority)
    tls = save_pair(tmp_path, authority)
    key = Path(tls["key"])
    right = key.read_bytes()  # noqa: ASYNC240 - before anything runs
    async with serving(tls=tls) as service:
        before = await served_now(service, context)
        foreign = authority.issue_cert("127.0.0.1").private_key_pem.bytes()
        for content, mode, said in (
            (foreign, 0o640, "KEY_VALUES_MISMATCH"),
            (b"", 0o640, "cannot serve with"),
            (right, 0o644, "everyone on this machine may read this private key"),
        ):
            with capture_logs() as logs:
                seen = len(service.renewed)
                save_private(key, content, mode)
                await eventually(lambda seen=seen: len(service.renewed) > seen)  # type: ignore[misc]
            assert service.renewed[-1] == ("server.tls", False)
            assert [line["log_level"] for line in logs if line["event"] == "credentials.refused"]
            assert await served_now(service, context) == before
            ready = await service.get("/health/ready", admin=True)
            assert ready.status == 200
            [told] = ready.json["credentials"]["last_error"]
            assert said in told
        save_private(key, right)
        await eventually(lambda: service.renewed[-1] == ("server.tls", True))
        assert await served_now(service, context) == before
        ready = await service.get("/health/ready", admin=True)
        assert ready.json["credentials"]["last_error"] == []


async def test_the_link_of_a_kubernetes_volume_is_followed(
    authority: trustme.CA, tmp_path: Path
) -> None:
    context = trusting(authority)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        save_pair(tmp_path / name, authority)
    data = tmp_path / "data"
    data.symlink_to("first")
    for name in ("chain.pem", "key.pem"):
        (tmp_path / name).symlink_to(f"data/{name}")
    tls = {"certificate": str(tmp_path / "chain.pem"), "key": str(tmp_path / "key.pem")}
    async with serving(tls=tls) as service:
        before = await served_now(service, context)
        (tmp_path / "swap").symlink_to("second")
        os.replace(tmp_path / "swap", data)  # noqa: PTH105 - the link itself, not what it names
        await eventually(lambda: len(service.renewed) > 1)
        assert service.renewed == [("server.tls", True)] * len(service.renewed)
        assert await served_now(service, context) != before


async def test_a_handshake_that_does_not_end_is_hung_up_on(
    authority: trustme.CA, tmp_path: Path
) -> None:
    async with serving(tls=save_pair(tmp_path, authority), header_timeout=0.3) as service:
        for sent in (b"", b"\x16\x03\x01"):
            async with await service.connect() as wire:
                wire.send(sent)
                assert await wire.is_closed()
        assert service.collaborators.connections.open == 0


async def test_a_watch_that_fails_is_begun_anew_and_misses_nothing(
    authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failures = watch.changes, iter([OSError(), OSError()])

    async def fails_twice(*arguments: object, **named: object) -> AsyncGenerator[None, None]:
        for failure in failures:
            raise failure
        async for _ in real(*arguments, **named):  # type: ignore[arg-type] # as it was called
            yield

    monkeypatch.setattr(renewal, "changes", fails_twice)
    monkeypatch.setattr(renewal, "_WATCH_AGAIN", 0.2)
    with capture_logs() as logs:
        async with serving(tls=save_pair(tmp_path, authority)) as service:
            save_pair(tmp_path, authority)
            await eventually(
                lambda: service.renewed[-1:] == [("server.tls", True)] and len(service.renewed) > 1
            )
    assert [line["event"] for line in logs].count("credentials.watch_failed") == 2


async def test_nothing_is_followed_any_more_once_it_is_closed(
    authority: trustme.CA, tmp_path: Path
) -> None:
    async with serving(tls=save_pair(tmp_path, authority)):
        assert [task for task in asyncio.all_tasks() if task.get_name() == "renewal"]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "renewal"]
