from __future__ import annotations

import asyncio
import json
import select
import socket
import time
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import msgspec
import pytest
from polling import eventually
from serving import BODY, Sink, assemble, post, serving, settings
from structlog.testing import capture_logs

from authorizer.config.settings import Enforcement
from authorizer.model import (
    AccessRequest,
    Allow,
    DecisionRecord,
    Deny,
    Indeterminate,
    Reason,
)
from authorizer.server.collaborators import Collaborators
from authorizer.server.lifecycle import Listeners

if TYPE_CHECKING:
    from serving import Service

    from authorizer.pdp.interface import Deadline


async def hang(_: AccessRequest, __: Deadline) -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError


async def test_an_allow_is_200_with_every_header_that_upstream_may_read(service: Service) -> None:
    answer = await service.ask()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-decision-reason"] == "policy_allow"
    assert answer.headers["x-authorizer-route"] == "documents.item"
    assert answer.headers["x-cerbos-call-id"] == "call-1"
    assert answer.headers["x-user"] == "ann"
    assert uuid.UUID(answer.headers["x-decision-id"]).version == 7
    assert answer.json["decision_id"] == answer.headers["x-decision-id"]


async def test_one_request_is_one_decision_and_one_record_with_its_time(service: Service) -> None:
    answer = await service.ask()
    assert service.decision.asked == [AccessRequest("ann", "GET", "http://api.acme.test/a")]
    [record] = service.sink.records
    assert record.decision_id == answer.headers["x-decision-id"]
    assert 0 < record.total_seconds < 10


@pytest.mark.parametrize("tokens", [[], ["Bearer a.b.c"], ["Bearer a.b.c", "Bearer d.e.f"]])
async def test_the_callers_authorization_goes_to_the_decision_and_to_no_record(
    service: Service, tokens: list[str]
) -> None:
    """Each value of it: two are for the profile to refuse, which knows whether it wants one."""
    lines = "\r\n".join(f"Authorization: {token}" for token in tokens)
    answer = await service.ask(BODY, [lines] if tokens else [])
    assert answer.status == 200
    [asked] = service.decision.asked
    assert asked.authorization == tuple(tokens)
    for token in tokens:
        assert token not in f"{asked!r}{service.sink.records!r}{answer.body!r}{answer.headers!r}"


async def test_a_deny_is_403(service: Service) -> None:
    async def deny(_: AccessRequest, __: Deadline) -> DecisionRecord:
        return DecisionRecord(decision_id="d", outcome=Deny(Reason.NO_ROUTE, "nothing there"))

    service.decision.rule = deny
    answer = await service.ask()
    assert answer.status == 403
    assert answer.json["detail"] == "nothing there"


async def test_a_decision_that_cannot_be_said_is_a_fault_of_ours_and_no_allow(
    service: Service,
) -> None:
    async def allow(request: AccessRequest, _: Deadline) -> DecisionRecord:
        headers = {"X-User\r\nX-Admin": request.subject}
        return DecisionRecord(
            decision_id="d", outcome=Allow(Reason.POLICY_ALLOW), response_headers=headers
        )

    service.decision.rule = allow
    answer = await service.ask()
    assert (answer.status, answer.json["reason"]) == (501, "internal_error")
    assert "x-admin" not in answer.headers
    await eventually(lambda: service.sink.reasons == ["internal_error"])


@pytest.mark.parametrize("status", [501, 503])
async def test_what_nobody_could_decide_is_the_status_that_was_configured(status: int) -> None:
    async def unavailable(_: AccessRequest, __: Deadline) -> DecisionRecord:
        outcome = Indeterminate(Reason.PDP_UNAVAILABLE)
        return DecisionRecord(decision_id="d", outcome=outcome)

    async with serving(unavailable_status=status) as service:
        service.decision.rule = unavailable
        answer = await service.ask()
    assert answer.status == status
    assert answer.headers.get("retry-after") == ("0" if status == 503 else None)


# --- refusals --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "status", "reason", "pointer"),
    [
        (post(b"{}"), 400, "malformed_request", ""),
        (post(b""), 400, "malformed_request", ""),
        (post(BODY[:-1]), 400, "malformed_request", ""),
        (post(b'{"subject":"a","method":"GET","url":1}'), 400, "malformed_request", "/url"),
        (post(BODY, ["Content-Type: text/plain"]), 400, "malformed_request", None),
        (post(BODY, ["Content-Type:"]), 400, "malformed_request", None),
        (
            post(BODY, ["Content-Type: application/json; charset=latin-1"]),
            400,
            "malformed_request",
            None,
        ),
        (post(BODY, ["Content-Encoding: gzip"]), 400, "malformed_request", None),
        (post(b"\x1f\x8bbroken", ["Content-Encoding: deflate"]), 400, "malformed_request", None),
        (post(BODY, ["Content-Length: 1048577"]), 413, "request_too_large", None),
    ],
)
async def test_a_request_that_is_none_is_refused_with_one_record_and_no_decision(
    service: Service, text: bytes, status: int, reason: str, pointer: str | None
) -> None:
    answer = await service.send(text)
    assert (answer.status, answer.json["reason"]) == (status, reason)
    assert answer.json.get("pointer") == pointer
    assert answer.json["outcome"] == "refused"
    assert answer.json["detail"]
    assert service.sink.reasons == [reason]
    assert service.decision.asked == []


@pytest.mark.parametrize(
    "kind",
    [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        'application/json;charset="UTF-8"',
        "application/json; profile=x",
    ],
)
async def test_json_may_be_spelled_as_http_allows(service: Service, kind: str) -> None:
    assert (await service.ask(BODY, [f"Content-Type: {kind}"])).status == 200


async def test_identity_is_not_a_compression(service: Service) -> None:
    assert (await service.ask(BODY, ["Content-Encoding: identity"])).status == 200


@pytest.mark.parametrize("size", [99, 100, 101, 5000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_may_be_as_large_as_the_limit_and_no_larger(
    size: int,
    chunked: bool,  # noqa: FBT001 - a column of the table
) -> None:
    body = BODY + b" " * (size - len(BODY))
    text = post(body)
    if chunked:
        half = len(body) // 2
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in (body[:half], body[half:], b""))
        text = post(b"", ["Content-Length:", "Transfer-Encoding: chunked"]) + chunks
    async with serving(max_body=100) as service:
        answer = await service.send(text)
    assert answer.status == (200 if size <= 100 else 413)


async def test_an_endless_body_is_refused_while_it_is_still_coming() -> None:
    async with serving(max_body=1000) as service, await service.connect() as wire:
        wire.send(post(b"", ["Content-Length:", "Transfer-Encoding: chunked"]))
        wire.send(b"800\r\n" + b" " * 0x800 + b"\r\n")
        answer = await wire.answer()
        assert answer.status == 413
        assert answer.headers["connection"] == "close"
        assert await wire.is_closed()


@pytest.mark.parametrize(("body_timeout", "deadline"), [(0.05, 5.0), (5.0, 0.05)])
async def test_a_slow_body_is_408_after_body_timeout_or_the_deadline(
    body_timeout: float, deadline: float
) -> None:
    async with serving(body_timeout=body_timeout, deadline=deadline) as service:
        async with await service.connect() as wire:
            before = time.monotonic()
            wire.send(post()[:-5])
            answer = await wire.answer()
            assert time.monotonic() - before < 2.5
            assert answer.status == 408
            assert answer.headers["connection"] == "close"
            # What arrives now is the rest of a body, and no request.
            wire.send(BODY[-5:] + post())
            assert await wire.is_closed()
        assert service.sink.reasons == ["request_timeout"]
        assert service.decision.asked == []


# --- limits ----------------------------------------------------------------------------------


async def test_over_the_limit_is_overloaded_at_once_and_a_place_is_free_again_after() -> None:
    async with serving(max_in_flight=1, deadline=30.0) as service:
        release = asyncio.Event()

        async def wait(_: AccessRequest, __: Deadline) -> DecisionRecord:
            await release.wait()
            return DecisionRecord(decision_id="d", outcome=Allow(Reason.POLICY_ALLOW))

        service.decision.rule = wait
        async with await service.connect() as first:
            first.send(post())
            await eventually(lambda: service.collaborators.places.taken == 1)
            turned_away = await service.ask()
            assert (turned_away.status, turned_away.json["reason"]) == (501, "overloaded")
            release.set()
            assert (await first.answer()).status == 200
        assert service.collaborators.places.taken == 0
        assert (await service.ask()).status == 200


async def test_a_body_that_is_still_coming_takes_no_place() -> None:
    async with serving(max_in_flight=1, deadline=30.0) as service, await service.connect() as wire:
        wire.send(post()[:-5])
        assert (await service.ask()).status == 200
        wire.send(BODY[-5:])
        assert (await wire.answer()).status == 200


async def test_a_malformed_body_gives_its_place_back(service: Service) -> None:
    await service.ask(b"{")
    assert service.collaborators.places.taken == 0


# --- the deadline and faults -----------------------------------------------------------------


async def test_a_decision_that_hangs_is_answered_by_the_deadline() -> None:
    async with serving(deadline=0.2) as service:
        service.decision.rule = hang
        before = time.monotonic()
        answer = await service.ask(
            json.dumps(
                {
                    "subject": "ann",
                    "method": "GET",
                    "url": "http://a/",
                    "headers": {"x-request-id": "r-1"},
                }
            ).encode()
        )
        assert time.monotonic() - before < 1.0
    assert (answer.status, answer.json["reason"]) == (501, "pdp_deadline")
    [record] = service.sink.records
    assert (record.subject, record.method, record.request_id) == ("ann", "GET", "r-1")


async def test_the_decision_gets_less_than_the_deadline_so_that_it_can_say_what_hung() -> None:
    left: list[float] = []

    async def look(_: AccessRequest, deadline: Deadline) -> DecisionRecord:
        left.append(deadline.remaining())
        return DecisionRecord(decision_id="d", outcome=Allow(Reason.POLICY_ALLOW))

    async with serving(deadline=10.0) as service:
        service.decision.rule = look
        await service.ask()
    assert 0 < left[0] <= 9.5


class Surprise(Exception):
    pass


@pytest.mark.parametrize(
    "fault",
    [Surprise("secret"), TimeoutError("secret"), KeyError("secret"), asyncio.CancelledError()],
)
async def test_whatever_goes_wrong_is_internal_error_and_never_an_allow_or_a_500(
    service: Service, fault: BaseException
) -> None:
    async def fail(_: AccessRequest, __: Deadline) -> NoReturn:
        raise fault

    service.decision.rule = fail
    with capture_logs() as logs:
        answer = await service.ask()
    assert (answer.status, answer.json["reason"]) == (501, "internal_error")
    assert b"secret" not in answer.body
    assert service.sink.reasons == ["internal_error"]
    [line] = logs
    assert line["event"] == "authorization.failed"
    assert line["decision_id"] == answer.headers["x-decision-id"]
    # The log's own renderer shows frames and no messages.
    assert line["exc_info"] is fault


async def test_observing_everything_covers_what_no_engine_saw_but_no_refusal() -> None:
    observing = msgspec.structs.replace(
        settings(max_in_flight=1, deadline=30.0), enforcement=Enforcement.OBSERVE
    )
    service = assemble(observing)
    await service.listeners.start()
    release = asyncio.Event()

    async def wait_and_fail(_: AccessRequest, __: Deadline) -> NoReturn:
        await release.wait()
        raise RuntimeError

    service.decision.rule = wait_and_fail
    try:
        async with await service.connect() as first:
            first.send(post())
            await eventually(lambda: service.collaborators.places.taken == 1)
            overloaded = await service.ask()
            assert (overloaded.status, overloaded.json["reason"]) == (200, "observed")
            release.set()
            with capture_logs():
                failed = await first.answer()
            assert (failed.status, failed.json["reason"]) == (200, "observed")
        assert (await service.ask(b"{")).status == 400
    finally:
        await service.listeners.drain()
    would_be = [record.would_be for record in service.sink.records]
    assert [None if one is None else one.reason.value for one in would_be] == [
        "overloaded",
        "internal_error",
        None,
    ]


async def test_nobody_waits_for_a_sink() -> None:
    """What is told to sinks is told when the answer has reached its client."""
    arrived: list[bool] = []

    class Watching:
        def record(self, record: DecisionRecord) -> None:
            assert record.total_seconds > 0
            arrived.append(bool(select.select([client], [], [], 0)[0]))

    assembled = assemble(settings())
    collaborators = replace(assembled.collaborators, sinks=[Watching()])
    listeners = Listeners(collaborators)
    await listeners.start()
    at = listeners.address
    with socket.create_connection((at.host, at.port)) as client:
        client.settimeout(0)
        await asyncio.get_running_loop().sock_sendall(client, post())
        await eventually(lambda: arrived)
    await listeners.drain()
    assert arrived == [True]


async def test_a_sink_that_raises_changes_no_answer_and_stops_no_other_sink() -> None:
    class Broken:
        def record(self, record: DecisionRecord) -> None:
            raise Surprise(record)

    service = assemble(settings())
    second = Sink()
    broken = Collaborators(
        **{
            name: getattr(service.collaborators, name)
            for name in Collaborators.__slots__
            if name != "sinks"
        },
        sinks=[Broken(), second],
    )
    listeners = Listeners(broken)
    await listeners.start()
    try:
        service.listeners = listeners
        with capture_logs() as logs:
            assert (await service.ask()).status == 200
    finally:
        await listeners.drain()
    assert second.reasons == ["policy_allow"]
    assert [line["event"] for line in logs] == ["sink.failed"]


async def test_the_snapshot_is_read_at_each_request(service: Service) -> None:
    seen: list[object] = []
    real = service.decision

    class Looking:
        async def __call__(
            self, request: AccessRequest, snapshot: object, *rest: object, **more: object
        ) -> DecisionRecord:
            seen.append(snapshot)
            return await real(request, snapshot, *rest, **more)  # type: ignore[arg-type]  # passes on

    # Frozen for everybody else.
    object.__setattr__(service.collaborators, "decide", Looking())
    await service.ask()
    first = service.current.snapshot
    service.current.snapshot = type(first)(
        first.settings, first.routes, first.profiles, "sha256:2", 1.0
    )
    await service.ask()
    assert seen == [first, service.current.snapshot]
    assert seen[0] is not seen[1]
