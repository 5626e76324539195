"""The lock files say exactly what is installed, from anywhere."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())


def entries(name: str) -> list[str]:
    """Return the entries of a lock, each on one line with its hashes."""
    text = (ROOT / "requirements" / name).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def pins(name: str) -> dict[str, str]:
    """Return the version of each package in a lock."""
    out: dict[str, str] = {}
    for entry in entries(name):
        requirement = Requirement(entry.split(" --hash", 1)[0])
        (specifier,) = requirement.specifier
        assert specifier.operator == "=="
        out[canonicalize_name(requirement.name)] = specifier.version
    return out


def group(name: str) -> list[str]:
    out: list[str] = []
    for entry in PYPROJECT["dependency-groups"][name]:
        out += group(entry["include-group"]) if isinstance(entry, dict) else [entry]
    return out


def unmet(requirements: list[str], pinned: dict[str, str]) -> list[str]:
    """Return the requirements that the pinned versions do not meet."""
    parsed = [Requirement(text) for text in requirements]
    return [
        str(requirement)
        for requirement in parsed
        if not requirement.specifier.contains(
            pinned.get(canonicalize_name(requirement.name), "0"), prereleases=True
        )
        or canonicalize_name(requirement.name) not in pinned
    ]


def test_the_runtime_lock_meets_the_project_s_dependencies() -> None:
    assert unmet(PYPROJECT["project"]["dependencies"], pins("runtime.txt")) == []


def test_the_development_lock_meets_its_group_and_holds_the_runtime_lock() -> None:
    development = pins("dev.txt")
    assert unmet(group("dev"), development) == []
    assert pins("runtime.txt").items() <= development.items()


def test_the_build_lock_is_the_build_system() -> None:
    # Beside it only what hatchling asks for by itself when it installs a checkout.
    assert group("build") == [*PYPROJECT["build-system"]["requires"], "editables>=0.5,<1"]
    assert unmet(group("build"), pins("build.txt")) == []


def imported() -> set[str]:
    """Return the top-level names that the package imports from elsewhere."""
    names: set[str] = set()
    for path in (ROOT / "authorizer").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.add(node.module.partition(".")[0])
    return names - sys.stdlib_module_names - {"authorizer"}


def test_whatever_the_package_imports_is_in_the_runtime_lock() -> None:
    locked, providers = pins("runtime.txt").keys(), packages_distributions()
    missing = [
        name
        for name in sorted(imported())
        if not {canonicalize_name(found) for found in providers.get(name, [])} & locked
    ]
    assert missing == []


def test_an_unmet_requirement_is_seen() -> None:
    assert unmet(["aiohttp>=99", "not-there"], {"aiohttp": "3.14.5"}) == [
        "aiohttp>=99",
        "not-there",
    ]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_package_is_held_to_its_hashes(lock: Path) -> None:
    found = entries(lock.name)
    assert found
    assert [e for e in found if not re.search(r"--hash=sha256:[0-9a-f]{64}( |$)", e)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_a_place_to_fetch_from(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|--(extra-)?index-url|--find-links|^-|@ |/", text, re.MULTILINE)
