"""Identities by name: who asks, in suites and for `explain --as`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from authorizer.errors import Problem, SourceError
from authorizer.source.schema import did_you_mean, load_schema
from authorizer.source.yaml import read_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from authorizer.model import JsonValue
    from authorizer.source.document import Place


@dataclass(frozen=True, slots=True)
class Identity:
    """What Oathkeeper says of a caller. `profiles` are empty where the payload names none."""

    profiles: tuple[str, ...] = ()
    subject: str = ""
    extra: Mapping[str, JsonValue] | None = None


# What an access rule says of everybody when it has the authenticator `noop`.
NOBODY: Final = Identity(profiles=("anonymous",))


def make_identity(raw: Mapping[str, Any]) -> Identity:
    """Return the identity that a mapping, which fits the schema, says."""
    profile = raw.get("profile", ())
    extra = raw.get("extra")
    return Identity(
        profiles=(profile,) if isinstance(profile, str) else tuple(profile),
        subject=raw["subject"] if "subject" in raw else subject_of(extra),
        extra=extra,
    )


def subject_of(extra: Mapping[str, Any] | None) -> str:
    """Return the subject that Oathkeeper takes from a session or from a JWT's claims, or ""."""
    known = extra or {}
    identity = known.get("identity")
    subject = known.get("sub", identity.get("id") if isinstance(identity, dict) else None)
    return subject if isinstance(subject, str) else ""


def find_identity(name: str, identities: Mapping[str, Identity]) -> Identity:
    """Return the identity of that name; raises SourceError that says which was meant."""
    if name not in identities:
        hint = did_you_mean(name, identities) or "write it into rules/tests/identities.yaml"
        raise SourceError([Problem("--as", 0, 0, f"there is no identity `{name}`", hint)])
    return identities[name]


def read_identities(files: Sequence[Path]) -> dict[str, Identity]:
    """Return all identities of the files; raises SourceError with every problem."""
    schema = load_schema("authorizer.suites", "identities.schema.json")
    problems: list[Problem] = []
    found: dict[str, tuple[Place, Identity]] = {}
    for file in files:
        try:
            document = read_yaml(file)
            schema.check(document)
        except SourceError as error:
            problems += error.problems
            continue
        named: Any = document.value
        for name, raw in named["identities"].items():
            place = document.place(("identities", name), key=True)
            if name in found:
                first, _ = found[name]
                message = f"the identity `{name}` is there already, at {first}"
                problems.append(place.problem(message, "names are unique over all files"))
            else:
                found[name] = (place, make_identity(raw))
    if problems:
        raise SourceError(problems)
    return {name: identity for name, (_, identity) in found.items()}
