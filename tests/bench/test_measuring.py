"""What the benchmark makes of its numbers."""

from __future__ import annotations

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench import decisions
from bench.measuring import phases, plot, programs, report, sampling
from bench.measuring.loads import Load
from bench.measuring.rounds import AUTHORIZER, HANDLER, STUB, WORKERS, Figure, Key

NAMES = st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=5)
AMOUNTS = st.dictionaries(NAMES, st.floats(0.1, 1e6), min_size=1, max_size=8)


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        ("run (authorizer/cli/serve.py:9);run (asyncio/runners.py:8)", phases.LOOP),
        ("f (aiohttp/a.py:1);decode (authorizer/contract/decode.py:2)", "read the question"),
        ("f (authorizer/pdp/cerbos.py:1);g (authorizer/rpc/channel.py:2)", "call to the PDP"),
        ("f (authorizer/pdp/messages.py:1);copy (copy.py:2)", "PDP messages"),
        ("render (authorizer/routing/render.py:1)", "render the checks"),
        ("find (authorizer/routing/trie.py:1)", "find the route"),
        ("decide (authorizer/engine.py:1);replace (dataclasses.py:2)", "the engine"),
    ],
)
def test_a_sample_belongs_to_the_innermost_part_that_is_known(stack: str, part: str) -> None:
    assert phases.part_of(stack) == part


def test_no_microsecond_of_a_profile_is_lost() -> None:
    samples = {"f (authorizer/rpc/a.py:1)": 3, "f (x.py:1)": 2}
    assert sum(phases.by_part(samples, main=10.0, others=4.0).values()) == 14.0


def test_what_is_read_of_py_spy_is_the_main_thread() -> None:
    said = "thread (7): MainThread;run (a.py:1);f (b.py:2) 5\nthread (8): log-writer;g (c.py:3) 9\n"
    assert sampling.read(said) == {"run (a.py:1);f (b.py:2)": 5}


@given(AMOUNTS)
def test_a_waterfall_falls_without_a_gap(parts: dict[str, float]) -> None:
    bars = _bars(plot.waterfall("all <of> it", "µs", parts))[:-1]
    ends = [start + width for start, width in bars]
    # Too thin a bar is drawn a pixel wide, and an SVG has tenths of one.
    assert all(abs(bars[n + 1][0] - ends[n]) <= 1.2 for n in range(len(bars) - 1))


def test_pictures_that_are_compared_share_their_scale() -> None:
    (half, whole) = (
        _bars(plot.waterfall("one", "µs", {"all": amount}, 10.0)) for amount in (5.0, 10.0)
    )
    assert half[0][1] * 2 == pytest.approx(whole[0][1], abs=0.1)


def test_then_and_now_stand_side_by_side_by_part() -> None:
    table = report.since(
        {"before": {"HTTP": 80.0, "the engine": 20.0}, "now": {"HTTP": 50.0}},
        {"before": {"the engine": 2048.0}, "now": {"the engine": 1024.0}},
    )
    assert "| HTTP | 80 µs | 50 µs |  |  |" in table
    assert "| the engine | 20 µs | 0 µs | 2.0 KiB | 1.0 KiB |" in table
    assert table.endswith("| all | 100 µs | 50 µs | 2.0 KiB | 1.0 KiB |")


def test_what_was_before_is_told_by_the_parts_of_now() -> None:
    former = json.loads(decisions.FORMER.read_text())
    assert set(former["profile"]) == set(phases.PARTS)
    assert set(former["held"]) <= set(phases.PARTS)


def test_two_workers_are_held_against_one_with_the_cpu_of_all_processes() -> None:
    one, two = (Key(name, AUTHORIZER, 16) for name in ("distinct", WORKERS))
    a_round = {
        one: _figure(target=400.0, pdp=300.0),
        two: _figure(target=500.0, pdp=270.0),
    }
    (goal,) = [goal for goal in report.GOALS if goal.name.startswith(f"{WORKERS}, 16")]
    assert goal.ratio(a_round) == 1.25
    assert "| 16 | 1.00 (1.00-1.00) | 1.25 (1.25-1.25) | 0.90 (0.90-0.90) |" in (
        report.more_processes([a_round])
    )


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="reads /proc, which is Linux's")
def test_the_cpu_of_a_program_is_that_of_its_children_too() -> None:
    code = """if True:
        import os, time
        if os.fork():
            os.wait()
        else:
            while time.process_time() < 0.3: pass
            print(flush=True)
            input()
    """
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        running = programs.Running(process.pid, 0, Path())
        assert running.cpu() >= running.cpu_of_main() + 0.25
        process.communicate(b"1\n")


@given(st.dictionaries(NAMES, AMOUNTS, min_size=1, max_size=4))
def test_the_longest_bar_fits_in_the_picture(groups: dict[str, dict[str, float]]) -> None:
    assert all(start + width <= 760 for start, width in _bars(plot.bars("all", groups)))


def test_our_own_cpu_is_without_that_of_the_call() -> None:
    a_round = {
        Key("distinct", AUTHORIZER, 16): _figure(target=300.0),
        Key("distinct", STUB, 16): _figure(client=100.0),
        Key("distinct", HANDLER, 16): _figure(target=50.0),
    }
    assert report.own_cpu(a_round, 16) == 200.0
    (goal,) = [goal for goal in report.GOALS if "our own CPU" in goal.name]
    assert goal.ratio(a_round) == 4.0
    assert not goal.reached(report.Spread.of([4.0]))
    assert goal.reached(report.Spread.of([1.0, 2.0, 9.0]))


def _figure(**cpu: float) -> Figure:
    return Figure(Load(answers=1, throughput=1.0, p50=1.0, p90=1.0, p99=1.0), cpu)


def _bars(picture: str) -> list[tuple[float, float]]:
    found = ET.fromstring(picture).findall("{http://www.w3.org/2000/svg}rect")  # noqa: S314 - our own
    return [(float(bar.attrib["x"]), float(bar.attrib["width"])) for bar in found]
