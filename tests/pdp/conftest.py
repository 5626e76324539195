"""What the tests of the PDP package share: real Cerbos processes and a question to ask them."""

# ruff: noqa: ANN401 - options of any kind

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cerbosserver import DOCUMENTS, CerbosServer

from authorizer.pdp.binary import find_cerbos

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def cerbos() -> Path:
    return find_cerbos()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a directory with a short name: the path of a Unix socket has little room."""
    with tempfile.TemporaryDirectory(prefix="pdp-") as name:
        yield Path(name)


@pytest.fixture
def policies(folder: Path) -> Path:
    directory = folder / "policies"
    directory.mkdir()
    (directory / "document.yaml").write_text(DOCUMENTS)
    return directory


@pytest.fixture
def start_cerbos(
    cerbos: Path, folder: Path, policies: Path
) -> Iterator[Callable[..., CerbosServer]]:
    servers: list[CerbosServer] = []

    def start(**options: Any) -> CerbosServer:
        assert policies.is_dir()
        server = CerbosServer(cerbos, folder, **options)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.kill()
