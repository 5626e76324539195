"""Soak: half of what can be answered, for minutes, while everything happens that may happen.

    PYTHONPATH=tests .venv/bin/python bench/soak.py [--minutes 10] [--dry]

A real `authorizer serve`, with TLS and a shared secret, and two real PDPs behind Toxiproxy. vegeta
asks an allowed and a forbidden question in turn, open loop. Meanwhile PDPs are killed, stopped,
slow, reset, half open; rules and policies are saved, well and broken; SIGHUP comes; certificate and
secrets are renewed; callers hang up. The rules are saved anew every two seconds, and each allow
names the edition that decided it three times: in its route, in a header, and in an attribute of the
resource, which the policy says back.

Prints what came of it. Writes that to bench/soak.json, and between the marks in docs/reliability.md
(`--dry`: does not), unless a promise was broken: then the exit status is 1. Linux only: it reads
/proc.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Final

from faults.rig import Rig

from authorizer.source.marked import replaced
from bench.measuring import loads, programs, steps, verdict
from bench.measuring.machine import machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.measuring.verdict import Sample, Soak, Told, Window

RESULTS: Final = programs.ROOT / "bench" / "soak.json"
PAGE: Final = programs.ROOT / "docs" / "reliability.md"
BEGIN: Final = "<!-- begin: written by bench/soak.py -->"
END: Final = "<!-- end: written by bench/soak.py -->"
# Seconds: of a step at the most, and of rest after it; between two editions of the rules.
LONGEST: Final = 6.0
REST: Final = 1.0
EDITION_EVERY: Final = 2.0
SAMPLE_EVERY: Final = 0.5
# All that happens happens twice at least: first to warm up, then to be judged.
TURNS: Final = 2
SATURATION: Final = 4.0  # seconds of each step of measuring it
SHARES: Final = (0.4, 0.6, 0.8, 1.0)
ALLOWED: Final = "?allowed"
WORKERS: Final = 32  # questions at once, meanwhile
# Seconds after the load in which what it has left is closed.
SETTLING: Final = 3.0


class Load:
    """vegeta, which asks until it is stopped, and what it was told."""

    def __init__(self, scene: steps.Scene) -> None:
        url = f"https://{scene.service.listen}/authorize"
        self._targets = [
            # The address says what is to come of it: that is all of a question that comes back.
            loads.vegeta_target(
                f"{url}{ALLOWED if allowed else ''}",
                body,
                **{"X-Authorizer-Secret": steps.SECRET},
            )
            for allowed, body in steps.questions()
        ]
        self._trust = f"-root-certs={scene.folder / 'ca.pem'}"
        self.told: list[Told] = []

    def saturation(self) -> float:
        """Return the most decisions a second that callers get who do not wait for each other.

        Looked for up to what callers get who do, which is more: their questions meet.
        """
        closed = self._decided("-rate=0", f"-max-workers={WORKERS}")
        return max(self._decided(f"-rate={round(share * closed)}/s") for share in SHARES)

    def _decided(self, *options: str) -> float:
        options = (self._trust, f"-duration={SATURATION}s", *options)
        hits = loads.attack(self._targets, *options)
        decided = sum(hit.code in (HTTPStatus.OK, HTTPStatus.FORBIDDEN) for hit in hits)
        return decided / SATURATION

    @contextmanager
    def at(self, rate: int) -> Iterator[None]:
        """Ask so often a second while the context is open; then wait for the last answer."""
        attack = loads.Attack(self._targets, self._trust, f"-rate={rate}/s", "-duration=0")
        reading = threading.Thread(target=lambda: self.told.extend(map(self._told, attack.hits())))
        reading.start()
        try:
            yield
        finally:
            attack.stop()
            reading.join()
            self.told.sort(key=lambda one: one.at)

    def _told(self, hit: loads.Hit) -> Told:
        allowed = hit.url.endswith(ALLOWED)
        editions: list[str] = []
        if hit.code == HTTPStatus.OK:
            headers = hit.headers or {}
            for name in ("X-Authorizer-Route", "X-Edition", "X-Decided"):
                editions += headers.get(name, [f"no {name}"])
        return verdict.Told(hit.at, hit.seconds, allowed, hit.code, hit.reason, frozenset(editions))


def sample(scene: steps.Scene) -> Sample:
    """Return what the service holds now."""
    folder = Path(f"/proc/{scene.service.process.pid}")
    status = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    memory = int(status["VmRSS"].split()[0]) / 1024
    return verdict.Sample(time.time(), memory, scene.service.descriptors(), int(status["Threads"]))


@contextmanager
def beside(scene: steps.Scene, soak: Soak) -> Iterator[None]:
    """Look at the service, and save editions of its rules, while the context is open."""
    with (
        steps.again(lambda: soak.samples.append(sample(scene)), every=SAMPLE_EVERY),
        steps.again(scene.new_edition, every=EDITION_EVERY),
    ):
        yield


def run(scene: steps.Scene, soak: Soak, load: Load, seconds: float) -> None:
    """Do all steps in turn for about so long, twice at least."""
    every = scene.steps()
    end = time.time() + seconds
    turns = max(TURNS, round(seconds / len(every) / (LONGEST + REST)))
    length = seconds / turns / len(every) - REST
    for turn in range(turns):
        for step in every:
            begun = time.time()
            with step.cause():
                time.sleep(length)
                ended = time.time()
            window = verdict.Window(step.name, turn, begun, ended, step.decidable)
            soak.windows.append(window)
            time.sleep(REST)
            print(f"{end - time.time():4.0f} s left: {_said(window, load)}", flush=True)


def _said(window: Window, load: Load) -> str:
    told = [one for one in load.told.copy() if window.start <= one.at < window.end]
    undecided = sum(bool(one.error) for one in told)
    bad = sum(one.wrong or one.mixed for one in told)
    return f"{window.name}: {len(told)} answers, {undecided} undecided, {bad} wrong or mixed"


def soaked(rig: Rig, seconds: float) -> Soak:
    """Soak a service for about so long, and return what was seen."""
    scene = steps.Scene(rig, rig.folder("soak"))
    with scene.service:
        before = sample(scene)
        load = Load(scene)
        most = load.saturation()
        soak = verdict.Soak(most, max(1, round(most / 2)), before)
        print(f"{most:.0f} answers a second at the most; asking {soak.rate}", flush=True)
        with load.at(soak.rate), beside(scene, soak):
            run(scene, soak, load, seconds)
        soak.told, soak.editions = load.told, scene.edition
        time.sleep(SETTLING)
        soak.after = sample(scene)
    return soak


def page(soak: Soak, minutes: float) -> str:
    """Return what came of it, as Markdown."""
    turns = 1 + max(window.turn for window in soak.windows)
    return "\n\n".join(
        (
            f"{machine()}; {minutes:g} minutes, all steps {turns} times",
            verdict.summary(soak),
            verdict.table(soak),
            verdict.held(soak),
        )
    )


def main() -> int:
    """Soak, judge, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--dry", action="store_true", help="write nothing")
    options = parser.parse_args()
    with Rig() as rig:
        soak = soaked(rig, options.minutes * 60)
    broken = verdict.judge(soak)
    text = page(soak, options.minutes)
    print(text)
    for promise in broken:
        print(f"BROKEN {promise}")
    if not broken and not options.dry:
        results = {
            "machine": machine(),
            "minutes": options.minutes,
            "rate": soak.rate,
            "answers": len(soak.told),
            "editions": soak.editions,
            "growth": soak.growth,
            "windows": [
                {**asdict(window), "errors": verdict.errors(soak.during([window]))}
                for window in soak.windows
            ],
            "samples": [asdict(one) for one in soak.samples],
        }
        RESULTS.write_text(json.dumps(results, indent=1) + "\n")
        PAGE.write_text(replaced(PAGE.read_text(), BEGIN, END, text))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
