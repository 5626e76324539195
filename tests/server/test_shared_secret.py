from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

import pytest
from polling import eventually
from server.credentials import save_private
from serving import BODY, post, serving

from authorizer.server import shared_secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from serving import Service

OLD, NEW, NEXT = "old-" + "1" * 32, "new-" + "2" * 32, "next" + "3" * 32
NAME = "X-Authorizer-Secret"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    save_private(path, f"{OLD}\n{NEW}\n".encode())
    return path


@pytest.fixture
async def guarded(file: Path) -> AsyncIterator[Service]:
    async with serving(shared_secret=str(file)) as service:
        yield service


@pytest.mark.parametrize("line", [f"{NAME}: {OLD}", f"{NAME.lower()}:{NEW}", f"{NAME}:  {NEW} "])
async def test_either_of_two_secrets_lets_ask(guarded: Service, line: str) -> None:
    assert (await guarded.ask(BODY, [line])).status == 200


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [f"{NAME}: "],
        [f"{NAME}: {OLD[:-1]}"],
        [f"{NAME}: {OLD}x"],
        [f"{NAME}: {OLD.upper()}"],
        [f"{NAME}: {OLD}, {NEW}"],
        [f"{NAME}: {OLD}\r\n{NAME}: {OLD}"],
        [f"{NAME}: {'ü' * 18}"],
        [f"Authorization: Bearer {OLD}"],
        [f"X_Authorizer_Secret: {OLD}"],
    ],
)
async def test_whoever_knows_none_is_401_without_a_decision(
    guarded: Service, lines: list[str]
) -> None:
    answer = await guarded.ask(BODY, lines)
    assert (answer.status, answer.json["reason"]) == (401, "bad_shared_secret")
    assert answer.json["outcome"] == "refused"
    assert answer.headers["connection"] == "close"
    assert guarded.decision.asked == []
    assert guarded.sink.reasons == ["bad_shared_secret"]
    told = f"{guarded.sink.records} {answer.headers} {answer.body!r}"
    assert not any(secret in told for secret in (OLD, NEW, OLD[:-1]))


async def test_a_stranger_is_told_before_he_sends_a_body(guarded: Service) -> None:
    """Also one who asks first, and one whose body nobody would take."""
    for lines in (
        ["Expect: 100-continue"],
        ["Content-Encoding: gzip"],
        ["Content-Length: 99999999"],
    ):
        async with await guarded.connect() as wire:
            wire.send(post(BODY, lines)[: -len(BODY)])
            assert (await wire.answer()).status == 401


async def test_probes_need_no_secret(guarded: Service) -> None:
    for path in ("/health/alive", "/health/ready", "/version"):
        assert (await guarded.get(path)).status == 200


async def test_every_secret_is_compared_in_constant_time(
    guarded: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also after the right one was found."""
    compared: list[bytes] = []

    def compare(given: bytes, known: bytes) -> bool:
        compared.append(known)
        return hmac.compare_digest(given, known)

    class Spy:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(shared_secret, "hmac", Spy)
    assert (await guarded.ask(BODY, [f"{NAME}: {OLD}"])).status == 200
    assert compared == [OLD.encode(), NEW.encode()]


async def test_a_secret_is_exchanged_while_it_serves_and_a_broken_file_exchanges_nothing(
    guarded: Service, file: Path
) -> None:
    async def works(secret: str) -> bool:
        return (await guarded.ask(BODY, [f"{NAME}: {secret}"])).status == 200

    assert guarded.renewed == [("server.shared_secret", True)]
    save_private(file, f"{NEW}\n{NEXT}\n".encode())
    await eventually(lambda: len(guarded.renewed) == 2)
    assert [await works(secret) for secret in (OLD, NEW, NEXT)] == [False, True, True]

    for broken, mode in ((b"short\n", 0o600), (b"", 0o600), (f"{OLD}\n".encode(), 0o604)):
        before = len(guarded.renewed)
        save_private(file, broken, mode)
        await eventually(lambda before=before: len(guarded.renewed) > before)  # type: ignore[misc]
        assert guarded.renewed[-1] == ("server.shared_secret", False)
        assert [await works(secret) for secret in (OLD, NEW, NEXT)] == [False, True, True]
        ready = await guarded.get("/health/ready")
        assert ready.status == 200
        [told] = ready.json["credentials"]["last_error"]
        assert str(file) in told
        assert "short" not in told

    save_private(file, f"{NEXT}\n".encode())
    await eventually(lambda: guarded.renewed[-1][1])
    assert [await works(secret) for secret in (OLD, NEW, NEXT)] == [False, False, True]
    ready = await guarded.get("/health/ready")
    assert ready.json["credentials"]["last_error"] == []


async def test_without_the_setting_nobody_is_asked_for_one(service: Service) -> None:
    assert (await service.ask(BODY, [f"{NAME}: anything"])).status == 200
