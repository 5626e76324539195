from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polling import eventually
from serving import post, serving

from authorizer.model import AccessRequest, Allow, DecisionRecord, Reason
from authorizer.server.places import Places

if TYPE_CHECKING:
    from authorizer.pdp.interface import Deadline

FOREVER = 60.0


async def test_there_are_as_many_places_as_the_limit_says() -> None:
    places = Places(2)
    assert [await places.take() for _ in range(3)] == [True, True, False]
    assert places.taken == 2


async def test_a_place_that_is_given_back_can_be_taken_again() -> None:
    places = Places(1)
    assert await places.take()
    places.give_back()
    assert places.taken == 0
    assert await places.take()


async def test_who_waits_gets_the_next_place_in_the_order_of_coming() -> None:
    places = Places(1, max_wait=FOREVER)
    assert await places.take()
    served: list[int] = []

    async def ask(number: int) -> None:
        assert await places.take()
        served.append(number)
        places.give_back()

    asking = [asyncio.create_task(ask(number)) for number in range(5)]
    await eventually(lambda: places.waiting == 5)
    places.give_back()
    await asyncio.gather(*asking)
    assert served == [0, 1, 2, 3, 4]
    assert (places.taken, places.waiting) == (0, 0)


async def test_a_few_of_the_line_get_a_place_in_one_turn_and_the_others_in_the_next() -> None:
    """Each of them takes its time, and who comes meanwhile waits to be read."""
    places = Places(20, max_wait=FOREVER)
    assert all([await places.take() for _ in range(20)])
    asking = [asyncio.create_task(places.take()) for _ in range(30)]
    await eventually(lambda: places.waiting == 30)
    for _ in range(20):
        places.give_back()
    left = [places.waiting]
    while left[-1] > 10:
        assert places.taken == 20
        await asyncio.sleep(0)
        left.append(places.waiting)
    assert left == [26, 22, 18, 14, 10]
    assert sum(task.done() for task in asking) < 20
    await eventually(lambda: sum(task.done() for task in asking) == 20)
    for _ in range(30):
        places.give_back()
    await asyncio.gather(*asking)
    await eventually(lambda: places.taken == 0)
    assert places.waiting == 0


async def test_a_place_that_is_kept_for_a_line_which_is_gone_is_free_again() -> None:
    places = Places(10, max_wait=FOREVER)
    assert all([await places.take() for _ in range(10)])
    asking = [asyncio.create_task(places.take()) for _ in range(10)]
    await eventually(lambda: places.waiting == 10)
    for _ in range(10):
        places.give_back()
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    await eventually(lambda: places.taken == 0)
    assert await places.take()


async def test_nobody_overtakes_who_waits() -> None:
    places = Places(1, max_wait=FOREVER)
    assert await places.take()
    waiting = asyncio.create_task(places.take())
    await eventually(lambda: places.waiting == 1)
    places.give_back()
    # Handed over, and not free, though who waited has not run yet.
    assert places.taken == 1
    late = asyncio.create_task(places.take())
    assert await waiting
    assert not late.done()
    places.give_back()
    assert await late


async def test_who_waited_for_long_enough_is_turned_away_and_leaves_the_line() -> None:
    places = Places(1, max_wait=0.02)
    assert await places.take()
    assert not await places.take()
    assert (places.taken, places.waiting) == (1, 0)
    places.give_back()
    assert places.taken == 0


async def test_nobody_gets_in_line_who_would_not_have_his_turn_in_time() -> None:
    """By how fast places were given back of late: here ten a second, and half a second to wait."""
    now = 0.0
    places = Places(1, max_wait=0.5, clock=lambda: now)
    for _ in range(200):
        assert await places.take()
        now += 0.1
        places.give_back()
    assert await places.take()
    waiting = [asyncio.create_task(places.take()) for _ in range(20)]
    await eventually(lambda: sum(one.done() for one in waiting) == 15)
    assert places.waiting == 5
    assert not any(one.result() for one in waiting if one.done())
    assert places.hopeless()
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_while_people_are_turned_away_for_long_the_line_is_a_tenth_as_long() -> None:
    now = 0.0
    places = Places(1, max_wait=0.5, clock=lambda: now)

    def go_on(times: int) -> None:
        """Have a place taken so often, for 40 ms each, and then for good."""
        nonlocal now
        for _ in range(times):
            now += 0.04
            places.give_back()
            assert places.take_free()

    assert places.take_free()
    go_on(200)
    assert not places.hopeless(coming=11)
    assert places.hopeless(coming=12)
    # A burst: too many for half a second, but no longer.
    for _ in range(12):
        places.turn_away()
        assert not places.hopeless(coming=11)
        go_on(1)
    # It goes on.
    places.turn_away()
    go_on(1)
    assert not places.hopeless()
    assert places.hopeless(coming=1)
    go_on(11)
    assert places.hopeless(coming=1)
    # As long as somebody may wait, nobody was turned away: it is over.
    go_on(1)
    assert not places.hopeless(coming=11)


@pytest.mark.parametrize(("callers", "short"), [(13, False), (14, True)])
async def test_a_line_that_has_room_for_all_callers_is_not_shortened(
    callers: int,
    short: bool,  # noqa: FBT001 - a column of the table
) -> None:
    now = 0.0
    places = Places(1, max_wait=0.5, callers=lambda: callers, clock=lambda: now)
    assert places.take_free()
    for step in range(220):
        now += 0.04
        places.give_back()
        assert places.take_free()
        if step > 200:
            places.turn_away()
    assert places.hopeless(coming=1) is short


async def test_as_long_as_all_places_may_be_given_back_in_a_moment_it_is_not_hopeless() -> None:
    """All were taken at once by the first who came; none has had time to come back."""
    now = 0.0
    places = Places(10, max_wait=0.1, clock=lambda: now)
    for _ in range(10):
        assert places.take_free()
    now = 0.09
    assert not places.hopeless(coming=9)
    now = 0.2
    assert places.hopeless(coming=9)


async def test_who_waits_for_too_long_is_turned_away_as_well() -> None:
    now = 0.0
    places = Places(1, max_wait=0.05, clock=lambda: now)
    assert places.take_free()
    for _ in range(2):
        assert not places.hopeless(coming=6)
        assert not await places.take()
        now += 0.03
        places.give_back()
        assert places.take_free()
    assert places.hopeless(coming=6)


async def test_nobody_gets_in_line_while_no_place_is_given_back_at_all() -> None:
    now = 0.0
    places = Places(1, max_wait=0.5, clock=lambda: now)
    assert await places.take()
    assert not places.hopeless()
    now = 0.6
    assert places.hopeless()
    assert not await places.take()
    places.give_back()
    assert not places.hopeless()


async def test_without_a_line_it_is_hopeless_when_all_places_are_taken_or_will_be() -> None:
    places = Places(2)
    assert await places.take()
    assert not places.hopeless()
    assert places.hopeless(coming=1)


@pytest.mark.parametrize("handed_over", [False, True])
async def test_who_hangs_up_in_line_takes_no_place_along(
    handed_over: bool,  # noqa: FBT001 - a column of the table
) -> None:
    """Also in the moment in which it was his turn."""
    places = Places(1, max_wait=FOREVER)
    assert await places.take()
    waiting = asyncio.create_task(places.take())
    await eventually(lambda: places.waiting == 1)
    if handed_over:
        places.give_back()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if not handed_over:
        places.give_back()
    assert (places.taken, places.waiting) == (0, 0)
    assert await places.take()


async def test_who_leaves_the_line_gives_back_what_he_got_there_and_nothing_else() -> None:
    places = Places(1, max_wait=FOREVER)
    assert places.take_free()
    first, second = places.line_up(), places.line_up()
    assert first is not None
    assert second is not None
    places.leave(first)
    assert (places.taken, places.waiting) == (1, 1)
    places.give_back()
    assert second.result()
    assert (places.taken, places.waiting) == (1, 0)
    places.leave(second)
    assert (places.taken, places.waiting) == (0, 0)


async def test_who_was_turned_away_in_line_leaves_nothing() -> None:
    places = Places(1, max_wait=0.02)
    assert places.take_free()
    turn = places.line_up()
    assert turn is not None
    assert not await turn
    places.leave(turn)
    assert (places.taken, places.waiting) == (1, 0)


async def test_a_place_is_not_handed_to_who_has_hung_up_in_the_same_moment() -> None:
    places = Places(1, max_wait=FOREVER)
    assert await places.take()
    gone, waiting = [asyncio.create_task(places.take()) for _ in range(2)]
    await eventually(lambda: places.waiting == 2)
    gone.cancel()
    places.give_back()
    assert await waiting
    assert (places.taken, places.waiting) == (1, 0)


@given(st.lists(st.sampled_from(["take", "give back", "hang up", "turn"]), max_size=40))
def test_whatever_comes_and_goes_no_place_is_lost_and_none_is_made(steps: list[str]) -> None:
    async def run() -> None:
        places = Places(3, max_wait=FOREVER)
        tasks: list[asyncio.Task[bool]] = []
        holders: list[asyncio.Task[bool]] = []
        for step in [*steps, "turn"]:
            match step:
                case "take":
                    tasks.append(asyncio.create_task(places.take()))
                case "give back" if holders:
                    holders.pop()
                    places.give_back()
                case "hang up" if tasks:
                    tasks[0].cancel()
                case _:
                    for _ in range(4):
                        await asyncio.sleep(0)
            for task in [one for one in tasks if one.done()]:
                tasks.remove(task)
                if not task.cancelled():
                    assert task.result()
                    holders.append(task)
            assert len(holders) <= places.taken <= 3
        assert places.taken == len(holders)
        assert places.waiting == len(tasks)
        assert not tasks or places.taken == 3
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    asyncio.run(run())


async def test_a_burst_is_answered_from_the_line_and_an_overload_refused_at_once() -> None:
    """What is in flight goes on, and all is well once the overload is over."""
    release = asyncio.Event()

    async def wait(_: AccessRequest, __: Deadline) -> DecisionRecord:
        await release.wait()
        return DecisionRecord(decision_id="d", outcome=Allow(Reason.POLICY_ALLOW))

    async with serving(max_in_flight=2, max_wait=0.2, deadline=30.0) as service:
        service.decision.rule = wait
        places = service.collaborators.places
        wires = [await service.connect() for _ in range(6)]
        for wire in wires:
            wire.send(post())
        await eventually(lambda: (places.taken, places.waiting) == (2, 4))
        # Two have a place and wait for the PDP; four waited too long for a place.
        await eventually(lambda: service.sink.reasons == ["overloaded"] * 4)
        assert (places.taken, places.waiting) == (2, 0)
        release.set()
        answers = [await wire.answer() for wire in wires]
        assert sorted(answer.status for answer in answers) == [200, 200, 501, 501, 501, 501]
        await eventually(lambda: not places.hopeless(coming=4))
        for wire in wires:
            wire.send(post())
        assert [(await wire.answer()).status for wire in wires] == [200] * 6
        for wire in wires:
            await wire.__aexit__()
        assert (places.taken, places.waiting) == (0, 0)


async def test_waiting_for_a_place_takes_from_the_deadline() -> None:
    left: list[float] = []

    async def look(_: AccessRequest, deadline: Deadline) -> DecisionRecord:
        left.append(deadline.remaining())
        await asyncio.sleep(0.3 if len(left) == 1 else 0)
        return DecisionRecord(decision_id="d", outcome=Allow(Reason.POLICY_ALLOW))

    async with serving(max_in_flight=1, max_wait=5.0, deadline=10.0) as service:
        service.decision.rule = look
        answers = await asyncio.gather(service.ask(), service.ask())
    assert [answer.status for answer in answers] == [200, 200]
    first, second = left
    assert second <= first - 0.25
