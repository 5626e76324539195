"""What a client sees that does not speak as it should. Each is a raw connection."""

from __future__ import annotations

import socket
import struct
from typing import TYPE_CHECKING

import pytest
from polling import eventually
from serving import BODY, post, serving
from structlog.testing import capture_logs

if TYPE_CHECKING:
    from serving import Service

AUTHORIZE = b"POST /authorize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "text",
    [
        b"nonsense\r\n\r\n",
        post().replace(b"POST", b"post", 1),
        post().replace(b"HTTP/1.1", b"HTTP/9.9", 1),
        AUTHORIZE + b"Content-Length: x\r\n\r\n",
        AUTHORIZE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        AUTHORIZE + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        AUTHORIZE + b"Cookie : secret\r\n\r\n",
        AUTHORIZE + b"Content-Type: text/secret\r\nContent-Length: 2\r\n\r\n{}",
        AUTHORIZE + b"Authorization: Bearer secret\x00\r\nContent-Length: 0\r\n\r\n",
        AUTHORIZE + b"Authorization: secret" + b"x" * 100_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_what_is_not_http_is_400_in_json_quotes_nothing_and_is_recorded(
    service: Service, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with capture_logs() as logs:
        async with await service.connect() as wire:
            wire.send(text)
            answer = await wire.answer()
            assert await wire.is_closed()
    assert answer.status == 400
    assert answer.json["reason"] == "malformed_request"
    assert answer.headers["x-decision-reason"] == "malformed_request"
    assert service.sink.reasons == ["malformed_request"]
    assert service.decision.asked == []
    assert b"secret" not in answer.body
    assert "secret" not in caplog.text + str(logs)


async def test_no_answer_tells_which_libraries_run_here(service: Service) -> None:
    for text in (post(), b"nonsense\r\n\r\n", b"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"):
        answer = await service.send(text)
        assert answer.headers["server"] == "authorizer"


async def test_a_long_bearer_token_of_the_caller_is_no_reason_to_refuse(service: Service) -> None:
    """Oathkeeper passes the caller's Authorization on, and takes far longer ones itself."""
    answer = await service.ask(BODY, ["Authorization: Bearer " + "x" * 60_000])
    assert answer.status == 200


async def test_a_broken_chunk_is_400(service: Service) -> None:
    answer = await service.send(AUTHORIZE + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"a"')
    assert answer.status == 408
    answer = await service.send(AUTHORIZE + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")
    assert answer.status == 400
    assert answer.json["reason"] == "malformed_request"


@pytest.mark.parametrize("abruptly", [False, True])
async def test_a_client_that_goes_away_within_its_body_leaves_one_record_and_no_trace(
    service: Service,
    abruptly: bool,  # noqa: FBT001 - a column of the table
) -> None:
    with capture_logs() as logs:
        async with await service.connect() as wire:
            wire.send(post()[:-5])
            await wire.writer.drain()
            if abruptly:
                wire.writer.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                )
        await eventually(lambda: service.sink.records)
    assert service.sink.reasons in (["malformed_request"], ["request_timeout"])
    assert service.decision.asked == []
    assert service.collaborators.places.taken == 0
    assert logs == []
    assert (await service.ask()).status == 200


async def test_a_connection_serves_many_requests_one_after_the_other(service: Service) -> None:
    async with await service.connect() as wire:
        for body, status in ((BODY, 200), (b"{}", 400), (b"[", 400), (BODY, 200)):
            wire.send(post(body))
            assert (await wire.answer()).status == status
        wire.send(post(BODY, ["Content-Type: text/plain"]))
        assert (await wire.answer()).status == 400
        wire.send(post())
        assert (await wire.answer()).status == 200


async def test_a_compressed_body_is_not_even_looked_at(service: Service) -> None:
    async with await service.connect() as wire:
        wire.send(post(b"\x1f\x8bbroken", ["Content-Encoding: gzip"]))
        assert (await wire.answer()).status == 400
        wire.send(post())
        assert (await wire.answer()).status == 200
    assert service.sink.reasons == ["malformed_request", "policy_allow"]


async def test_pipelined_requests_are_answered_in_their_order(service: Service) -> None:
    async with await service.connect() as wire:
        wire.send(post() + post(b"{}") + post(BODY, ["Content-Type: a/b"]) + post())
        assert [(await wire.answer()).status for _ in range(4)] == [200, 400, 400, 200]


async def test_a_client_that_asks_first_is_told_to_go_on_and_then_answered(
    service: Service,
) -> None:
    async with await service.connect() as wire:
        wire.send(post(BODY, ["Expect: 100-continue"])[: -len(BODY)])
        assert await wire.head() == (100, {})
        wire.send(BODY)
        assert (await wire.answer()).status == 200


async def test_a_client_that_asks_first_is_refused_before_it_sends_what_is_too_large() -> None:
    async with serving(max_body=10) as service, await service.connect() as wire:
        wire.send(post(BODY, ["Expect: 100-continue"])[: -len(BODY)])
        assert (await wire.answer()).status == 413


async def test_http_1_0_is_answered_and_closed(service: Service) -> None:
    async with await service.connect() as wire:
        wire.send(post().replace(b"HTTP/1.1", b"HTTP/1.0", 1))
        assert (await wire.answer()).status == 200
        assert await wire.is_closed()


async def test_a_head_in_pieces_is_a_request_all_the_same(service: Service) -> None:
    async with await service.connect() as wire:
        for byte in post():
            wire.send(bytes([byte]))
            await wire.writer.drain()
        assert (await wire.answer()).status == 200


async def test_only_post_authorizes_and_only_known_paths_are_there(service: Service) -> None:
    wrong_method = await service.get("/authorize")
    assert wrong_method.status == 405
    assert wrong_method.headers["allow"] == "POST"
    assert wrong_method.json["error"]["code"] == 405
    for path in ("/", "/authorize/", "/Authorize", "//authorize", "/metrics"):
        answer = await service.get(path)
        assert answer.status == 404, path
        assert answer.json["error"]["status"] == "Not Found"
    assert service.sink.records == []
