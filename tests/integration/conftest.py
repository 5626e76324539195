"""The whole chain, started once for all tests that only ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from chain import running_chain
from served import PATIENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from chain import Chain


@pytest.fixture(scope="session")
def shared_chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """Give a running chain with an embedded PDP. Add people, but change nothing that is there."""
    with running_chain(tmp_path_factory.mktemp("chain"), environ=PATIENT) as chain:
        yield chain
