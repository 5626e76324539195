"""Was what was served what was authorised?"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from differential.application import PLACES, route_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from differential.trial import Served, Trial


class Difference(enum.Enum):
    """How what was served differs from what was authorised."""

    UNDECIDED = "served without a decision"
    ROUTE = "another route"
    CAPTURE = "another resource of the same route"
    TRAILING_SLASH = "the same tail, with a slash at its end"


@dataclass(frozen=True)
class Finding:
    """A request for which the two differ."""

    trial: Trial
    difference: Difference

    def __str__(self) -> str:
        decision, served = self.trial.decision, self.trial.served
        asked = decision and f"{decision.route} {dict(decision.captures)}"
        did = served and f"{served.route} {captures(served)}"
        return f"{self.trial.attempt}: authorised {asked}, served {did}"


def captures(served: Served) -> Mapping[str, str]:
    """Return what an upstream has captured, as text.

    Express gives a tail as a list of decoded segments. Joined as a rule's capture is, with a slash
    inside a segment as %2F, so that two lists never give one text.
    """
    return {
        name: value
        if isinstance(value, str)
        else "/".join(segment.replace("/", "%2F") for segment in value)
        for name, value in served.captures.items()
    }


def judge(trial: Trial) -> Finding | None:
    """Return how the two differ; None where they do not, or nothing was served."""
    served, decision = trial.served, trial.decision
    if served is None:
        return None
    if decision is None or not trial.is_allowed or served.request != trial.request:
        return Finding(trial, Difference.UNDECIDED)
    own = route_id(trial.attempt.declared, served.route)
    if not decision.route == served.authorised == own:
        return Finding(trial, Difference.ROUTE)
    mine, theirs = dict(decision.captures), dict(captures(served))
    if mine == theirs:
        return None
    tail = next(place.tail for place in PLACES if place.name == served.route)
    if tail in theirs:
        theirs[tail] = theirs[tail].removesuffix("/")
    return Finding(trial, Difference.TRAILING_SLASH if mine == theirs else Difference.CAPTURE)
