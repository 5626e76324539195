"""The application that is behind the gateway three times over, and the rules that guard it."""

from __future__ import annotations

import enum
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

# {name}, {name...}, {name:int}: the name, and what is said of it.
_CAPTURE: Final = re.compile(r"\{(\w+)(\.\.\.|:\w+)?\}")


class Upstream(enum.StrEnum):
    """What the application is written with."""

    EXPRESS = "express"
    SERVEMUX = "servemux"
    STARLETTE = "starlette"


class Declared(enum.Enum):
    """What all rules of one host say about how their application reads a URL."""

    NOTHING = ("default", "", "")
    SLASH_KEPT = ("slash-kept", "encoded_slash", "keep")
    SLASH_SPLIT = ("slash-split", "encoded_slash", "split")
    EMPTY_ALLOWED = ("empty-allowed", "empty_segments", "allow")
    MATRIX_KEPT = ("matrix-kept", "matrix_parameters", "keep")
    CASE_STRICT = ("case-strict", "case", "strict")
    SUFFIX_STRICT = ("suffix-strict", "suffix", "strict")
    TRAILING_STRICT = ("trailing-strict", "trailing_slash", "strict")
    TRAILING_IGNORED = ("trailing-ignored", "trailing_slash", "ignore")

    def __init__(self, label: str, key: str, setting: str) -> None:
        """Take the name that stands in hosts and route ids, and the key of the rule language."""
        self.label = label
        self.keys: Mapping[str, str] = {key: setting} if key else {}

    def __str__(self) -> str:
        return ", ".join(f"{key}: {value}" for key, value in self.keys.items()) or "nothing"


@dataclass(frozen=True)
class Place:
    """One route of the application. `path` is as in the rule language."""

    name: str
    path: str

    @property
    def captures(self) -> tuple[str, ...]:
        """The names of what the path captures."""
        return tuple(name for name, _ in _CAPTURE.findall(self.path))

    @property
    def tail(self) -> str:
        """The name of the capture that takes the rest of the path; "" where none does."""
        return next((name for name, what in _CAPTURE.findall(self.path) if what == "..."), "")

    def is_known_to(self, upstream: Upstream) -> bool:
        """Say whether the upstream can route it.

        ServeMux has no captures in parts of segments, and only Starlette has kinds of values.
        """
        is_mixed = any(
            _CAPTURE.search(segment) and not _CAPTURE.fullmatch(segment)
            for segment in self.path.split("/")
        )
        is_constrained = any(what.startswith(":") for _, what in _CAPTURE.findall(self.path))
        if is_constrained:
            return upstream is Upstream.STARLETTE
        return upstream is not Upstream.SERVEMUX or not is_mixed


# The most specific first, as Express and Starlette take the first that fits.
PLACES: Final = tuple(
    Place(**entry) for entry in json.loads((Path(__file__).parent / "routes.json").read_text())
)


def places(upstream: Upstream) -> tuple[Place, ...]:
    """Return the routes that an upstream has."""
    return tuple(place for place in PLACES if place.is_known_to(upstream))


def host(upstream: Upstream, declared: Declared) -> str:
    """Return the host under which an upstream is reached, guarded by the rules that declare so."""
    return f"{upstream}.{declared.label}.test"


def route_id(declared: Declared, name: str) -> str:
    """Return the id of the rule for one place."""
    return f"{declared.label}.{name}"


def rules(declared: Declared) -> str:
    """Return a rule file for the whole application. Each capture is a check of its own."""
    return json.dumps(
        {
            "version": 1,
            "defaults": dict(declared.keys),
            "routes": [_rule(declared, place) for place in PLACES],
        }
    )


def _rule(declared: Declared, place: Place) -> Mapping[str, Any]:
    hosts = [host(upstream, declared) for upstream in Upstream if place.is_known_to(upstream)]
    checks = [_check(f"${{path.{name}}}", name) for name in place.captures]
    return {
        "id": route_id(declared, place.name),
        "match": {"path": place.path, "methods": ["*"], "hosts": hosts},
        "checks": checks or [_check("-", "serve")],
    }


def _check(resource_id: str, action: str) -> Mapping[str, Any]:
    return {"resource": {"kind": "capture", "id": resource_id}, "action": action}


# What the rules ask about may always be done: what passes is what they could say it is about.
POLICY: Final = json.dumps(
    {
        "apiVersion": "api.cerbos.dev/v1",
        "resourcePolicy": {
            "resource": "capture",
            "version": "default",
            "rules": [{"actions": ["*"], "effect": "EFFECT_ALLOW", "roles": ["*"]}],
        },
    }
)
