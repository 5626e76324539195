from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NoReturn

import pytest
from polling import eventually
from serving import serving
from structlog.testing import capture_logs

from authorizer import __version__
from authorizer.errors import Problem, RulesError
from authorizer.model import Effect
from authorizer.pdp.interface import PdpHealth, PdpState
from authorizer.pdp.scripted import ScriptedPdp, always
from authorizer.server.readiness import Readiness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving import Service


@pytest.mark.parametrize("admin", [False, True])
async def test_health_is_answered_on_both_listeners(
    service: Service,
    admin: bool,  # noqa: FBT001 - a column of the table
) -> None:
    alive = await service.get("/health/alive", admin=admin)
    assert (alive.status, alive.json) == (200, {"status": "ok"})
    ready = await service.get("/health/ready", admin=admin)
    assert (ready.status, ready.json["status"]) == (200, "ok")
    assert "errors" not in ready.json


async def test_version_is_the_packages(service: Service) -> None:
    assert (await service.get("/version")).json == {"version": __version__}


async def test_metrics_are_for_operators_alone(service: Service) -> None:
    answer = await service.get("/metrics", admin=True)
    assert answer.status == 200
    assert answer.body == b"authorizer_up 1\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert (await service.get("/metrics")).status == 404
    assert (await service.get("/authorize", admin=True)).status == 404


async def test_a_head_request_has_a_status_and_no_body(service: Service) -> None:
    async with await service.connect() as wire:
        wire.send(b"HEAD /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        status, _ = await wire.head()
        assert status == 200
        assert await wire.is_closed()


async def test_what_is_not_http_is_400_on_the_admin_listener_and_no_decision(
    service: Service,
) -> None:
    answer = await service.send(b"x\r\n\r\n", admin=True)
    assert answer.status == 400
    assert answer.json["error"]["code"] == 400
    assert service.sink.records == []


async def test_a_pdp_that_is_down_is_in_the_detail_and_not_in_the_verdict(
    service: Service,
) -> None:
    service.pdp.state = PdpState.UNREACHABLE
    ready = await service.get("/health/ready")
    assert ready.status == 200
    assert ready.json["pdp"] == [{"endpoint": "scripted", "state": "unreachable", "detail": ""}]


async def test_with_ready_requires_pdp_a_pdp_that_is_down_is_503_in_orys_shape() -> None:
    async with serving(ready_requires_pdp=True) as service:
        service.pdp.state = PdpState.NOT_SERVING
        ready = await service.get("/health/ready")
    assert ready.status == 503
    assert set(ready.json["errors"]) == {"pdp"}
    assert "status" not in ready.json


async def test_the_last_failed_reload_is_in_the_detail_and_not_in_the_verdict(
    service: Service,
) -> None:
    problem = Problem("rules/a.yaml", 3, 1, "unknown key 'x'")
    service.current.last_error = RulesError([problem])
    ready = await service.get("/health/ready")
    assert ready.status == 200
    assert ready.json["rules"] == {
        "digest": "sha256:1",
        "loaded_at": 1700000000.0,
        "last_error": ["rules/a.yaml:3:1: unknown key 'x'"],
    }


async def test_a_fault_in_a_probe_is_501_and_logged(service: Service) -> None:
    async def fail(**_: object) -> NoReturn:
        raise KeyError

    service.pdp.health = fail  # type: ignore[method-assign]  # a PDP that breaks its promise
    with capture_logs() as logs:
        answer = await service.get("/health/ready")
    assert answer.status == 501
    assert answer.json["error"]["code"] == 501
    assert [line["event"] for line in logs] == ["server.failed"]


# --- readiness, without a server -------------------------------------------------------------


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class CountingPdp(ScriptedPdp):
    def __init__(self) -> None:
        super().__init__(always(Effect.ALLOW))
        self.probes = 0
        self.released = asyncio.Event()
        self.released.set()

    async def health(self, *, timeout: float) -> Sequence[PdpHealth]:  # noqa: ASYNC109 - the port's own signature
        self.probes += 1
        await self.released.wait()
        return await super().health(timeout=timeout)


def readiness(
    service: Service, pdp: ScriptedPdp, clock: Clock, *, embedded: bool = False
) -> Readiness:
    return Readiness(service.current, pdp, embedded=embedded, requires_pdp=False, clock=clock)


async def test_an_embedded_pdp_must_have_served_once(service: Service) -> None:
    clock, pdp = Clock(), CountingPdp()
    ready = readiness(service, pdp, clock, embedded=True)
    pdp.state = PdpState.NOT_SERVING
    assert set((await ready.report()).errors) == {"pdp"}
    clock.now, pdp.state = 1.0, PdpState.SERVING
    assert (await ready.report()).errors == {}
    clock.now, pdp.state = 2.0, PdpState.UNREACHABLE
    report = await ready.report()
    assert report.errors == {}
    assert [one.state for one in report.pdp] == [PdpState.UNREACHABLE]


async def test_draining_is_not_ready(service: Service) -> None:
    ready = readiness(service, CountingPdp(), Clock())
    ready.drain()
    assert set((await ready.report()).errors) == {"server"}


async def test_probes_share_one_question_a_second(service: Service) -> None:
    clock, pdp = Clock(), CountingPdp()
    ready = readiness(service, pdp, clock)
    await asyncio.gather(*(ready.report() for _ in range(50)))
    clock.now = 0.99
    await ready.report()
    assert pdp.probes == 1
    clock.now = 1.0
    await ready.report()
    assert pdp.probes == 2


async def test_a_prober_that_hangs_up_takes_the_answer_from_nobody(service: Service) -> None:
    pdp = CountingPdp()
    pdp.released.clear()
    ready = readiness(service, pdp, Clock())
    impatient = asyncio.create_task(ready.report())
    patient = asyncio.create_task(ready.report())
    await eventually(lambda: pdp.probes)
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    pdp.released.set()
    assert (await patient).errors == {}
    assert pdp.probes == 1


# --- kept answers ----------------------------------------------------------------------------


async def test_operators_clear_the_cache_by_post_and_nobody_else_does(service: Service) -> None:
    cleared: list[bool] = []
    object.__setattr__(service.collaborators, "clear_cache", lambda: cleared.append(True))
    post = b"POST /cache/clear HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
    assert (await service.send(post)).status == 404
    assert (await service.get("/cache/clear", admin=True)).status == 405
    foreign = post.replace(b"Host", b"Origin: http://evil.test\r\nHost")
    assert (await service.send(foreign, admin=True)).status == 403
    assert cleared == []
    answer = await service.send(post, admin=True)
    assert (answer.status, answer.json) == (200, {"status": "ok"})
    assert cleared == [True]
