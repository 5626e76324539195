"""What a service is put together of knows what it has to know of the rest."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from freeports import free_port
from polling import eventually

from authorizer.config.loading import load
from authorizer.server.places import Places
from authorizer.wiring import service

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CONFIG = """\
server: {{listen: '127.0.0.1:0'}}
admin: {{listen: '127.0.0.1:0'}}
pdp: {{endpoints: ['127.0.0.1:{port}']}}
rules: {{paths: [rules.yaml]}}
"""
RULES = "version: 1\nroutes: [{id: a, match: {path: /a, methods: [GET]}, effect: allow}]\n"


async def test_the_line_knows_how_many_are_connected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without that, callers who are more than the places would keep each other out for ever."""
    lines: list[Places] = []

    class Seen(Places):
        def __init__(self, *arguments: Any, **keys: Any) -> None:  # noqa: ANN401 - handed on
            super().__init__(*arguments, **keys)
            lines.append(self)

    monkeypatch.setattr(service, "Places", Seen)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "authorizer.yaml").write_text(CONFIG.format(port=free_port()))
    async with AsyncExitStack() as stack:
        running = await service.start(load(tmp_path / "authorizer.yaml"), stack)
        (line,) = lines
        host, port = str(running.listeners.address).rsplit(":", 1)
        for connected in (1, 2):
            _, writer = await asyncio.open_connection(host, int(port))
            stack.callback(writer.close)
            await eventually(lambda: line._callers() == connected)  # noqa: B023 - it is awaited
