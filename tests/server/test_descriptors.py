"""How many files a process may have open is its own: each case is a process."""

from __future__ import annotations

import subprocess
import sys

import pytest

LOOK = """
import resource, sys
from authorizer.server.descriptors import make_room
soft, hard, wanted = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(make_room(wanted), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "room", "afterwards"),
    [
        (1024, 1024, 500, 500, 1024),  # enough: nothing is touched
        (256, 1024, 500, 500, 1012),  # raised, and no further than is needed
        (256, 600, 500, 88, 600),  # raised as far as is allowed, and fewer connections
        (100, 100, 500, 1, 100),  # not even for ourselves
    ],
)
def test_the_limit_is_raised_for_the_connections_as_far_as_it_may_be(
    soft: int, hard: int, wanted: int, room: int, afterwards: int
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *map(str, (soft, hard, wanted))],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == [str(room), str(afterwards), str(hard)]
