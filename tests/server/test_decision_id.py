from __future__ import annotations

import time
import uuid

from authorizer.server.decision_id import new_decision_id


def test_an_id_is_a_uuid_of_version_7_that_says_when_it_was_made() -> None:
    before = time.time_ns() // 1_000_000
    text = new_decision_id()
    after = time.time_ns() // 1_000_000
    read = uuid.UUID(text)
    assert str(read) == text
    assert read.version == 7
    assert read.variant == uuid.RFC_4122
    assert before <= read.int >> 80 <= after


def test_no_two_ids_are_the_same() -> None:
    assert len({new_decision_id() for _ in range(10_000)}) == 10_000


def test_every_bit_that_is_not_fixed_varies() -> None:
    ids = [uuid.UUID(new_decision_id()).int for _ in range(500)]
    ever_one, always_one = 0, -1
    for one in ids:
        ever_one |= one
        always_one &= one
    varying = (ever_one & ~always_one) & ((1 << 76) - 1)
    assert varying == ((1 << 76) - 1) & ~(0b11 << 62)
