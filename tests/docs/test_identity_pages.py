"""What the pages about identity show is what can be configured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from docpages import blocks
from lintfolder import Folder
from sessions import NOW, question, session

from authorizer.config.loading import load
from authorizer.expressions.cel import Bindings
from authorizer.model import Deny, Principal
from authorizer.wiring.snapshot import build_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from authorizer.principals.profiles import Profiles

PAGES = ("principals.md", "aux-data.md", "who-may-write-what.md", "step-up.md")
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


# metadata_public (left out where the name is given in `without`), and the clearance
DEFAULTED: list[tuple[object, tuple[str, ...], int]] = [
    ({"clearance": 2}, (), 2),
    ({"clearance": 0}, (), 0),
    ({}, (), 0),
    ({"roles": []}, (), 0),
    (None, (), 0),
    (None, ("identity.metadata_public",), 0),
]


@pytest.mark.parametrize(("metadata", "without", "clearance"), DEFAULTED)
def test_whoever_has_no_clearance_has_the_default(
    tmp_path: Path, metadata: object, without: tuple[str, ...], clearance: int
) -> None:
    configuration = shown("kratos")
    (attr,) = (block["attr"] for block in blocks("who-may-write-what.md") if "attr" in block)
    named = configuration["principals"]["profiles"]["kratos"] | {"attr": attr}
    found = profiles(tmp_path, {"principals": {"profiles": {"kratos": named}}})
    extra = session({"clearance": 5}, identity={"metadata_public": metadata}, without=without)
    principal = found.identify(question(extra), NOW)
    assert isinstance(principal, Principal), principal
    assert principal.attr["clearance"] == clearance


@pytest.mark.parametrize("addresses", [None, [], [{"verified": True}], [{"verified": False}]])
def test_whoever_has_no_address_is_not_verified(tmp_path: Path, addresses: Any) -> None:  # noqa: ANN401 - JSON
    """Kratos leaves `verifiable_addresses` out where there are none."""
    found = profiles(tmp_path, shown("staff")).by_name["staff"]
    (verified,) = (value for name, value in found.attr if name == "verified")
    for identity in ({"verifiable_addresses": addresses}, {} if not addresses else None):
        if identity is not None:
            bindings = Bindings({"extra": session(identity=identity)})
            assert verified.evaluate(bindings) is (addresses == [{"verified": True}])


def test_the_rule_for_a_second_factor_errs_for_nobody(tmp_path: Path) -> None:
    """Whoever has its roles: without the guard, it errs for those who come by a token."""
    folder = Folder(tmp_path)
    shown_rule, *_ = next(block for block in blocks("step-up.md") if isinstance(block, list))
    rule = shown_rule | {"actions": ["view"], "roles": ["*"]}
    folder.policy("document.json", resourcePolicy={
        "resource": "document", "version": "default", "rules": [rule],
    })  # fmt: skip
    folder.asks()
    assert "unguarded-attribute" not in folder.codes()
    rule["condition"]["match"]["expr"] = rule["condition"]["match"]["expr"].rpartition("&& ")[2]
    folder.policy("document.json", resourcePolicy={
        "resource": "document", "version": "default", "rules": [rule],
    })  # fmt: skip
    assert "unguarded-attribute" in folder.codes()
