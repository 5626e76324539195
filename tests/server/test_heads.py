"""A head that came before is not read again; what is known of it holds for the same bytes alone."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest
from aiohttp import web
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import BODY, post, serving

from authorizer.server.heads import Heads

if TYPE_CHECKING:
    from collections.abc import Sequence

    from serving import Service


def read_by_aiohttp(data: bytes) -> RawRequestMessage:
    loop = asyncio.new_event_loop()
    try:
        ((message, _),), _, _ = HttpRequestParser(Mock(), loop, 2**16).feed_data(data)
    finally:
        loop.close()
    assert isinstance(message, RawRequestMessage)
    return message


def known(*requests: bytes, most: int = 1024) -> Heads:
    heads = Heads(most)
    for data in requests:
        heads.keep(data, read_by_aiohttp(data))
    return heads


def of(name: str) -> bytes:
    return json.dumps({**json.loads(BODY), "subject": name}).encode()


def test_a_head_that_came_before_is_found_with_the_body_of_now() -> None:
    found = known(post(of("ann"))).find(post(of("bob")))
    assert found is not None
    assert found[0].headers["Content-Length"] == str(len(of("bob")))
    assert found[1] == of("bob")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n\r\n",
        post(of("ann"))[:-1],
        post(of("ann")) + b"P",
        post(of("ann")) * 2,
        post(of("anna")),
        post(of("ann")).replace(b"POST", b"post", 1),
        post(of("ann"), ["X-A: b"]),
        b"\r\n" + post(of("ann")),
    ],
    ids=["", "no head", "short", "long", "two", "another length", "method", "header", "before"],
)
def test_any_other_bytes_are_for_the_parser(data: bytes) -> None:
    assert known(post(of("ann"))).find(data) is None


@pytest.mark.parametrize(
    "header",
    ["Authorization: Bearer x", "authorization: x", "Cookie: a=b", "X-Long: " + "a" * 1024],
)
def test_a_callers_own_head_is_not_kept(header: str) -> None:
    data = post(of("ann"), [header])
    assert known(data).find(data) is None


def test_no_more_are_kept_than_there_may_be() -> None:
    requests = [post(of("a" * size)) for size in range(1, 6)]
    heads = known(*requests, most=3)
    assert [one for one in requests if heads.find(one) is not None] == requests[3:]


async def asked(service: Service, texts: Sequence[bytes]) -> list[str]:
    async with await service.connect() as wire:
        users = []
        for text in texts:
            wire.send(text)
            users.append((await wire.answer()).headers["x-user"])
        return users


async def test_a_known_head_is_not_read_by_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[bytes] = []
    of_aiohttp = web.RequestHandler.data_received

    def reads(self: web.RequestHandler, data: bytes) -> None:
        read.append(data)
        of_aiohttp(self, data)

    monkeypatch.setattr(web.RequestHandler, "data_received", reads)
    ann, bob, anna = (post(of(name)) for name in ("ann", "bob", "anna"))
    async with serving(deadline=30.0) as service:
        assert await asked(service, [ann, bob, anna]) == ["ann", "bob", "anna"]
        assert await asked(service, [bob, anna, ann]) == ["bob", "anna", "ann"]
    assert read == [ann, anna]


@given(cuts=st.lists(st.integers(1, 3 * len(post(of("ann"))) - 1), max_size=4, unique=True))
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
def test_however_questions_with_a_known_head_are_cut_each_is_answered_in_turn(
    cuts: list[int],
) -> None:
    text = post(of("ann")) + post(of("bob")) + post(of("cem"))

    async def ask() -> list[str]:
        async with serving(deadline=30.0) as service, await service.connect() as wire:
            wire.send(post(of("eve")))
            assert (await wire.answer()).headers["x-user"] == "eve"
            for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(text)], strict=True):
                wire.send(text[start:end])
                await wire.writer.drain()
                for _ in range(3):
                    await asyncio.sleep(0)
            return [(await wire.answer()).headers["x-user"] for _ in range(3)]

    assert asyncio.run(ask()) == ["ann", "bob", "cem"]
