"""`authorizer cache clear` empties the cache of the service that runs, and says where it cannot."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from freeports import free_port
from polling import until
from served import EMBEDDED, RULES, Served, body, prepare, run, save

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

CACHED = RULES.replace("version: 1\n", "version: 1\ndefaults: {cache: {ttl: 1h}}\n")
FIRST = {"path": "/orgs/acme/documents/1"}


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder with a short name: the path of a Unix socket has little room."""
    with tempfile.TemporaryDirectory(prefix="cache-") as name:
        folder = prepare(Path(name))
        (folder / "rules" / "a.yaml").write_text(CACHED)
        yield folder


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[..., Served]]:
    running: list[Served] = []

    def start(config: str = EMBEDDED) -> Served:
        (folder / "authorizer.yaml").write_text(config)
        served = Served(folder)
        running.append(served)
        served.start()
        return served

    yield start
    for served in running:
        served.end()


def cached(served: Served) -> bool:
    """Ask, and say whether that was answered from memory."""
    hits = served.metric("authorizer_cache_hits_total")
    assert served.ask(body(**FIRST)).status == 200
    return served.metric("authorizer_cache_hits_total") > hits


@pytest.mark.parametrize("workers", [1, 2])
def test_it_empties_the_cache_of_every_worker(
    folder: Path, start: Callable[..., Served], workers: int
) -> None:
    served = start(EMBEDDED.replace("{listen: '127.0.0.1:0'}", f"{{listen: '127.0.0.1:0', workers: {workers}}}", 1))  # fmt: skip  # noqa: E501 - one line of YAML
    until(lambda: cached(served))
    assert served.metric("authorizer_cache_entries") >= 1
    assert served.metric("authorizer_cache_bytes") > 0
    cleared = run(folder, "cache", "clear", "--admin-listen", served.ready["admin"])
    assert (cleared.returncode, cleared.stdout, cleared.stderr) == (0, "forgotten\n", "")
    assert served.metric("authorizer_cache_entries") == 0
    assert served.metric("authorizer_cache_bytes") == 0


def test_the_log_says_what_was_cached_how_old_it_was_and_which_call_it_is_from(
    start: Callable[..., Served],
) -> None:
    served = start()
    for _ in range(2):
        assert served.ask(body(**FIRST)).status == 200
    until(lambda: len(served.events("authorization.decision")) == 2)
    fresh, again = served.events("authorization.decision")
    assert "cached_ms" not in fresh
    assert again["cached_ms"] >= 0
    assert again["pdp_ms"] is None
    assert again["cerbos_call_id"] == fresh["cerbos_call_id"] != ""
    assert again["cerbos_request_id"] == fresh["decision_id"]


@pytest.mark.parametrize("workers", [1, 2])
def test_the_next_answer_is_new_once_the_policies_or_the_rules_are(
    folder: Path, start: Callable[..., Served], workers: int
) -> None:
    served = start(EMBEDDED.replace("{listen: '127.0.0.1:0'}", f"{{listen: '127.0.0.1:0', workers: {workers}}}", 1))  # fmt: skip  # noqa: E501 - one line of YAML
    until(lambda: cached(served))
    policy = folder / "policies" / "document.yaml"
    save(policy, policy.read_text().replace("EFFECT_ALLOW", "EFFECT_DENY"))
    until(lambda: served.events("pdp.policies_loaded"))
    # With workers, they are told a moment later.
    until(lambda: served.metric("authorizer_cache_entries") == 0 or workers == 1)
    until(lambda: served.ask(body(**FIRST)).status == 403)
    assert {served.ask(body(**FIRST)).status for _ in range(8)} == {403}
    rules = CACHED.replace("kind: document", "kind: nothing")
    save(folder / "rules" / "a.yaml", rules)
    until(lambda: len(served.events("rules.reloaded")) == workers)
    served.ask(body(**FIRST))
    until(lambda: served.events("authorization.decision")[-1]["checks"][0]["kind"] == "nothing")


def test_a_saved_configuration_leaves_the_cache_of_every_worker_as_it_was(
    folder: Path, start: Callable[..., Served]
) -> None:
    """It is read at the start only, and says nothing of the policies."""
    served = start(EMBEDDED.replace("'127.0.0.1:0'}", "'127.0.0.1:0', workers: 2}", 1))
    until(lambda: cached(served))
    kept = served.metric("authorizer_cache_entries")
    save(folder / "authorizer.yaml", EMBEDDED + "enforcement: observe\n")
    until(lambda: served.metric("authorizer_config_changed") == 1)
    assert served.metric("authorizer_cache_entries") == kept > 0


def test_it_says_where_nobody_answers_and_what_to_look_at(folder: Path) -> None:
    port = free_port()
    ended = run(folder, "cache", "clear", "--admin-listen", f"127.0.0.1:{port}")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr == (
        f"error: 127.0.0.1:{port} does not answer: Connection refused;"
        " is `authorizer serve` running, with this admin.listen?\n"
    )


def test_it_says_that_any_free_port_is_not_an_address(folder: Path) -> None:
    ended = run(folder, "cache", "clear")
    assert ended.returncode == 2
    assert "--admin-listen" in ended.stderr


def test_it_says_that_who_answers_is_not_an_authorizer(
    folder: Path, start: Callable[..., Served]
) -> None:
    ended = run(folder, "cache", "clear", "--admin-listen", start().ready["listen"])
    assert ended.returncode == 1
    assert "answers 404" in ended.stderr
