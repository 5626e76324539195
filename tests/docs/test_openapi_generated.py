"""What schemathesis asks a running service, from docs/openapi.yaml: right and wrong questions.

It holds each answer to the page: status, headers, body; and takes no 5xx at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from docpages import DOCS
from hypothesis import HealthCheck, given, settings
from served import Served, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
API = schemathesis.openapi.from_path(DOCS / "openapi.yaml")
# Each is a test of its own name: schemathesis's own `parametrize` gives all of them one, by which
# pytest-xdist would run one of them.
OPERATIONS = [found.ok() for found in API.get_all_operations()]  # type: ignore[union-attr] # an invalid one fails here


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = Served(prepare(tmp_path_factory.mktemp("generated")))
    running.start()
    try:
        yield f"http://{running.ready['listen']}"
        assert running.events("authorization.failed") == running.events("server.failed") == []
    finally:
        running.end()


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_whatever_is_asked_is_answered_as_the_page_says(operation: Any, address: str) -> None:  # noqa: ANN401 - schemathesis's
    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
    @given(operation.as_strategy())
    def ask(case: Any) -> None:  # noqa: ANN401 - the same
        answer = case.call_and_validate(base_url=address)
        if case.method.upper() == "POST" and answer.status_code == 200:
            assert answer.json()["reason"] in ("policy_allow", "route_allow")

    ask()
