"""Of several addresses of a name, one that says nothing does not keep the others waiting."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from authorizer.config.addresses import TcpAddress
from authorizer.rpc.channel import _connected_to

if TYPE_CHECKING:
    import pytest


async def test_the_next_address_is_tried_when_one_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as there,
        socket.socket() as full,
        socket.socket() as first,
        socket.socket() as second,
    ):
        port = there.getsockname()[1]
        full.bind(("127.0.0.2", port))
        # Who comes when nobody is let in any more hears nothing: the kernel drops what he sends.
        full.listen(0)
        for filling in (first, second):
            filling.setblocking(False)  # noqa: FBT003 - the name of the method says it
            filling.connect_ex(("127.0.0.2", port))

        loop = asyncio.get_running_loop()
        resolve: Any = loop.getaddrinfo

        async def both(host: str, port: int, **options: object) -> Any:  # noqa: ANN401 - as resolved
            if host != "pdp.test":  # uvloop asks for what is an address, too
                return await resolve(host, port, **options)
            kind = socket.AF_INET, socket.SOCK_STREAM, 6, ""
            return [(*kind, (address, port)) for address in ("127.0.0.2", "127.0.0.1")]

        monkeypatch.setattr(loop, "getaddrinfo", both)
        async with asyncio.timeout(10):
            dialled = await _connected_to(TcpAddress("pdp.test", port), loop)
        with dialled:
            assert dialled.getpeername() == ("127.0.0.1", port)
