"""The upstreams are pinned: the same applications everywhere, from anywhere."""

from __future__ import annotations

import json
from pathlib import Path

UPSTREAMS = Path(__file__).parent / "upstreams"


def test_the_express_lock_holds_each_package_to_its_hash_and_names_no_place() -> None:
    text = (UPSTREAMS / "express" / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    wanted = json.loads((UPSTREAMS / "express" / "package.json").read_text())["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted
    assert [name for name, entry in packages.items() if name and "integrity" not in entry] == []
    assert "://" not in text


def test_the_servemux_upstream_needs_nothing_but_go() -> None:
    assert "require" not in (UPSTREAMS / "servemux" / "go.mod").read_text()
