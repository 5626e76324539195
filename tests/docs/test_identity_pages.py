"""What the pages about identity show is what can be configured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from docpages import blocks
from sessions import NOW, question, session

from authorizer.config.loading import load
from authorizer.model import Deny, Principal
from authorizer.wiring import build_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from authorizer.principals.profiles import Profiles

PAGES = ("principals.md", "who-may-write-what.md", "step-up.md")
CONFIGURATIONS = [
    (page, block) for page in PAGES for block in blocks(page) if "principals" in block
]


def profiles(folder: Path, configuration: dict[str, Any]) -> Profiles:
    """Return the profiles that `serve` would have with a configuration, and one route."""
    for name in ("rules", "cerbos/policies"):
        (folder / name).mkdir(parents=True)
    route = "{id: a, match: {path: /a, methods: [GET]}, effect: allow}"
    (folder / "rules" / "a.yaml").write_text(f"version: 1\nroutes: [{route}]\n")
    (folder / "authorizer.yaml").write_text(json.dumps(configuration))
    return build_snapshot(load(cwd=folder)).profiles


def shown(name: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        block for _, block in CONFIGURATIONS if name in block["principals"]["profiles"]
    ]
    assert len(found) == 1
    return found[0]


def test_the_pages_show_profiles() -> None:
    assert len(CONFIGURATIONS) == 5


@pytest.mark.parametrize(
    ("page", "configuration"), CONFIGURATIONS, ids=lambda value: str(value)[:20]
)
def test_each_profile_that_is_shown_is_one(
    tmp_path: Path, page: str, configuration: dict[str, Any]
) -> None:
    found = profiles(tmp_path, configuration)
    assert set(configuration["principals"]["profiles"]) <= set(found.by_name), page


@pytest.mark.parametrize("aal", ["aal1", "aal2", None])
def test_the_strict_profile_wants_a_second_factor(tmp_path: Path, aal: str | None) -> None:
    found = profiles(tmp_path, shown("strict"))
    request = question(session(authenticator_assurance_level=aal), "ann", "strict")
    assert isinstance(found.identify(request, NOW), Principal if aal == "aal2" else Deny)


def test_clearance_from_metadata_is_not_what_people_write(tmp_path: Path) -> None:
    found = profiles(tmp_path, shown("kratos"))
    extra = session({"clearance": 5}, identity={"metadata_public": {"clearance": 1}})
    principal = found.identify(question(extra), NOW)
    assert isinstance(principal, Principal)
    assert principal.attr["clearance"] == 1
    assert isinstance(found.identify(question(session({"clearance": 5})), NOW), Deny)
