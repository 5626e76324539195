"""What the benchmark asks is what it says, and every question reaches the PDP."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from authorizer.config.loading import load
from authorizer.contract.decode import decode
from authorizer.engine import Question, translate
from authorizer.wiring.snapshot import build_snapshot
from bench.measuring import workloads

if TYPE_CHECKING:
    from pathlib import Path

    from authorizer.snapshot import Snapshot

ROUTES = 50
NAMES = tuple(workloads.workloads(ROUTES))


@pytest.fixture(name="snapshot", scope="module")
def fixture_snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    folder: Path = tmp_path_factory.mktemp("rules")
    (folder / "all.yaml").write_text(workloads.rules(ROUTES))
    return build_snapshot(load(None, {"--rules": [str(folder)]}, {}))


def subjects(bodies: list[bytes]) -> list[str]:
    return [json.loads(body)["subject"] for body in bodies]


@pytest.mark.parametrize("name", NAMES)
def test_every_question_is_one_for_the_pdp(name: str, snapshot: Snapshot) -> None:
    for body in workloads.workloads(ROUTES)[name].bodies(20, 1):
        assert isinstance(
            translate(decode(body), snapshot, decision_id="0", now=1_800_000_000.0), Question
        )


def test_there_are_as_many_routes_as_asked_for(snapshot: Snapshot) -> None:
    assert len(snapshot.routes.routes) == ROUTES


def test_a_distinct_session_asks_once_in_all_runs() -> None:
    distinct = workloads.workloads(ROUTES)["distinct"].bodies
    asked = subjects([*distinct(300, 1), *distinct(300, 2)])
    assert len(set(asked)) == 600


def test_a_page_is_sixteen_other_questions_of_one_session() -> None:
    bodies = workloads.workloads(ROUTES)["page"].bodies(32, 1)
    for page in (bodies[:16], bodies[16:]):
        assert len(set(subjects(page))) == 1
        assert len({json.loads(body)["url"] for body in page}) == 16


def test_answers_are_kept_for_the_cached_workload_alone(snapshot: Snapshot) -> None:
    known = workloads.workloads(ROUTES)
    for name in NAMES:
        (body, *_) = known[name].bodies(1, 1)
        question = translate(decode(body), snapshot, decision_id="0", now=1_800_000_000.0)
        assert isinstance(question, Question)
        assert (question.route.cache is not None) == (name == "hot, cached")


@pytest.mark.parametrize("size", [1, 4, 16])
def test_traits_are_as_large_as_they_are_called(size: int) -> None:
    known = workloads.workloads(ROUTES)
    (more,), (plain,) = (known[name].bodies(1, 1) for name in (f"traits {size} KB", "distinct"))
    assert len(more) - len(plain) == pytest.approx(size * 1024, rel=0.05)


@pytest.mark.parametrize("count", workloads.MANY_CHECKS)
def test_a_route_of_many_checks_asks_them_all(count: int, snapshot: Snapshot) -> None:
    (body,) = workloads.workloads(ROUTES)[f"{count} checks"].bodies(1, 1)
    question = translate(decode(body), snapshot, decision_id="0", now=1_800_000_000.0)
    assert isinstance(question, Question)
    assert len(question.checks) == count
