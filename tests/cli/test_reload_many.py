"""Ten thousand routes are reloaded beside requests, none of which has to wait for it."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Final

import pytest
from served import FREE_PORTS, Served, body, prepare, save

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROUTES: Final = 10_000
# `server.deadline`, which is what a caller is promised.
DEADLINE: Final = 0.5
# Nothing here asks a PDP, so that nobody has to answer there.
CONFIG: Final = FREE_PORTS + "pdp: {endpoints: ['127.0.0.1:9'], insecure_plaintext: true}\n"


def rules(edition: str) -> str:
    """Return many routes whose id and whose header say of which edition they are."""
    routes = [
        {
            "id": f"{edition}.{number}",
            "match": {"path": f"/things{number}/{{id}}", "methods": ["GET"]},
            "effect": "allow",
            "response_headers": {"X-Edition": f"{edition} ${{path.id}}"},
        }
        for number in range(ROUTES)
    ]
    return json.dumps({"version": 1, "routes": routes})


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    prepare(tmp_path, CONFIG)
    (tmp_path / "rules" / "a.yaml").write_text(rules("old"))
    it = Served(tmp_path, patient=False)
    it.start()
    try:
        yield it
    finally:
        it.end()


@pytest.mark.alone
def test_no_request_waits_for_ten_thousand_routes_to_be_loaded(served: Served) -> None:
    """Each is answered within the deadline, from one edition, and from the old one until it is so.

    Asked without a break, from before the file is saved until the new edition answers.
    """
    save(served.folder / "rules" / "a.yaml", rules("new"))
    saved = time.monotonic()
    slowest = 0.0
    editions: list[str] = []
    connection = served.connection()
    try:
        while editions[-50:] != ["new"] * 50:
            assert time.monotonic() - saved < 60
            number = len(editions) * 7 % ROUTES
            begun = time.monotonic()
            content = body(f"/things{number}/7")
            connection.request("POST", "/authorize", content, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            slowest = max(slowest, time.monotonic() - begun)
            edition, _, route = answer.headers["X-Authorizer-Route"].partition(".")
            assert (answer.status, route) == (200, str(number))
            assert answer.headers["X-Edition"] == f"{edition} 7"
            editions.append(edition)
    finally:
        connection.close()
    assert slowest < DEADLINE
    assert editions == sorted(editions, reverse=True), "old until new, and never back"
    assert editions.count("old") > 50, "they were answered while it was loaded"
