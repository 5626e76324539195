"""Building the upstreams: once, kept in the user's cache beside the tools."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from pathlib import Path
from typing import Final

import install

_HERE: Final = Path(__file__).resolve().parent


def express_packages() -> Path:
    """Return a node_modules folder that holds what the lock file says."""
    pins = [_HERE / "express" / name for name in ("package.json", "package-lock.json")]
    folder = _entry("differential-express", pins)
    packages = folder / "node_modules"
    if not packages.exists():
        install.require_npm("the differential test's Express")
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=folder.parent) as aside:
            for file in (*pins, _HERE / "express" / ".npmrc"):
                shutil.copy(file, aside)
            command = ["npm", "--no-audit", "--no-fund", "--ignore-scripts", "ci"]
            what = "downloading Express from npm"
            install.run(command, folder=Path(aside), environment=os.environ, what=what)
            folder.mkdir(exist_ok=True)
            try:
                (Path(aside) / "node_modules").replace(packages)
            except OSError:
                # Another run, at the same time, was the first.
                if not packages.exists():
                    raise
    return packages


def servemux_program() -> Path:
    """Return the application on ServeMux, built."""
    sources = [_HERE / "servemux" / name for name in ("go.mod", "main.go")]
    program = _entry("differential-servemux", sources) / "servemux"
    if not program.exists():
        environment = {**os.environ, "GOWORK": "off", "CGO_ENABLED": "0"}
        with install.written_aside(program) as aside:
            install.run(
                ["go", "build", "-o", str(aside), "."],
                folder=_HERE / "servemux",
                environment=environment,
                what="building the differential test's ServeMux",
            )
    return program


def _entry(name: str, pins: list[Path]) -> Path:
    target = install.target_platform(platform.system(), platform.machine())
    contents = (pin.read_bytes() for pin in pins)
    entry = install.cache_entry(name, "1", contents, target)
    return install.cache_folder(os.environ, Path.home()) / entry
