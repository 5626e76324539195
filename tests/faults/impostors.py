"""Programs that stand where a PDP should, and are none."""

from __future__ import annotations

import contextlib
import socketserver
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import grpc
from cerbos.svc.v1 import svc_pb2_grpc

if TYPE_CHECKING:
    from collections.abc import Iterator


NONSENSE: Final = b"\x00\xff nonsense \r\n" * 64
# RFC 8446, 6.2: a record with the fatal alert handshake_failure.
REFUSAL: Final = bytes((21, 3, 3, 0, 2, 2, 40))


class _Parrot(socketserver.BaseRequestHandler):
    """Answers everything with the same."""

    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self.request.recv(4096):
                self.request.sendall(self.server.says)


class _Server(socketserver.ThreadingTCPServer):
    says: bytes
    daemon_threads = True
    allow_reuse_address = True
    context: ssl.SSLContext | None = None

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self.context is not None:
            connection.settimeout(5)
            connection = self.context.wrap_socket(connection, server_side=True)
        return connection, address

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients are meant to hang up."""


@contextmanager
def nonsense(
    certificate: tuple[str, str] | None = None, *, says: bytes = NONSENSE
) -> Iterator[str]:
    """Give the address of a server that `says` the same to all, with a certificate in TLS.

    The certificate is its file, and that of its key.
    """
    with _Server(("127.0.0.1", 0), _Parrot) as server:
        server.says = says
        if certificate is not None:
            server.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.context.load_cert_chain(*certificate)
            server.context.set_alpn_protocols(["h2"])
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Failing(svc_pb2_grpc.CerbosServiceServicer):  # type: ignore[misc] # grpc ships no types
    def __init__(self, code: grpc.StatusCode) -> None:
        self._code = code

    def CheckResources(self, _request: Any, context: Any) -> None:  # noqa: ANN401, N802 - gRPC's
        context.abort(self._code, "out of order")


@contextmanager
def failing(code: grpc.StatusCode) -> Iterator[str]:
    """Give the address of a gRPC server that answers every question with this status."""
    server = grpc.server(ThreadPoolExecutor(8))
    svc_pb2_grpc.add_CerbosServiceServicer_to_server(_Failing(code), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()
