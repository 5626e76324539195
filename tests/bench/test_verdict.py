"""The judge of a soak sees what it is there for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.measuring.verdict import Sample, Soak, Told, Window, held, judge, summary, table

TURNS = 3
QUESTIONS = 200


def allowed(at: float, status: int = 200, reason: str = "policy_allow", **more: object) -> Told:
    editions = frozenset({"edition-1"}) if status == 200 else frozenset()
    told = Told(at, 0.002, allowed=True, status=status, reason=reason, editions=editions)
    return replace(told, **more)  # type: ignore[arg-type] # fields of it


def forbidden(at: float, status: int = 403, reason: str = "policy_deny") -> Told:
    return replace(allowed(at, status, reason), allowed=False)


def soak(*more: Told, memory: float = 100.0, descriptors: int = 30, threads: int = 18) -> Soak:
    """Return one of three turns of two steps, a second each, that went well but for `more`."""
    windows = [
        Window(name, turn, start := 2.0 * turn + second, start + 1, decidable=name != "outage")
        for turn in range(TURNS)
        for second, name in enumerate(("nothing", "outage"))
    ]
    good = [
        one
        for number in range(QUESTIONS)
        for one in (allowed(number * 6 / QUESTIONS), forbidden(number * 6 / QUESTIONS))
    ]
    samples = [
        Sample(at / 2, memory if at >= 8 else 100.0, descriptors=40, threads=18) for at in range(12)
    ]
    return Soak(
        saturation=1_000.0,
        rate=500,
        before=Sample(0.0, 70.0, descriptors=30, threads=17),
        told=[*good, *more],
        samples=samples,
        windows=windows,
        editions=2,
        after=Sample(7.0, memory, descriptors, threads),
    )


def test_what_is_right_or_was_declared_passes() -> None:
    outage = [allowed(1.5, 501, "pdp_unavailable") for _ in range(50)]
    assert judge(soak(*outage, memory=104.0, descriptors=38, threads=22)) == []


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ([forbidden(1.5, 200, "policy_allow")], "wrong"),
        ([allowed(1.5, 403, "policy_deny")], "wrong"),
        ([allowed(1.5, editions=frozenset({"edition-1", "edition-2"}))], "mixed"),
        ([allowed(1.5, editions=frozenset())], "mixed"),
        ([allowed(1.5, 200, "observed")], "nobody declared"),
        ([allowed(1.5, 501, "internal_error")], "nobody declared"),
        ([allowed(1.5, 0, "EOF")], "nobody declared"),
        ([allowed(0.5, 501, "pdp_unavailable")] * 20, "somebody could decide"),
        ([allowed(0.5, 501, "overloaded")] * 20, "overloaded"),
        ([allowed(1.5, 501, "pdp_deadline", seconds=0.56)] * 20, "after the deadline"),
    ],
)
def test_each_broken_promise_is_told(told: list[Told], said: str) -> None:
    broken = judge(soak(*told))
    assert any(said in promise for promise in broken), broken


@pytest.mark.parametrize(
    ("of", "said"),
    [
        (soak(memory=106.0), "memory grew by 6.0%"),
        (soak(descriptors=39), "9 descriptors were left open"),
        (soak(threads=23), "23 threads were left"),
        (replace(soak(), editions=3), "of 3 editions of the rules 1 decided"),
    ],
)
def test_what_grows_or_is_left_behind_is_told(of: Soak, said: str) -> None:
    [promise] = judge(of)
    assert said in promise


def test_the_tables_say_what_was_seen() -> None:
    seen = soak(*[allowed(1.5, 501, "pdp_unavailable") for _ in range(50)])
    assert "| outage | 250 | 0 | 0 | 20.0% `pdp_unavailable` | 2.0 | 2 |" in table(seen)
    assert "| nothing |" in table(seen)
    assert "| descriptors | 30 | 40 | 40 | 30 |" in held(seen)
    assert "grew by 0.0%" in summary(seen)
