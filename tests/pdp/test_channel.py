"""TLS towards the PDP."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
import trustme
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from pdpquestions import ask, effects
from polling import PATIENCE

from authorizer.config.addresses import TcpAddress
from authorizer.config.settings import PdpTls
from authorizer.errors import ConfigError, PdpUnavailable
from authorizer.model import Effect
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.pdp.channel import SERVICE, ask_health, open_channel
from authorizer.pdp.interface import PdpState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from cerbosserver import CerbosServer


class Authority:
    """A certificate authority, and the files that it hands out."""

    def __init__(self, folder: Path) -> None:
        self._ca = trustme.CA()
        self._folder = folder
        folder.mkdir()
        self.certificate = str(folder / "ca.pem")
        self._ca.cert_pem.write_to_path(self.certificate)

    def issue(self, name: str) -> tuple[str, str]:
        """Return the paths of a certificate and its key for `name`."""
        issued = self._ca.issue_cert(name)
        paths = str(self._folder / f"{name}.pem"), str(self._folder / f"{name}.key")
        issued.cert_chain_pems[0].write_to_path(paths[0])
        issued.private_key_pem.write_to_path(paths[1])
        return paths


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ours")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "theirs")


@pytest.mark.integration
class TestRealPdp:
    """The real program, with a certificate for the name `pdp.test`."""

    @pytest.fixture
    def target(self, authority: Authority, start_cerbos: Callable[..., CerbosServer]) -> TcpAddress:
        certificate, key = authority.issue("pdp.test")
        tls = {"cert": certificate, "key": key, "caCert": authority.certificate}
        return start_cerbos(tls=tls).target

    async def test_a_pdp_that_our_authority_vouches_for_decides(
        self, authority: Authority, target: TcpAddress
    ) -> None:
        tls = PdpTls(ca=authority.certificate, server_name="pdp.test")
        async with CerbosPdp(target, tls=tls) as pdp:
            assert await effects(pdp) == [Effect.ALLOW]
            (health,) = await pdp.health(timeout=PATIENCE)
            assert health.state is PdpState.SERVING

    async def test_a_client_certificate_is_shown_and_accepted(
        self, authority: Authority, target: TcpAddress
    ) -> None:
        certificate, key = authority.issue("authorizer.test")
        tls = PdpTls(
            ca=authority.certificate, certificate=certificate, key=key, server_name="pdp.test"
        )
        async with CerbosPdp(target, tls=tls) as pdp:
            assert await effects(pdp) == [Effect.ALLOW]

    async def test_a_strangers_client_certificate_is_refused(
        self, authority: Authority, stranger: Authority, target: TcpAddress
    ) -> None:
        certificate, key = stranger.issue("authorizer.test")
        tls = PdpTls(
            ca=authority.certificate, certificate=certificate, key=key, server_name="pdp.test"
        )
        async with CerbosPdp(target, tls=tls) as pdp:
            with pytest.raises(PdpUnavailable):
                await ask(pdp)

    async def test_a_pdp_that_a_stranger_vouches_for_is_unavailable(
        self, stranger: Authority, target: TcpAddress
    ) -> None:
        tls = PdpTls(ca=stranger.certificate, server_name="pdp.test")
        async with CerbosPdp(target, tls=tls) as pdp:
            with pytest.raises(PdpUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
                await ask(pdp)

    async def test_a_certificate_for_another_name_is_unavailable(
        self, authority: Authority, target: TcpAddress
    ) -> None:
        for name in ("other.test", None):
            tls = PdpTls(ca=authority.certificate, server_name=name)
            async with CerbosPdp(target, tls=tls) as pdp:
                with pytest.raises(PdpUnavailable):
                    await ask(pdp)

    async def test_plaintext_to_a_pdp_with_tls_is_unavailable(self, target: TcpAddress) -> None:
        async with CerbosPdp(target) as pdp:
            with pytest.raises(PdpUnavailable):
                await ask(pdp)


def demanding_credentials(certificate: str, key: str, ca: str) -> Any:  # noqa: ANN401 - gRPC has no types
    pair = Path(key).read_bytes(), Path(certificate).read_bytes()
    return grpc.ssl_server_credentials(
        [pair], root_certificates=Path(ca).read_bytes(), require_client_auth=True
    )


@pytest.fixture
async def demanding(authority: Authority) -> AsyncIterator[TcpAddress]:
    """Serve health to none but clients with a certificate (Cerbos itself does not insist)."""
    certificate, key = authority.issue("127.0.0.1")
    server = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    await servicer.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    credentials = demanding_credentials(certificate, key, authority.certificate)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    yield TcpAddress("127.0.0.1", port)
    await server.stop(None)


async def test_a_required_client_certificate_opens_the_door_and_none_does_not(
    authority: Authority, demanding: TcpAddress
) -> None:
    certificate, key = authority.issue("authorizer.test")
    for tls, state in (
        (PdpTls(ca=authority.certificate, certificate=certificate, key=key), PdpState.SERVING),
        (PdpTls(ca=authority.certificate), PdpState.UNREACHABLE),
    ):
        channel = open_channel(demanding, tls=tls)
        answer = await ask_health(channel, str(demanding), timeout=PATIENCE)
        await channel.close()
        assert answer.state is state


async def test_files_that_are_no_use_are_refused_before_anything_is_dialled(
    tmp_path: Path, authority: Authority
) -> None:
    certificate, key = authority.issue("a.test")
    _, other_key = authority.issue("b.test")
    garbage = tmp_path / "garbage.pem"
    garbage.write_bytes(b"\xff not PEM")
    text = tmp_path / "text.pem"
    text.write_text("not PEM")
    missing = str(tmp_path / "missing.pem")
    for tls, place, why in (
        (PdpTls(ca=missing), "pdp.tls.ca", "cannot read"),
        (PdpTls(ca=str(garbage)), "pdp.tls.ca", "no certificate in PEM"),
        (PdpTls(ca=str(text)), "pdp.tls.ca", "no certificate in PEM"),
        (PdpTls(certificate=certificate), "pdp.tls.key", "needs its key"),
        (PdpTls(key=key), "pdp.tls.certificate", "needs its key"),
        (PdpTls(certificate=missing, key=key), "pdp.tls.certificate", "cannot read"),
        (PdpTls(certificate=certificate, key=other_key), "pdp.tls.certificate", "are not"),
        (PdpTls(certificate=certificate, key=str(text)), "pdp.tls.certificate", "are not"),
    ):
        with pytest.raises(ConfigError, match=why) as caught:
            open_channel(TcpAddress("127.0.0.1", 1), tls=tls)
        assert caught.value.problems[0].source == place
