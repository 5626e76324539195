"""What a running service does for callers who leave, and with names that have several PDPs."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Final

import grpc.aio
import pytest
import trustme
from cerbos.svc.v1 import svc_pb2_grpc
from faults.asking import question
from faults.matrix import endpoints
from faults.rig import DEADLINE, MARGIN, Rig, Service
from polling import eventually, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.integration, pytest.mark.alone]

QUESTION: Final = question()


HEAD: Final = (
    "POST /authorize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(QUESTION)}\r\n\r\n"
)
REQUEST: Final = HEAD.encode() + QUESTION


@contextlib.asynccontextmanager
async def running(service: Service) -> AsyncIterator[Service]:
    await asyncio.to_thread(service.__enter__)
    try:
        yield service
    finally:
        await asyncio.to_thread(service.__exit__)


class Patient(svc_pb2_grpc.CerbosServiceServicer):  # type: ignore[misc] # grpc ships no types
    """A PDP that thinks for as long as it is let, and counts."""

    def __init__(self) -> None:
        self.arrived = 0
        self.cancelled = 0
        self.left = 0.0

    async def CheckResources(self, _request: Any, context: Any) -> None:  # noqa: ANN401, N802 - gRPC's
        self.arrived += 1
        self.left = context.time_remaining()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise


@pytest.fixture
async def patient() -> AsyncIterator[tuple[Patient, str]]:
    server, servicer = grpc.aio.server(), Patient()
    svc_pb2_grpc.add_CerbosServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield servicer, f"127.0.0.1:{port}"
    await server.stop(None)


@pytest.fixture
def rig() -> Iterator[Rig]:
    with Rig() as rig:
        yield rig


async def test_a_caller_who_hangs_up_cancels_the_call_to_the_pdp(
    tmp_path: Path, patient: tuple[Patient, str]
) -> None:
    """Long before any deadline, and nobody else is asked."""
    servicer, address = patient
    async with running(Service(tmp_path, endpoints(address), deadline="60s")) as service:
        _, writer = await asyncio.open_connection(*service.listen.split(":"))
        writer.write(REQUEST)
        await writer.drain()
        await eventually(lambda: servicer.arrived == 1)
        writer.close()
        await writer.wait_closed()
        await eventually(lambda: servicer.cancelled == 1)
        assert servicer.arrived == 1


async def test_one_deadline_is_spent_by_a_slow_body_and_by_the_pdp_together(
    tmp_path: Path, patient: tuple[Patient, str]
) -> None:
    """The PDP is told what is left, and the answer comes in time all the same."""
    servicer, address = patient
    async with running(Service(tmp_path, endpoints(address))) as service:
        reader, writer = await asyncio.open_connection(*service.listen.split(":"))
        began = time.monotonic()
        writer.write(REQUEST[:-1])
        await writer.drain()
        await asyncio.sleep(0.3)
        writer.write(REQUEST[-1:])
        status = await reader.readline()
        assert time.monotonic() - began < DEADLINE + MARGIN
        assert status.startswith(b"HTTP/1.1 501 ")
        assert 0 < servicer.left <= DEADLINE - 0.3
        writer.close()
        await writer.wait_closed()


def test_a_name_is_as_many_pdps_as_it_has_addresses(rig: Rig) -> None:
    pdp = rig.pdp("one")
    with Service(rig.folder("service"), endpoints(f"dns:///localhost:{pdp.port}")) as service:
        request = urllib.request.Request(  # noqa: S310 - loopback
            service.url, QUESTION, {"Content-Type": "application/json"}
        )
        for _ in range(10):
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
                assert answer.status == 200
        known = {one["endpoint"]: one["state"] for one in json.loads(service.health())["pdp"]}
        assert known[f"127.0.0.1:{pdp.port}"] == "serving"


def test_the_certificate_is_for_the_name_and_not_for_an_address_of_it(rig: Rig) -> None:
    folder = rig.folder("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(str(folder / "pdp.pem"))
    issued.private_key_pem.write_to_path(str(folder / "pdp.key"))
    pdp = rig.pdp("tls", {"cert": str(folder / "pdp.pem"), "key": str(folder / "pdp.key")})
    config = endpoints(f"dns:///localhost:{pdp.port}", more=f", tls: {{ca: '{folder}/ca.pem'}}")
    with Service(rig.folder("service"), config) as service:
        request = urllib.request.Request(  # noqa: S310 - loopback
            service.url, QUESTION, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
            assert answer.status == 200


def test_health_and_metrics_tell_each_endpoint(rig: Rig) -> None:
    one, other = rig.pdp("one"), rig.pdp("other")
    with Service(rig.folder("service"), endpoints(one.address, other.address)) as service:
        one.kill()
        request = urllib.request.Request(  # noqa: S310 - loopback
            service.url, QUESTION, {"Content-Type": "application/json"}
        )
        for _ in range(10):
            with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 - loopback
                assert answer.status == 200
        metrics = service.metrics()
        gone, well = (f'{{endpoint="{server.address}"}}' for server in (one, other))
        assert metrics[f"authorizer_pdp_breaker_state{gone}"] in (1, 2)
        assert metrics[f"authorizer_pdp_breaker_state{well}"] == 0
        assert metrics[f"authorizer_pdp_retries_total{well}"] >= 3

        def seen() -> dict[str, str]:
            return {pdp["endpoint"]: pdp["state"] for pdp in json.loads(service.health())["pdp"]}

        until(lambda: seen() == {one.address: "unreachable", other.address: "serving"})
