"""A gRPC channel to a PDP: its options, its credentials, and the health that it reports."""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from authorizer.config.addresses import TcpAddress, UnixAddress
from authorizer.errors import ConfigError, Problem
from authorizer.pdp.interface import PdpHealth, PdpState

if TYPE_CHECKING:
    from typing import TypeAlias

    from authorizer.config.addresses import Address
    from authorizer.config.settings import PdpTls

    # gRPC's classes have no types here
    Channel: TypeAlias = Any  # a grpc.aio.Channel
    Credentials: TypeAlias = Any  # grpc.ChannelCredentials

SERVICE: Final = "cerbos.svc.v1.CerbosService"

# How the texts begin that gRPC composes on this side of the wire.
_LOCAL_DETAILS: Final = ("failed to connect to all addresses", "DNS resolution failed")

_OPTIONS: Final = (
    ("grpc.primary_user_agent", "oathkeeper-cerbos-authorizer"),
    # A PDP that came back is found within half a second; gRPC's own backoff grows to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    # In spite of its name this bounds one attempt to connect (20 s by default): a stopped
    # machine accepts a connection and then says nothing.
    ("grpc.min_reconnect_backoff_ms", 1_000),
    # http_proxy is for the web; who decides is not reached through it.
    ("grpc.enable_http_proxy", 0),
    # Nobody but our configuration says how to speak to the PDP: no service config from DNS.
    ("grpc.service_config_disable_resolution", 1),
    # A connection and a backoff of our own, not shared with other channels of this process.
    ("grpc.use_local_subchannel_pool", 1),
)


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
        return grpc.aio.insecure_channel(_name(target), options=_OPTIONS)
    options = list(_OPTIONS)
    if tls.server_name is not None:
        options += [
            ("grpc.ssl_target_name_override", tls.server_name),
            ("grpc.default_authority", tls.server_name),
        ]
    return grpc.aio.secure_channel(_name(target), _credentials(tls), options=options)


def _name(address: Address) -> str:
    """Return the address in gRPC's own naming; an IP address never meets a resolver."""
    match address:
        case UnixAddress(path):
            return f"unix:{quote(path)}"  # which gRPC reads as a URI
        case TcpAddress(host, port):
            match address.ip:
                case ipaddress.IPv4Address() as ip:
                    return f"ipv4:{ip}:{port}"
                case ipaddress.IPv6Address() as ip:
                    return f"ipv6:[{ip}]:{port}"
                case _:
                    return f"dns:///{host}:{port}"


async def ask_health(
    channel: Channel,
    endpoint: str,
    *,
    timeout: float,  # noqa: ASYNC109 - it becomes the RPC's own deadline
) -> PdpHealth:
    """Ask the PDP, by gRPC's health protocol, whether it decides. Raises nothing of gRPC's."""
    request = health_pb2.HealthCheckRequest(service=SERVICE)
    try:
        response = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=timeout)
    except grpc.aio.AioRpcError as error:
        code = error.code()
        reached = code not in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
        state = PdpState.NOT_SERVING if reached else PdpState.UNREACHABLE
        return PdpHealth(endpoint, state, describe(error))
    if response.status == health_pb2.HealthCheckResponse.SERVING:
        return PdpHealth(endpoint, PdpState.SERVING)
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(response.status)
    return PdpHealth(endpoint, PdpState.NOT_SERVING, f"it says {name}")


def describe(error: grpc.aio.AioRpcError) -> str:
    """Return the status code and, where gRPC itself wrote it, why there is no connection.

    What a server writes may quote what it was asked, and is left out.
    """
    name = str(error.code().name)
    details = str(error.details() or "")
    return f"{name}: {details}" if details.startswith(_LOCAL_DETAILS) else name


def _credentials(tls: PdpTls) -> Credentials:
    if (tls.certificate is None) != (tls.key is None):
        missing = "pdp.tls.key" if tls.key is None else "pdp.tls.certificate"
        message = "a client certificate needs its key, and a key its certificate"
        raise ConfigError([Problem(missing, 0, 0, message, "give both or neither")])
    # gRPC says nothing of a useless file until a handshake fails; OpenSSL reads them now.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ca = certificate = key = None
    if tls.ca is not None:
        ca = _pem(tls.ca, "pdp.tls.ca")
        try:
            context.load_verify_locations(cadata=ca.decode("ascii"))
        except (ssl.SSLError, UnicodeDecodeError) as error:
            message = f"{tls.ca} holds no certificate in PEM"
            raise ConfigError([Problem("pdp.tls.ca", 0, 0, message)]) from error
    if tls.certificate is not None and tls.key is not None:
        certificate = _pem(tls.certificate, "pdp.tls.certificate")
        key = _pem(tls.key, "pdp.tls.key")
        try:
            # The empty password makes OpenSSL refuse an encrypted key, not ask at a terminal.
            context.load_cert_chain(tls.certificate, tls.key, password="")
        except ssl.SSLError as error:
            message = (
                f"{tls.certificate} and {tls.key} are not a certificate and its key:"
                " expected PEM, the key not encrypted"
            )
            raise ConfigError([Problem("pdp.tls.certificate", 0, 0, message)]) from error
    return grpc.ssl_channel_credentials(ca, key, certificate)


def _pem(path: str, setting: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        message = f"cannot read {path}: {error.strerror}"
        raise ConfigError([Problem(setting, 0, 0, message)]) from error
