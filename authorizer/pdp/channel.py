"""A channel to a PDP: how it is secured, and the health that the PDP reports."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Final

from google.protobuf.message import DecodeError
from grpc_health.v1 import health_pb2

from authorizer.errors import ConfigError, Problem
from authorizer.pdp.interface import PdpHealth, PdpState
from authorizer.rpc.channel import Channel
from authorizer.rpc.status import CallFailed, Code

if TYPE_CHECKING:
    from authorizer.config.addresses import Address
    from authorizer.config.settings import PdpTls

SERVICE: Final = "cerbos.svc.v1.CerbosService"
_HEALTH: Final = "/grpc.health.v1.Health/Check"


def open_channel(
    target: Address, *, tls: PdpTls | None = None, insecure_plaintext: bool = False
) -> Channel:
    """Return a channel to `target`; it connects when it is first used.

    Call it where the event loop runs. Certificates are read now, once.
    Raises ConfigError for plaintext to another machine, and for a certificate that is no use.
    """
    if tls is None:
        if not (target.local or insecure_plaintext):
            problem = Problem(
                str(target),
                0,
                0,
                "a PDP on another machine is spoken to with TLS only",
                "set pdp.tls, or pdp.insecure_plaintext: true where the network itself is trusted",
            )
            raise ConfigError([problem])
        return Channel(target)
    return Channel(target, tls=_context(tls), server_name=tls.server_name)


async def ask_health(
    channel: Channel,
    endpoint: str,
    *,
    timeout: float,  # noqa: ASYNC109 - it becomes the RPC's own deadline
) -> PdpHealth:
    """Ask the PDP, by gRPC's health protocol, whether it decides. Raises nothing of gRPC's."""
    request = health_pb2.HealthCheckRequest(service=SERVICE).SerializeToString()
    try:
        answer = await channel.call(channel.method(_HEALTH), request, seconds=timeout)
        status = health_pb2.HealthCheckResponse.FromString(answer).status
    except CallFailed as error:
        reached = error.code not in {Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED}
        state = PdpState.NOT_SERVING if reached else PdpState.UNREACHABLE
        return PdpHealth(endpoint, state, describe(error))
    except DecodeError:
        return PdpHealth(endpoint, PdpState.NOT_SERVING, "it answers with no gRPC message")
    if status == health_pb2.HealthCheckResponse.SERVING:
        return PdpHealth(endpoint, PdpState.SERVING)
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(status)
    return PdpHealth(endpoint, PdpState.NOT_SERVING, f"it says {name}")


def describe(error: CallFailed) -> str:
    """Return the status code and, where it was written on this side, why.

    What a server writes may quote what it was asked, and is left out.
    """
    return f"{error.code.name}: {error.details}" if error.local else error.code.name


def _context(tls: PdpTls) -> ssl.SSLContext:
    if (tls.certificate is None) != (tls.key is None):
        missing = "pdp.tls.key" if tls.key is None else "pdp.tls.certificate"
        message = "a client certificate needs its key, and a key its certificate"
        raise ConfigError([Problem(missing, 0, 0, message, "give both or neither")])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if tls.ca is None:
        context.load_default_certs()
    else:
        ca = _pem(tls.ca, "pdp.tls.ca")
        try:
            context.load_verify_locations(cadata=ca.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError) as error:
            message = f"{tls.ca} holds no certificate in PEM"
            raise ConfigError([Problem("pdp.tls.ca", 0, 0, message)]) from error
    if tls.certificate is not None and tls.key is not None:
        for path, setting in ((tls.certificate, "certificate"), (tls.key, "key")):
            _pem(path, f"pdp.tls.{setting}")  # OpenSSL would not say which of them is not there
        try:
            # The empty password makes OpenSSL refuse an encrypted key, not ask at a terminal.
            context.load_cert_chain(tls.certificate, tls.key, password="")
        except ssl.SSLError as error:
            message = (
                f"{tls.certificate} and {tls.key} are not a certificate and its key:"
                " expected PEM, the key not encrypted"
            )
            raise ConfigError([Problem("pdp.tls.certificate", 0, 0, message)]) from error
    return context


def _pem(path: str, setting: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise ConfigError([Problem(setting, 0, 0, message)]) from error
