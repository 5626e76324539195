"""A caller who hangs up while we decide: counted, logged, and nothing is left of his question."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from cerbosserver import CerbosServer
from polling import PATIENCE, eventually, until
from served import FREE_PORTS, Served, body, prepare
from serving import held, post, serving

from authorizer.pdp.binary import find_cerbos
from authorizer.routing.compile import compile_rules
from authorizer.snapshot import Snapshot
from authorizer.source.yaml import load_yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving import Service


RULES: Final = """\
version: 1
routes:
  - id: a.route
    match: {path: /a, methods: [GET]}
    effect: deny
"""


def with_a_route(service: Service) -> None:
    """Have rules of which one owns what `post` asks for."""
    before = service.current.snapshot
    routes = compile_rules([load_yaml(RULES, "rules.yaml")])
    service.current.snapshot = Snapshot(
        before.settings, routes, before.profiles, before.digest, before.loaded_at
    )


async def test_while_it_is_decided_its_route_is_told_and_there_is_no_decision() -> None:
    async with serving(deadline=30.0) as service:
        with_a_route(service)
        held(service)
        async with await service.connect() as wire:
            wire.send(post())
            await eventually(lambda: service.decision.asked)
        await eventually(lambda: service.abandoned)
        [known] = service.abandoned
        assert known["route"] == "a.route"
        assert known["decision_id"]
        assert 0 < known["seconds"] < 30
        assert service.collaborators.places.taken == 0
        assert service.sink.records == []


async def test_in_line_for_a_place_there_is_no_route_yet() -> None:
    async with serving(max_in_flight=1, max_wait=20.0, deadline=30.0) as service:
        with_a_route(service)
        release = held(service)
        places = service.collaborators.places
        async with await service.connect() as first:
            first.send(post())
            await eventually(lambda: places.taken == 1)
            async with await service.connect() as second:
                second.send(post())
                await eventually(lambda: places.waiting == 1)
            await eventually(lambda: service.abandoned)
            assert [known["route"] for known in service.abandoned] == [""]
            assert places.waiting == 0
            release.set()
            assert (await first.answer()).status == 200
        assert len(service.abandoned) == 1


async def test_what_is_cut_off_as_we_stop_is_told_too_and_what_is_answered_is_not() -> None:
    async with serving(deadline=60.0, drain_timeout=0.6) as service:
        async with await service.connect() as wire:
            wire.send(post())
            await wire.answer()
        held(service)
        async with await service.connect() as wire:
            wire.send(post())
            await eventually(lambda: len(service.decision.asked) == 2)
            assert service.abandoned == []
            await service.listeners.drain()
            assert await wire.is_closed()
    assert len(service.abandoned) == 1


@pytest.fixture
def stopped_pdp() -> Iterator[tuple[Path, CerbosServer]]:
    """Return a project whose PDP takes connections and never answers, and that PDP."""
    with tempfile.TemporaryDirectory(prefix="left-") as name:
        folder = Path(name)
        pdp = CerbosServer(find_cerbos(), folder)
        prepare(folder, f"{FREE_PORTS}pdp: {{endpoints: ['{pdp.address}']}}\n")
        pdp.start()
        try:
            pdp.stop()
            yield folder, pdp
        finally:
            pdp.kill()


@pytest.mark.integration
def test_who_gives_up_while_a_stopped_pdp_is_asked_is_in_the_metrics_and_in_the_log(
    stopped_pdp: tuple[Path, CerbosServer],
) -> None:
    folder, pdp = stopped_pdp
    served = Served(folder)
    try:
        served.start()
        assert served.metric("authorizer_abandoned_total") == 0
        host, port = served.ready["listen"].rsplit(":", 1)
        with socket.create_connection((host, int(port))) as client:
            client.sendall(post(body()))
            until(lambda: served.metric("authorizer_in_flight") == 1)
        until(lambda: served.events("authorization.abandoned"))
        [line] = served.events("authorization.abandoned")
        assert (line["level"], line["route"]) == ("warning", "documents.item")
        assert line["decision_id"]
        assert 0 < line["total_ms"] < PATIENCE * 1000
        assert served.metric("authorizer_abandoned_total") == 1
        assert served.metric("authorizer_in_flight") == 0
        assert served.events("authorization.decision") == []
        # It is as it was: the next one is answered.
        pdp.resume()
        assert served.ask().status == 200
        assert served.metric("authorizer_abandoned_total") == 1
    finally:
        served.end()
