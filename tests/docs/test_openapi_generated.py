"""What schemathesis asks a running service, from docs/openapi.yaml: right and wrong questions.

It holds each answer to the page: status, headers, body; and takes no 5xx at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from docpages import DOCS
from hypothesis import HealthCheck, settings
from served import Served, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration
API = schemathesis.openapi.from_path(DOCS / "openapi.yaml")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    running = Served(prepare(tmp_path_factory.mktemp("generated")))
    running.start()
    try:
        yield f"http://{running.ready['listen']}"
        assert running.events("authorization.failed") == running.events("server.failed") == []
    finally:
        running.end()


@API.parametrize()
@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_asked_is_answered_as_the_page_says(case: Any, address: str) -> None:  # noqa: ANN401 - schemathesis's
    answer = case.call_and_validate(base_url=address)
    if case.method.upper() == "POST" and answer.status_code == 200:
        assert answer.json()["reason"] in ("policy_allow", "route_allow")
