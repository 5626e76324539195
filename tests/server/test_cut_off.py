"""A context that is left when its time is up is left as `asyncio.timeout` would be."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from authorizer.server.cut_off import CutOffs

LONG = 60.0
SHORT = 0.02


async def cut(cut_offs: CutOffs, seconds: float, name: str, ended: list[str]) -> None:
    with pytest.raises(TimeoutError), cut_offs.after(seconds) as one:
        await asyncio.sleep(LONG)
    assert one.expired
    ended.append(name)


async def test_what_ends_in_time_is_not_cut_and_neither_is_what_comes_after() -> None:
    cut_offs = CutOffs()
    for _ in range(3):
        with cut_offs.after(LONG) as one:
            await asyncio.sleep(0)
        assert not one.expired
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_each_is_cut_when_its_own_time_is_up_in_whatever_order_they_came() -> None:
    ended: list[str] = []
    cut_offs = CutOffs()
    plan = {"c": 3 * SHORT, "a": SHORT, "b": 2 * SHORT, "d": 4 * SHORT}
    await asyncio.gather(*(cut(cut_offs, plan[name], name, ended) for name in plan))
    assert ended == sorted(plan)


async def test_one_that_ended_leaves_the_next_its_time() -> None:
    """The timer was set for the one that is gone."""
    ended: list[str] = []
    cut_offs = CutOffs()
    with cut_offs.after(SHORT):
        waiting = asyncio.create_task(cut(cut_offs, 2 * SHORT, "next", ended))
        await asyncio.sleep(0)
    await waiting
    assert ended == ["next"]


async def test_no_time_at_all_is_cut_at_the_first_wait() -> None:
    ended: list[str] = []
    await cut(CutOffs(), -1.0, "none", ended)
    assert ended == ["none"]


async def test_a_task_that_somebody_else_cancels_is_cancelled() -> None:
    cut_offs = CutOffs()

    async def wait() -> None:
        with cut_offs.after(LONG):
            await asyncio.sleep(LONG)

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_is_cancelled_and_cut_in_the_same_moment_is_cancelled() -> None:
    cut_offs = CutOffs()

    async def wait() -> None:
        with cut_offs.after(LONG) as one:
            task.cancel()
            one.cut()
            await asyncio.sleep(LONG)

    task = asyncio.create_task(wait())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_that_comes_while_it_is_cut_stays_that_error() -> None:
    async def fails() -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            raise KeyError from None

    with pytest.raises(KeyError), CutOffs().after(SHORT):
        await fails()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_task_that_was_cancelled_leaves_nothing_to_the_garbage_collector() -> None:
    """Its frames know all of the request, the rules that it is decided by among it."""
    cut_offs = CutOffs()

    async def ask() -> None:
        own = cut_offs.after(LONG)
        with own:
            await asyncio.sleep(LONG)

    gc.disable()
    try:
        task = asyncio.create_task(ask())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        alive = weakref.ref(task)
        del task
        await asyncio.sleep(0)
        assert alive() is None
    finally:
        gc.enable()
