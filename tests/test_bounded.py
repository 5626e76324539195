"""What is kept never takes more than its room, and what was used stays longest."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from authorizer.bounded import Bounded

LIMIT = 10
STEPS = st.lists(st.tuples(st.sampled_from("puu"), st.integers(0, 5), st.integers(0, 12)))


@given(STEPS)
def test_it_keeps_what_a_plain_list_of_uses_would_keep(steps: list[tuple[str, int, int]]) -> None:
    kept: Bounded[int, int] = Bounded(LIMIT)
    expected: OrderedDict[int, int] = OrderedDict()
    for step, key, size in steps:
        if step == "u":
            assert kept.peek(key) == expected.get(key)
            if key in expected:
                kept.use(key)
                expected.move_to_end(key)
        elif size <= LIMIT:
            kept.put(key, size, size)
            expected.pop(key, None)
            expected[key] = size
            while sum(expected.values()) > LIMIT:
                expected.popitem(last=False)
        else:
            kept.put(key, size, size)
        assert (len(kept), kept.size) == (len(expected), sum(expected.values()))
    assert all(kept.peek(key) == expected.get(key) for key in range(6))


def test_what_was_cleared_is_gone_and_its_room_is_free() -> None:
    kept: Bounded[str, str] = Bounded(LIMIT)
    kept.put("a", "x", LIMIT)
    kept.clear()
    assert (kept.peek("a"), kept.size, len(kept)) == (None, 0, 0)
    kept.put("b", "y", LIMIT)
    assert kept.peek("b") == "y"
