"""One Cerbos PDP behind the port: real answers, real failures."""

# ruff: noqa: ANN401 - gRPC has no types

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Any

import grpc
import grpc.aio
import pytest
from cerbos.response.v1 import response_pb2
from cerbos.svc.v1 import svc_pb2_grpc
from pdpquestions import ask, document, effects, person, until_it_says
from polling import PATIENCE, eventually

from authorizer.config.addresses import TcpAddress, UnixAddress
from authorizer.errors import ConfigError, PdpDeadline, PdpError, PdpRejected, PdpUnavailable
from authorizer.model import Check, Effect, Resource
from authorizer.pdp.cerbos import CerbosPdp
from authorizer.pdp.channel import SERVICE
from authorizer.pdp.interface import Deadline, PdpState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from cerbosserver import CerbosServer

    Serve = Callable[["Service"], AbstractAsyncContextManager[TcpAddress]]

SECRET = "s3cret-value"  # noqa: S105 - what must not come out


class TestRealPdp:
    """Against the real program."""

    pytestmark = pytest.mark.integration

    @pytest.fixture
    def server(self, start_cerbos: Callable[..., CerbosServer]) -> CerbosServer:
        return start_cerbos()

    @pytest.fixture
    async def pdp(self, server: CerbosServer) -> AsyncIterator[CerbosPdp]:
        async with CerbosPdp(server.target) as pdp:
            yield pdp

    async def test_allow_and_deny_come_in_the_order_of_the_checks(self, pdp: CerbosPdp) -> None:
        asked = [document("a"), document("b", of="other"), document("c", action="edit")]
        assert await effects(pdp, *asked) == [Effect.ALLOW, Effect.DENY, Effect.DENY]

    async def test_the_same_resource_twice_gets_two_answers(self, pdp: CerbosPdp) -> None:
        asked = [document(of="other"), document(of="acme"), document(of="other")]
        assert await effects(pdp, *asked) == [Effect.DENY, Effect.ALLOW, Effect.DENY]

    async def test_several_actions_on_one_resource_are_entries_of_their_own(
        self, pdp: CerbosPdp
    ) -> None:
        asked = [document(action="edit"), document(action="view")]
        assert await effects(pdp, *asked) == [Effect.DENY, Effect.ALLOW]

    async def test_outputs_come_as_plain_values(self, pdp: CerbosPdp) -> None:
        answer = await ask(pdp)
        assert answer.call_id
        assert answer.results[0].outputs == {
            "resource.document.vdefault#own": {
                "because": "own",
                "parts": [1, 2.5, None, True, {}, []],
            }
        }
        assert answer.results[0].policy == ""

    async def test_who_asks_to_explain_learns_the_policy(self, pdp: CerbosPdp) -> None:
        result = (await ask(pdp, explain=True)).results[0]
        assert result.policy == "resource.document.vdefault"

    async def test_what_breaks_the_pdps_constraints_is_rejected_without_a_value(
        self, pdp: CerbosPdp
    ) -> None:
        with pytest.raises(PdpRejected) as caught:
            await ask(pdp, document(), document(scope=f"not a scope {SECRET}"))
        assert caught.value.message == ("INVALID_ARGUMENT: it refused resources[1].resource.scope")

    async def test_the_key_of_an_attribute_is_not_told_either(self, pdp: CerbosPdp) -> None:
        odd = Check(Resource("document", "1", {"": SECRET}), "view")
        with pytest.raises(PdpRejected, match=r"it refused resources\[0\].resource.attr$"):
            await ask(pdp, odd)

    async def test_health_is_serving(self, pdp: CerbosPdp) -> None:
        (health,) = await pdp.health(timeout=PATIENCE)
        assert health.state is PdpState.SERVING
        assert health.endpoint == pdp.endpoint

    async def test_a_stopped_pdp_costs_the_deadline_and_recovers_by_itself(
        self, server: CerbosServer, pdp: CerbosPdp
    ) -> None:
        await ask(pdp)
        server.stop()
        began = time.monotonic()
        with pytest.raises(PdpDeadline):
            await ask(pdp, seconds=0.2)
        # The promised deadline, and room for a machine that does other things too.
        assert 0.19 <= time.monotonic() - began < 2.0
        (health,) = await pdp.health(timeout=0.2)
        assert health.state is PdpState.UNREACHABLE
        server.resume()
        await until_it_says(pdp, Effect.ALLOW)

    async def test_a_killed_pdp_is_unavailable_at_once_and_found_when_it_is_back(
        self, server: CerbosServer, pdp: CerbosPdp
    ) -> None:
        await ask(pdp)
        server.kill()
        for _ in range(3):
            with pytest.raises(PdpUnavailable):
                await ask(pdp, seconds=30)
        (health,) = await pdp.health(timeout=PATIENCE)
        assert health.state is PdpState.UNREACHABLE
        server.start()
        await until_it_says(pdp, Effect.ALLOW)

    async def test_a_pdp_that_starts_later_is_found(
        self, start_cerbos: Callable[..., CerbosServer]
    ) -> None:
        server = start_cerbos()
        server.kill()
        async with CerbosPdp(server.target) as pdp:
            with pytest.raises(PdpUnavailable):
                await ask(pdp)
            server.start()
            await until_it_says(pdp, Effect.ALLOW)


class Service(svc_pb2_grpc.CerbosServiceServicer):  # type: ignore[misc] # grpc ships no types
    """A PDP that misbehaves as it is told."""

    def __init__(self, behave: Callable[[Any, Any], Any]) -> None:
        self._behave = behave

    async def CheckResources(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await self._behave(request, context)


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[Callable[[Any, Any], Any]], Any]]:
    servers = []

    async def start(behave: Callable[[Any, Any], Any]) -> CerbosPdp:
        server = grpc.aio.server()
        svc_pb2_grpc.add_CerbosServiceServicer_to_server(Service(behave), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        pdp = CerbosPdp(TcpAddress("127.0.0.1", port))
        servers.append((server, pdp))
        return pdp

    yield start
    for server, pdp in servers:
        await pdp.close()
        await server.stop(None)


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        (grpc.StatusCode.UNAVAILABLE, PdpUnavailable),
        (grpc.StatusCode.CANCELLED, PdpUnavailable),
        (grpc.StatusCode.DEADLINE_EXCEEDED, PdpDeadline),
        (grpc.StatusCode.INVALID_ARGUMENT, PdpRejected),
        (grpc.StatusCode.INTERNAL, PdpRejected),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, PdpRejected),
        (grpc.StatusCode.UNAUTHENTICATED, PdpRejected),
        (grpc.StatusCode.UNIMPLEMENTED, PdpRejected),
        (grpc.StatusCode.UNKNOWN, PdpRejected),
    ],
)
async def test_each_status_is_an_error_of_ours_that_quotes_nothing(
    serve: Any, code: Any, raised: type[PdpError]
) -> None:
    async def behave(_request: Any, context: Any) -> None:
        await context.abort(code, f"validation error: principal.attr[{SECRET}]: {SECRET} is bad")

    with pytest.raises(raised) as caught:
        await ask(await serve(behave))
    assert SECRET not in str(caught.value)
    assert code.name in str(caught.value)
    if raised is PdpRejected:
        assert caught.value.__suppress_context__  # a traceback shows no cause, which may quote it
        assert caught.value.__cause__ is None


async def test_an_answer_to_another_question_is_rejected(serve: Any) -> None:
    async def behave(_request: Any, _context: Any) -> Any:
        return response_pb2.CheckResourcesResponse()

    with pytest.raises(PdpRejected, match="0 results for 1 checks"):
        await ask(await serve(behave))


async def test_an_answer_that_is_no_answer_at_all_is_rejected() -> None:
    """Something else listens there, and speaks gRPC."""

    async def behave(_request: bytes, _context: Any) -> bytes:
        return b"\xff"

    server = grpc.aio.server()
    method = grpc.unary_unary_rpc_method_handler(behave)
    handler = grpc.method_handlers_generic_handler(SERVICE, {"CheckResources": method})
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with CerbosPdp(TcpAddress("127.0.0.1", port)) as pdp:
        with pytest.raises(PdpRejected, match="the answer does not fit"):
            await ask(pdp)
    await server.stop(None)


async def test_cancellation_is_passed_on_to_the_pdp(serve: Any) -> None:
    arrived, cancelled = asyncio.Event(), asyncio.Event()

    async def behave(_request: Any, _context: Any) -> None:
        arrived.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    task = asyncio.create_task(ask(await serve(behave), seconds=60))
    await asyncio.wait_for(arrived.wait(), PATIENCE)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.wait_for(cancelled.wait(), PATIENCE)


async def test_closing_fails_what_is_being_asked_and_cancels_nobody(serve: Any) -> None:
    arrived = asyncio.Event()

    async def behave(_request: Any, _context: Any) -> None:
        arrived.set()
        await asyncio.sleep(60)

    pdp = await serve(behave)
    task = asyncio.create_task(ask(pdp, seconds=60))
    await asyncio.wait_for(arrived.wait(), PATIENCE)
    await pdp.close()
    with pytest.raises(PdpUnavailable, match="closed"):
        await task
    with pytest.raises(PdpUnavailable, match="closed"):
        await ask(pdp)
    (health,) = await pdp.health(timeout=1)
    assert health.state is PdpState.UNREACHABLE
    await pdp.close()


async def test_no_time_left_is_a_deadline_without_a_call(serve: Any) -> None:
    called = asyncio.Event()

    async def behave(_request: Any, _context: Any) -> None:
        called.set()

    pdp = await serve(behave)
    with pytest.raises(PdpDeadline, match="no time was left"):
        await pdp.check(person(), [document()], deadline=Deadline(0.0), request_id="")
    assert not called.is_set()


async def test_a_call_that_waits_for_a_connection_keeps_its_deadline() -> None:
    """A port that accepts and says nothing, as a stopped machine does."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with CerbosPdp(TcpAddress("127.0.0.1", silent.getsockname()[1])) as pdp:
            with pytest.raises(PdpDeadline):
                await ask(pdp, seconds=0.1)


async def test_closing_answers_who_asks_for_its_health() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.setblocking(False)  # noqa: FBT003 - the name of the method says it
        pdp = CerbosPdp(TcpAddress("127.0.0.1", silent.getsockname()[1]))
        task = asyncio.create_task(pdp.health(timeout=60))
        connection, _ = await asyncio.get_running_loop().sock_accept(silent)
        with connection:
            await pdp.close()
            (health,) = await task
    assert health.state is PdpState.UNREACHABLE
    assert "closed" in health.detail


async def test_nobody_there_is_unavailable_and_says_where(folder: Path) -> None:
    async with CerbosPdp(UnixAddress(str(folder / "nobody.sock"))) as pdp:
        with pytest.raises(PdpUnavailable, match=r"nobody.sock.*cannot connect: No such file"):
            await ask(pdp)
        (health,) = await pdp.health(timeout=PATIENCE)
        assert health.state is PdpState.UNREACHABLE
        assert "cannot connect" in health.detail


async def test_a_value_that_protobuf_cannot_say_is_rejected_unquoted(folder: Path) -> None:
    odd = Check(Resource("document", "1", {"x": f"{SECRET}\ud800"}), "view")
    async with CerbosPdp(UnixAddress(str(folder / "nobody.sock"))) as pdp:
        with pytest.raises(PdpRejected, match="no form in protobuf") as caught:
            await ask(pdp, odd)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__  # a traceback shows no cause, which may quote it
    assert caught.value.__cause__ is None


async def test_plaintext_to_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match="insecure_plaintext"):
        CerbosPdp(TcpAddress("cerbos", 3593))
    await CerbosPdp(TcpAddress("cerbos", 3593), insecure_plaintext=True).close()


async def test_a_service_without_health_is_reached_and_not_serving(serve: Any) -> None:
    async def behave(_request: Any, _context: Any) -> None: ...

    (health,) = await (await serve(behave)).health(timeout=PATIENCE)
    assert health.state is PdpState.NOT_SERVING
    assert health.detail == "UNIMPLEMENTED"


async def test_a_proxy_of_the_environment_is_not_used(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("grpc_proxy", "http://127.0.0.1:9")
    reached = asyncio.Event()

    async def behave(_request: Any, _context: Any) -> Any:
        reached.set()
        return response_pb2.CheckResourcesResponse()

    with pytest.raises(PdpRejected):
        await ask(await serve(behave))
    await eventually(reached.is_set)
