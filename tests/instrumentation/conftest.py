"""What the tests of the log share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from logpipe import Pipe

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """Yield a pipe to write a log into."""
    pipe = Pipe()
    yield pipe
    pipe.close()
