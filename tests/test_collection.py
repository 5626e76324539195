"""A build runs without the garbage collector, and who decides with little of it."""

from __future__ import annotations

import gc
import weakref
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

import pytest
from freeports import free_port
from routing.rulebook import compiled

from authorizer.collection import seldom_collected, uncollected
from authorizer.config.loading import load
from authorizer.source.document import Marks
from authorizer.source.yaml import load_yaml
from authorizer.wiring.service import start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RULES = """
version: 1
routes:
  - id: a
    match: {path: "/a/{id:int}/{b}:go", methods: [GET]}
    resource: {kind: a, id: "${path.id}", attr: {many: ["${path.b}", {deep: "${subject}"}]}}
    action: view
    response_headers: {X-A: "${path.id}"}
"""


def test_the_collector_is_off_inside_and_as_it_was_outside() -> None:
    assert gc.isenabled()
    with uncollected():
        assert not gc.isenabled()
        with uncollected():
            pass
        assert not gc.isenabled()
    assert gc.isenabled()


def test_a_build_that_fails_leaves_the_collector_on_and_what_it_left_to_it() -> None:
    for _ in range(2):
        with uncollected():  # so that what others have frozen is looked through, and is no more
            pass
    frozen = gc.get_freeze_count()
    with pytest.raises(ValueError, match="no"), uncollected():
        raise ValueError("no")
    assert gc.isenabled()
    assert gc.get_freeze_count() <= frozen


def test_what_was_built_is_never_looked_at_again() -> None:
    with uncollected():
        table = compiled(RULES)
    assert gc.is_tracked(table.any_host)
    assert not any(one is table.any_host for one in gc.get_objects())


def test_documents_and_tables_go_without_the_collector_once_nobody_needs_them() -> None:
    with uncollected():
        table = compiled(RULES)
        trie = weakref.ref(table.any_host)
        del table
        assert trie() is None
        document = load_yaml(RULES, "a.yaml")
        assert document.place(()).line == 2  # so that its marks are there
        before = marks_alive()
        del document
        assert before - marks_alive() > 10


def marks_alive() -> int:
    return sum(type(one) is Marks for one in gc.get_objects())


def test_what_was_garbage_before_a_build_is_not_frozen_with_what_was_built() -> None:
    """It would never be collected: each reload in an outage would keep some."""

    class Circular:
        def __init__(self) -> None:
            self.itself = self

    gc.disable()  # so that it is not collected by chance
    try:
        left = weakref.ref(Circular())
        assert left() is not None
        with uncollected():
            pass
        assert left() is None
    finally:
        gc.enable()
        gc.unfreeze()


def test_new_objects_are_looked_at_seldom_inside_and_as_they_were_outside() -> None:
    before = gc.get_threshold()
    with seldom_collected():
        assert looks_while_so_many_are_new(5_000) == 0
        assert looks_while_so_many_are_new(30_000) > 0
    assert gc.get_threshold() == before
    assert looks_while_so_many_are_new(5_000) > 0


def test_it_is_as_it_was_when_what_decides_has_failed() -> None:
    before = gc.get_threshold()
    with pytest.raises(ValueError, match="no"), seldom_collected():
        raise ValueError("no")
    assert gc.get_threshold() == before


def looks_while_so_many_are_new(containers: int) -> int:
    looks = 0

    def look(phase: str, _: object) -> None:
        nonlocal looks
        looks += phase == "start"

    gc.collect()
    gc.callbacks.append(look)
    try:
        alive: list[list[object]] = [[] for _ in range(containers)]
    finally:
        gc.callbacks.remove(look)
    assert len(alive) == containers
    return looks


async def test_a_service_decides_with_it(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    config = tmp_path / "authorizer.yaml"
    config.write_text(
        "server: {listen: '127.0.0.1:0'}\n"
        "admin: {listen: '127.0.0.1:0'}\n"
        f"pdp: {{endpoints: ['127.0.0.1:{free_port()}']}}\n"
        "rules: {paths: [rules.yaml]}\n"
    )
    before = gc.get_threshold()
    async with AsyncExitStack() as stack:
        await start(load(config), stack)
        assert looks_while_so_many_are_new(5_000) == 0
    assert gc.get_threshold() == before


class Link:
    """One of a ring, which nobody but the collector takes apart."""

    def __init__(self) -> None:
        self.next: Link = self


def ring(size: int) -> Link:
    links = [Link() for _ in range(size)]
    for one, other in zip(links, [*links[1:], links[0]], strict=True):
        one.next = other
    return links[0]


def each(first: Link) -> Iterator[Link]:
    yield first
    link = first.next
    while link is not first:
        yield link
        link = link.next


@pytest.fixture
def settled() -> Iterator[None]:
    """Have what lives now frozen, and known to be."""
    gc.disable()  # so that nothing is collected by chance
    try:
        for _ in range(2):
            with uncollected():
                pass
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@pytest.mark.usefixtures("settled")
def test_what_became_garbage_when_it_was_frozen_is_collected_once_it_is_much() -> None:
    """Else each reload would keep some of the requests that were in hand."""
    alive: weakref.WeakSet[Link] = weakref.WeakSet()
    size = gc.get_freeze_count() // 100
    most = 0
    for _ in range(40):
        in_hand = ring(size)
        alive.update(each(in_hand))
        with uncollected():
            pass
        del in_hand
        most = max(most, len(alive))
    # Of each there are two: the link, and what refers to it weakly.
    assert 5 * size < most < 10 * size


@pytest.mark.usefixtures("settled")
def test_a_set_that_has_grown_is_no_reason_to_look_through_all() -> None:
    """That takes as long as the set is large, and there is nothing to find."""
    little = ring(1)
    gone = weakref.ref(little)
    with uncollected():
        pass
    del little
    with uncollected():
        built: list[Any] = [[] for _ in range(gc.get_freeze_count())]
    for _ in range(3):
        with uncollected():
            rebuilt: list[Any] = [[] for _ in built]
        built = rebuilt
    assert gone() is not None
