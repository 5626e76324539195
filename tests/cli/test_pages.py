"""`authorizer serve` and its PDP, when a page asks all its questions at once."""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from polling import until
from served import Served, body, prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    served = Served(prepare(tmp_path))
    served.start()
    yield served
    served.end()


@pytest.mark.integration
def test_each_question_of_a_page_has_its_own_answer_and_tells_which_call_it_went_with(
    served: Served,
) -> None:
    """Of one session, at once, some of them the same, some of them not allowed."""
    paths = [f"/orgs/{('acme', 'globex')[n % 2]}/documents/{n % 10}" for n in range(60)]
    with ThreadPoolExecutor(len(paths)) as browser:
        answers = list(browser.map(lambda path: served.ask(body(path)), paths))

    assert [answer.reason for answer in answers] == ["policy_allow", "policy_deny"] * 30
    until(lambda: len(served.events("authorization.decision")) == len(paths))
    by_call = defaultdict(list)
    for event in served.events("authorization.decision"):
        by_call[event["cerbos_call_id"]].append(event)
    assert {answer.headers["X-Cerbos-Call-Id"] for answer in answers} == set(by_call)
    for events in by_call.values():
        # One call has one request id: of the batch, or of the decision that others joined.
        names = {event.get("cerbos_request_id", event["decision_id"]) for event in events}
        assert len(names) == 1
