"""What the application serves is what was authorised, whatever a caller sends.

Requests go through the real Oathkeeper, which asks us, to the same application written three
times. Each application says which of its routes has served, and what that has captured.
$AUTHORIZER_DIFFERENTIAL_REQUESTS (to each, under the default reading) tries more or fewer,
$AUTHORIZER_DIFFERENTIAL_SEED others.
"""

from __future__ import annotations

import collections
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from differential.application import Declared, Upstream, route_id
from differential.generate import FOCUS, KINDS, PLAIN, attempts
from differential.judge import Difference, captures, judge
from differential.measured import MISREADINGS, fits_table, misreadings_table
from differential.rig import running
from differential.trial import Attempt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from differential.rig import Rig
    from differential.trial import Trial

    Tried: TypeAlias = Callable[[Declared, Upstream], list[Trial]]

REQUESTS: Final = int(os.environ.get("AUTHORIZER_DIFFERENTIAL_REQUESTS", "3000"))
SEED: Final = int(os.environ.get("AUTHORIZER_DIFFERENTIAL_SEED", "1"))

# A tail's capture does not hold the slash at its end, unless a route says that it matters: see
# docs/decisions/0001-trailing-slash.md.
SAME_RESOURCE: Final = frozenset({Difference.TRAILING_SLASH})

# Odd, and yet a request that has one reading: some of each must get through.
HARMLESS: Final = (
    *(PLAIN, "encoded letter", "upper case", "escape case", "trailing slash", "suffix", "unicode"),
    *("verb", "query", "question mark", "reserved", "layer of percent", "absolute form"),
)

DOCS: Final = Path(__file__).parents[2] / "docs" / "reading-urls.md"

everything = pytest.mark.parametrize(
    ("declared", "upstream"),
    [(declared, upstream) for declared in Declared for upstream in Upstream],
    ids=lambda value: value.label if isinstance(value, Declared) else str(value),
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("differential")) as started:
        yield started


@pytest.fixture(scope="module")
def tried(rig: Rig) -> Tried:
    """Give what came of the generated requests to an upstream under a declaration."""

    @cache
    def run(declared: Declared, upstream: Upstream) -> list[Trial]:
        count = REQUESTS if declared is Declared.NOTHING else REQUESTS // 6
        return rig.run(attempts(upstream, declared, count, SEED))

    return run


@pytest.mark.integration
@everything
def test_the_route_that_is_served_is_the_route_that_was_authorised(
    tried: Tried, declared: Declared, upstream: Upstream
) -> None:
    """Nothing is served that nobody decided about, and nothing but what was decided about.

    Except where the documentation says that a declaration does not fit an application.
    """
    findings = [finding for finding in map(judge, tried(declared, upstream)) if finding]
    assert [str(one) for one in findings if one.difference is Difference.UNDECIDED] == []
    if (declared, upstream) not in MISREADINGS:
        same = frozenset() if declared is Declared.TRAILING_STRICT else SAME_RESOURCE
        assert [str(one) for one in findings if one.difference not in same] == []


@pytest.mark.integration
@everything
def test_enough_of_each_kind_gets_through_to_say_so(
    tried: Tried, declared: Declared, upstream: Upstream
) -> None:
    """What is never let through cannot be served wrongly, so it would show nothing."""
    trials = tried(declared, upstream)
    assert sum(trial.decision is not None for trial in trials) > len(trials) / 2
    assert sum(trial.served is not None for trial in trials) > len(trials) / 10
    through = collections.Counter(
        kind for trial in trials if trial.is_allowed for kind in trial.attempt.kinds
    )
    wanted = FOCUS.get(declared, HARMLESS)
    assert {kind: through[kind] for kind in wanted if through[kind] < 5} == {}


@pytest.mark.integration
@pytest.mark.parametrize(
    ("declared", "upstream"),
    MISREADINGS,
    ids=lambda value: value.label if isinstance(value, Declared) else str(value),
)
def test_what_the_documentation_warns_of_is_so(
    rig: Rig, declared: Declared, upstream: Upstream
) -> None:
    """And so the differences that the other tests look for are there to be found."""
    misreading = MISREADINGS[declared, upstream]
    [trial] = rig.run([Attempt(upstream, declared, "GET", misreading.path.encode())])
    assert trial.decision is not None
    assert trial.served is not None
    assert trial.decision.route == route_id(declared, misreading.authorised)
    assert trial.decision.captures == misreading.authorised_captures
    assert trial.served.route == misreading.served
    assert captures(trial.served) == misreading.served_captures


@pytest.mark.integration
@pytest.mark.parametrize(
    "path",
    [
        "/files/",  # a tail that may be empty: ServeMux, Starlette
        "/archive/a.b.",  # a capture with the separator beside it: not one for Express
        "/numbers/007",  # a number for Starlette
        "/numbers/12345678901234567890",
        "/keys/0f8fad5bd9cb469fa16570867728950e",  # a UUID for Starlette
        "/keys/0f8fad5b-d9cb469f-a165-70867728950e",
    ],
)
def test_what_was_served_wrongly_once_is_not_served_again(rig: Rig, path: str) -> None:
    tries = [Attempt(upstream, Declared.NOTHING, "GET", path.encode()) for upstream in Upstream]
    assert [str(found) for found in map(judge, rig.run(tries)) if found] == []


@pytest.mark.parametrize("table", [fits_table, misreadings_table])
def test_the_documentation_has_what_was_measured(table: Callable[[], list[str]]) -> None:
    assert "\n".join(table()) in DOCS.read_text()


def test_each_kind_of_oddity_is_tried() -> None:
    tried = attempts(Upstream.EXPRESS, Declared.NOTHING, 2000, SEED)
    assert {kind for attempt in tried for kind in attempt.kinds} == KINDS


def test_the_same_seed_gives_the_same_requests() -> None:
    def once(seed: int) -> list[Attempt]:
        return attempts(Upstream.EXPRESS, Declared.SLASH_KEPT, 200, seed)

    assert once(1) == once(1)
    assert once(1) != once(2)
